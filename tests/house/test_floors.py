"""The house stands on its floors, and the checker that says so sees a broken one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from floors import FLOORS, broken, broken_modules, circles

ROOT = Path(__file__).parents[2]


def build(folder: Path, files: dict[str, str]) -> Path:
    """A made-up package `house` with these files."""
    for name, source in files.items():
        path = folder / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return folder / "house"


def test_every_import_goes_down_or_stays_in_its_room():
    assert broken(ROOT / "saewidgets") == []


def test_no_two_modules_of_a_room_need_each_other():
    assert circles(ROOT / "saewidgets") == []


def test_every_module_of_the_front_end_stays_within_its_walls():
    assert broken_modules(ROOT / "saewidgets" / "frontend") == []


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("instruments/map/index.js", 'import { a } from "./points.js";', ""),
        ("instruments/map/index.js", 'import { a } from "../../shared/words.js";', ""),
        ("instruments/map/index.js", '/** @import { A } from "../../types/host.js" */', ""),
        ("shared/mount.js", 'import { h } from "./elements.js";', ""),
        (
            "instruments/map/index.js",
            'import { a } from "../clamp/rows.js";',
            "imports instruments/clamp/rows.js; instruments/map/ may import its own modules and shared/",
        ),
        (
            "instruments/map/index.js",
            '/** @type {import("../maps/a.js").A} */',
            "imports instruments/maps/a.js; instruments/map/ may import its own modules and shared/",
        ),
        (
            "shared/mount.js",
            'import { a } from "../instruments/map/points.js";',
            "imports instruments/map/points.js; shared/ may import its own modules and shared/",
        ),
        ("page/shim.js", 'import { h } from "lit";', "imports the package 'lit'; there is no bundler"),
        ("page/live/host.js", ' * @typedef {import("../../engine/worker.js").Ask} Ask', ""),
        (
            "page/live/host.js",
            'import { attend } from "../../engine/worker.js";',
            "imports engine/worker.js; page/ may import its own modules and shared/",
        ),
        (
            "engine/run.js",
            'import { say } from "../shared/words.js";',
            "imports shared/words.js; engine/ may import its own modules alone",
        ),
    ],
)
def test_an_import_through_a_wall_is_named(tmp_path, file, line, complaint):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f"// a module\n{line}\n")
    assert broken_modules(tmp_path) == ([f"{file}:2: {complaint}"] if complaint else [])


def test_contributing_shows_the_same_floors():
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", table, flags=re.M)
    shown = {room: int(floor) for floor, rooms in rows for room in re.findall(r"`(\w+)/?`", rooms)}
    assert shown == {room: floor for room, floor in FLOORS.items() if not room.startswith("__")}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("sae.py", "from house.files import read"),
        ("sae.py", "import torch"),
        ("models.py", "def load():\n    import transformer_lens"),
        (
            "analysis/geometry.py",
            "import torch\nfrom house.analysis.quality import f\nfrom .quality import g\nfrom . import quality",
        ),
        ("views/bars.py", "import plotly.graph_objects as go\nfrom house import records\nfrom ..records import x"),
        ("widgets/panel.py", "from house.views import bars\nimport house.records.site"),
        ("pretrain.py", "import torch\nfrom house.training import train"),
        ("cli.py", "import torch"),
        ("__init__.py", "from house.widgets import panel\nfrom house.cli import main"),
    ],
)
def test_a_sound_import_passes(tmp_path, file, source):
    house = build(tmp_path, {"records/__init__.py": "", file: source})
    assert broken(house) == []


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("files.py", "from house.records import x", "'files' (floor 0) imports upward from 'records' (floor 1)"),
        ("sae.py", "import house.models", "'sae' (floor 3) imports sideways from 'models' (floor 3)"),
        ("records/a.py", "from ..widgets import b", "'records' (floor 1) imports upward from 'widgets' (floor 10)"),
        ("widgets/a.py", "import torch", "imports torch on floor 10"),
        ("widgets/a.py", "import torch.nn as nn", "imports torch on floor 10"),
        ("views/a.py", "def f():\n    from torch import nn", "imports torch on floor 8"),
        ("views/a.py", "if TYPE_CHECKING:\n    import torch", "imports torch on floor 8"),
        ("widgets/a.py", "import importlib\nimportlib.import_module('torch')", "imports torch on floor 10"),
        ("analysis/a.py", "import plotly.express as px", "imports plotly on floor 7"),
        (
            "frontend/payloads/toys.py",
            "from house.analysis import geometry",
            "'frontend' imports 'analysis'; it may import languages, records and nothing else",
        ),
        ("sae.py", "from transformer_lens import HookedTransformer", "only 'models' may"),
        ("widgets/a.py", "import transformer_lens.hook_points", "only 'models' may"),
        ("widgets/a.py", "import house as h", "'widgets' (floor 10) imports upward from '__init__' (floor 12)"),
        ("widgets/a.py", "from house import load_model", "'widgets' (floor 10) imports upward from '__init__'"),
        ("utils.py", "", "'utils' has no floor"),
        ("sae.py", "from house.helpers import x", "imports 'helpers', which has no floor"),
    ],
)
def test_a_broken_import_is_named(tmp_path, file, source, complaint):
    house = build(tmp_path, {"records/__init__.py": "", file: source})
    (found,) = broken(house)
    assert found.startswith(f"house/{file}:")
    assert complaint in found


def test_a_complaint_names_the_line(tmp_path):
    house = build(tmp_path, {"files.py": "import os\n\n\ndef f():\n    from house.cli import main\n", "cli.py": ""})
    assert broken(house) == ["house/files.py:5: 'files' (floor 0) imports upward from 'cli' (floor 11)"]


def test_torch_shows_in_a_name_that_only_begins_like_it(tmp_path):
    house = build(tmp_path, {"views/a.py": "import torchless"})
    assert broken(house) == []


def test_a_circle_is_named_once_and_a_chain_is_none(tmp_path):
    chain = {"sae/__init__.py": "from house.sae.a import x", "sae/a.py": "from house.sae import b", "sae/b.py": ""}
    assert circles(build(tmp_path / "1", chain)) == []
    round_three = chain | {
        "sae/b.py": "def f():\n    from . import c",
        "sae/c.py": "if TYPE_CHECKING:\n    from .a import x",
    }
    said = "house/sae/a.py, house/sae/b.py, house/sae/c.py import each other in a circle"
    assert circles(build(tmp_path / "2", round_three)) == [said]
    through_the_list = chain | {"sae/b.py": "from house.sae import x"}
    said = "house/sae/__init__.py, house/sae/a.py, house/sae/b.py import each other in a circle"
    assert circles(build(tmp_path / "3", through_the_list)) == [said]
    assert circles(build(tmp_path / "4", {"sae.py": "import house.models", "models.py": "import house.sae"})) == []
