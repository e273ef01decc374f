"""CITATION.cff says what the package says of itself."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

import saewidgets

ROOT = Path(__file__).parents[2]


def test_the_citation_agrees_with_the_package():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited)  # what the format, 1.2.0, cannot do without
    assert cited["cff-version"] == "1.2.0" and cited["type"] == "software"
    assert cited["title"] == project["name"]
    assert cited["abstract"] == project["description"]
    assert cited["version"] == saewidgets.__version__
    assert cited["license"] == project["license"]
    assert cited["keywords"] == project["keywords"]
    assert [one["name"].lower() for one in cited["authors"]] == [one["name"] for one in project["authors"]]
