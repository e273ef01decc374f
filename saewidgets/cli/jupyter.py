"""How `saewidgets lab` starts JupyterLab: the command, the environment of the server, and the settings of the page."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from saewidgets.cli.notebooks import TOUR
from saewidgets.files import write_json
from saewidgets.languages import VARIABLE

_PACKS = {"zh": "zh_CN"}  # language -> the locale of JupyterLab's language pack
SETTINGS = "JUPYTERLAB_SETTINGS_DIR"  # where JupyterLab looks for what a person chose
LARGER = {"ui-font-size1": "16px", "content-font-size1": "20px", "code-font-size": "18px"}  # for a projector


def settings(language: str | None = None) -> dict[str, dict[str, Any]]:
    """JupyterLab's settings that differ from its own defaults, by plugin. What a person chose in JupyterLab stays above
    them. JupyterLab speaks `language` where its language pack is installed (pip install jupyterlab-language-pack-zh-CN).
    """
    own: dict[str, dict[str, Any]] = {
        # The question whether to fetch news lies over the lower right corner of the first instrument.
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
        # Without it a notebook that is opened on another day shows an error in place of each instrument.
        "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True},
    }
    pack = _PACKS.get(language or "", "")
    if pack and _installed(pack):
        own["@jupyterlab/translation-extension:plugin"] = {"locale": pack}
    return own


def _installed(locale: str) -> bool:
    """Whether JupyterLab's language pack of this locale is there: without it, the setting would be an error."""
    return any(pack.name == locale for pack in entry_points(group="jupyterlab.languagepack"))


def write_settings(config: Path, language: str | None = None) -> None:
    """Write the settings to where JupyterLab looks for them in a folder of the path that `environment` extends."""
    folder = config / "labconfig"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "default_setting_overrides.json", settings(language))


def larger_type(config: Path, own: Mapping[str, str]) -> dict[str, str]:
    """Write what a person chose in JupyterLab, with larger type, into a folder of `config`; returns the variable of the
    environment that names the folder.

    JupyterLab takes the size of its type from a person's settings and not from defaults, so for once it reads a copy
    of them. What is changed in it is not kept.
    """
    from jupyter_core.paths import jupyter_config_dir  # comes with JupyterLab

    theirs = Path(own.get(SETTINGS) or Path(jupyter_config_dir()) / "lab" / "user-settings")
    copy = config / "user-settings"
    if theirs.is_dir():
        shutil.copytree(theirs, copy)
    path = copy / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    chosen = _json5(path.read_text(encoding="utf-8")) if path.is_file() else {}
    write_json(path, chosen | {"overrides": {**chosen.get("overrides", {}), **LARGER}})
    return {SETTINGS: str(copy)}


def _json5(text: str) -> dict[str, Any]:
    """JupyterLab's settings may hold comments. What cannot be read counts as nothing chosen, as it does there."""
    import json5  # comes with JupyterLab

    try:
        found = json5.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def command(folder: Path, port: int, browser: bool, notebook: str = TOUR, *, terminal: bool = True) -> list[str]:
    """What starts JupyterLab on this machine alone, with `folder` in its file browser and a notebook of it open. Without
    `terminal` it opens no terminals and installs no extensions.
    """
    return [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        f"--LabApp.default_url=/lab/tree/{notebook}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *([] if browser else ["--no-browser"]),
        *([] if terminal else ["--ServerApp.terminals_enabled=False", "--LabApp.extension_manager=readonly"]),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


def environment(config: Path, own: Mapping[str, str], language: str | None = None) -> dict[str, str]:
    """The environment of the server and of its kernels: `own`, the one of the person, with the folder of the settings
    added, and the language of the instruments where one is chosen.
    """
    path = [folder for folder in own.get("JUPYTER_CONFIG_PATH", "").split(os.pathsep) if folder]
    # Threads of torch that wait by spinning slow a kernel down many times once anything else runs: a browser, a second
    # kernel.
    chosen = {} if language is None else {VARIABLE: language}
    return (
        {"OMP_WAIT_POLICY": "passive"}
        | dict(own)
        | {"JUPYTER_CONFIG_PATH": os.pathsep.join([*path, str(config)])}
        | chosen
    )
