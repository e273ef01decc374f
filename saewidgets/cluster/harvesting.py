"""Writing the activations of a corpus by several processes: each reads its own texts, and writes its own shards.

python -m saewidgets.cluster.harvesting FILE     by one of them; `RANK` and `WORLD_SIZE` say which
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from saewidgets.activations.described import source_of
from saewidgets.activations.harvesting import harvest_rank
from saewidgets.cluster.desk import end_with_parent
from saewidgets.cluster.worker import PARENT, device_of
from saewidgets.corpora import StreamedCorpus, open_corpus
from saewidgets.files import read_json, write_json
from saewidgets.models import Model, load_model
from saewidgets.records import ActivationSite

LOOK = 0.1  # seconds between two looks whether they are done

Start = Callable[[list[str], Path], Any]  # (command, folder for logs) -> a group of processes


def harvest_on(
    start: Start,
    device: str,
    model: Any,
    site: ActivationSite,
    corpus: Any,
    folder: str | Path,
    options: Mapping[str, Any],
) -> None:
    """Have a harvest written by processes that `start` begins; an interrupt ends them, and what they wrote stays.

    Raises ValueError, before anything runs, for a model or a corpus that another process cannot have, RuntimeError with what
    they said where they fail.
    """
    if not isinstance(corpus, StreamedCorpus):
        corpus = open_corpus(corpus)
    data = {
        "model": source_of(Model.wrap(model)),
        "site": site.to_dict(),
        "corpus": corpus.spec,
        "folder": os.path.abspath(folder),
        "device": device,
        "options": dict(options),
    }
    with tempfile.TemporaryDirectory(prefix="saewidgets-harvest-") as name:
        asked = Path(name) / "asked.json"
        write_json(asked, data)
        group = start([sys.executable, "-m", "saewidgets.cluster.harvesting", str(asked)], Path(name))
        try:
            while group.running:
                time.sleep(LOOK)
        finally:
            group.kill()
        if group.why:
            said = [
                file.read_text(encoding="utf-8", errors="replace") for file in sorted(Path(name).glob("rank-*.txt"))
            ]
            last = next((text.strip().splitlines()[-1] for text in said if "Error" in text), "")
            raise RuntimeError(f"the harvest stopped: {group.why}. {last} What was written stays: ask again to go on")


def main(path: str) -> None:
    """Write this rank's part."""
    if PARENT in os.environ:
        end_with_parent(int(os.environ[PARENT]))
    asked = read_json(path, max_bytes=1 << 26)
    harvest_rank(
        load_model(**asked["model"], device=device_of(asked["device"])),
        ActivationSite.from_dict(asked["site"]),
        open_corpus(**asked["corpus"]),
        asked["folder"],
        rank=int(os.environ.get("RANK", "0")),
        ranks=int(os.environ.get("WORLD_SIZE", "1")),
        progress=False,
        **asked["options"],
    )


if __name__ == "__main__":
    main(sys.argv[1])
