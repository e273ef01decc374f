"""What an installed saewidgets carries: all of the package, the bundled weights and the notebooks among it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """The names inside a wheel that is built from this clone."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_file_of_the_package_is_carried(carried):
    files = {p.relative_to(ROOT).as_posix() for p in (ROOT / "saewidgets").rglob("*") if p.is_file()}
    wanted = {name for name in files if "__pycache__" not in name and not name.endswith(".tmp")}
    assert wanted - carried == set()


def test_the_model_the_saes_and_the_clamps_are_among_it(carried):
    world = "saewidgets/miniworld"
    assert {f"{world}/model/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json")} <= carried
    assert {f"{world}/saes/miniworld-{n}/weights.safetensors" for n in (512, 2048, 8192)} <= carried
    assert f"{world}/clamps.json" in carried


def test_the_notebooks_are_inside_the_package_and_nothing_else_comes_along(carried):
    assert "saewidgets/notebooks/00_tour.ipynb" in carried
    beside = ("README.md", "zh/00_tour.toml", "zh/shared.toml")
    assert {f"saewidgets/notebooks/{name}" for name in beside} <= carried
    assert {name.split("/")[0] for name in carried if ".dist-info" not in name} == {"saewidgets"}
