"""`import saewidgets` costs nothing, and every public name is where the list says."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import saewidgets as sw

HEAVY = {
    "torch",
    "transformer_lens",
    "transformers",
    "pandas",
    "numpy",
    "plotly",
    "ipywidgets",
    "anywidget",
    "tokenizers",
}


def modules_after(code: str) -> set[str]:
    """Top-level modules that are loaded in a fresh interpreter once it has run `code`."""
    listed = f"{code}\nimport sys; print('\\n'.join({{m.split('.')[0] for m in sys.modules}}))"
    out = subprocess.run([sys.executable, "-c", listed], check=True, capture_output=True, text=True)
    return set(out.stdout.split())


def test_import_brings_in_nothing_heavy():
    assert modules_after("import saewidgets") & HEAVY == set()


def test_looking_at_the_names_brings_in_nothing_heavy():
    assert (
        modules_after("import saewidgets; dir(saewidgets); saewidgets.__all__; saewidgets.__version__") & HEAVY == set()
    )


def test_a_mistyped_name_brings_in_nothing_heavy():
    assert modules_after("import saewidgets; hasattr(saewidgets, 'load_modle')") & HEAVY == set()


def test_records_come_without_torch():
    assert "torch" not in modules_after(
        "import saewidgets as sw; sw.DashboardData, sw.Clamp, sw.ClampRecording, sw.DoseResponseData, sw.Steer"
    )


@pytest.mark.parametrize("name", sw.__all__)
def test_every_public_name_resolves(name):
    value = getattr(sw, name)
    assert value is getattr(sw, name)
    assert name in dir(sw)


def test_every_public_function_and_class_is_documented():
    bare = [
        name for name in sw.__all__ if callable(getattr(sw, name)) and not (getattr(sw, name).__doc__ or "").strip()
    ]
    assert bare == []


def test_an_unknown_name_gets_the_nearest_ones():
    with pytest.raises(AttributeError, match=r"no public name 'load_modle'; nearest: load_model"):
        _ = sw.load_modle
    with pytest.raises(AttributeError, match=r"no public name 'zzzz'$"):
        _ = sw.zzzz
    with pytest.raises(ImportError):
        from saewidgets import Dashbord  # noqa: F401


def named_for_type_checkers(module) -> dict[str, str]:
    """Name -> where the TYPE_CHECKING block of this module imports it from."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        alias.name: node.module if node.module != module.__name__ else f"{module.__name__}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_type_checkers_see_the_same_names_at_the_same_places():
    lazy = sw._HOME | {name: f"saewidgets.{name}" for name in sw._MODULES}
    assert named_for_type_checkers(sw) == lazy
    assert set(sw.__all__) == set(lazy) | {"__version__"}


def test_analysis_lists_what_its_wings_list():
    analysis, toys = sw.analysis, sw.analysis.toys
    homes = {name: f"saewidgets.analysis.{wing}" for name, wing in analysis._HOME.items()}
    wings = {wing: f"saewidgets.analysis.{wing}" for wing in analysis._WINGS}
    assert not homes.keys() & wings.keys()
    assert named_for_type_checkers(analysis) == homes | wings and set(analysis.__all__) == homes.keys() | wings.keys()
    assert set(named_for_type_checkers(toys)) == set(toys.__all__) == set(analysis._WINGS["toys"])
    for name, home in sw._HOME.items():  # what is public above is so here
        assert not home.startswith("saewidgets.analysis.") or name in analysis.__all__
    for name in analysis.__all__:
        value = getattr(analysis, name)
        assert value is (import_module(wings[name]) if name in wings else getattr(import_module(homes[name]), name))
        assert isinstance(value, ModuleType) == (name in wings or name in toys.__all__)


def test_looking_into_analysis_brings_in_nothing_heavy():
    assert modules_after("import saewidgets as sw; dir(sw.analysis); sw.analysis.toys.__all__") & HEAVY == set()
    assert "torch" not in modules_after(
        "import saewidgets as sw; sw.analysis.geometry, sw.analysis.superposition_theory"
    )


def test_an_unknown_name_of_analysis_gets_the_nearest_ones():
    with pytest.raises(AttributeError, match=r"unknown name of saewidgets.analysis 'geometri'; nearest: geometry"):
        _ = sw.analysis.geometri
    assert not hasattr(sw.analysis, "__path_of_nobody__")
