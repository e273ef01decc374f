"""A text corpus of 1 GB, harvested: how much memory it takes beside the model, and whether the model waits for text.

    python benchmarks/corpora.py                    # 1 GB in a temporary folder, 200 texts of it harvested
    python benchmarks/corpora.py --texts 0          # all of it
    python benchmarks/corpora.py --megabytes 100 --pack

Each line of the corpus is an object with a text of the mini-world's, some 4 kB long. What is printed as memory is what the
process held at most (its peak resident set) beyond what it held once the model was loaded and had read one row. The exit
status is 1 where that is 500 MB or more.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import saewidgets as sw
from saewidgets.activations.groups import groups, read_group
from saewidgets.corpora import Position, StreamedCorpus
from saewidgets.models.streams import RowStream

BOUND = 500e6
HOOK = "blocks.2.hook_resid_post"


def peak() -> float:
    """Bytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def write(path: Path, size: int) -> int:
    """A JSON-lines file of about `size` bytes; returns its number of lines."""
    texts = sw.load_corpus(3000).texts
    draw = np.random.default_rng(0)
    n = 0
    with open(path, "w", encoding="utf-8") as file:
        while file.tell() < size:
            lines = [
                json.dumps({"text": " ".join(texts[i] for i in draw.integers(0, len(texts), 40))}) for _ in range(500)
            ]
            file.write("\n".join(lines) + "\n")
            n += len(lines)
    return n


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--texts", type=int, default=200, help="that are harvested; 0: all")
    parser.add_argument("--pack", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.jsonl"
        n = write(path, given.megabytes * 1_000_000)
        print(f"{path.stat().st_size / 1e6:,.0f} MB, {n:,} texts")
        model = sw.load_model()
        where = sw.site(model, HOOK)
        model.fast_activations(np_row(model), HOOK)
        before = peak()
        corpus = sw.open_corpus(path)

        begun = time.perf_counter()
        rows = sum(1 for _ in corpus.texts(epochs=1, rank=0, ranks=n))  # reads every byte, makes one text
        print(
            f"gone through, one text made: {path.stat().st_size / 1e6 / (time.perf_counter() - begun):,.0f} MB/s, {rows} text"
        )
        begun = time.perf_counter()
        list(corpus.texts(Position(0, n - 10), epochs=1))
        print(
            f"its last ten texts found: {time.perf_counter() - begun:.1f} s; state {len(json.dumps(corpus.state(Position())))} bytes"
        )

        begun = time.perf_counter()
        tokens = 0
        for row in RowStream(model, corpus, pack=given.pack).rows(epochs=1):
            tokens += len(row.ids)
            if tokens > 1_000_000:
                break
        print(f"made tokens: {tokens / (time.perf_counter() - begun):,.0f} tokens/s")
        print(f"  peak so far {(peak() - before) / 1e6:,.0f} MB")
        waited(model, corpus)

        begun = time.perf_counter()
        store = sw.harvest(
            model, where, corpus, Path(folder) / "acts", texts=given.texts or None, pack=given.pack, progress=False
        )
        seconds = time.perf_counter() - begun
        print(
            f"harvested: {store.n_tokens:,} tokens, {store.n_tokens / seconds:,.0f} tokens/s, {store.left_out} left out"
        )
        print(f"  peak so far {(peak() - before) / 1e6:,.0f} MB")
        batches = iter(store)
        begun = time.perf_counter()
        for _ in range(50):
            next(batches)
        print(f"batches from disk: {50 * store.batch_size / (time.perf_counter() - begun):,.0f} rows/s")

    more = peak() - before
    print(f"memory beside the model: {more / 1e6:,.0f} MB (bound {BOUND / 1e6:,.0f})")
    return int(more >= BOUND)


def waited(model: sw.Model, corpus: StreamedCorpus) -> None:
    """How long the model waits for text, after the first buffer."""
    found = groups(RowStream(model, corpus).rows(epochs=1), 1 << 15, False)
    next(found)
    waiting = reading = 0.0
    for _ in range(4):
        begun = time.perf_counter()
        group = next(found)
        waiting += time.perf_counter() - begun
        begun = time.perf_counter()
        for _read in read_group(model, HOOK, group):
            pass
        reading += time.perf_counter() - begun
    print(f"the model reads for {reading:.2f} s and waits for text {waiting:.3f} s")


def np_row(model: sw.Model):
    """One row of tokens."""
    return model.tokens("The bridge over the bay is red.")[None]


if __name__ == "__main__":
    sys.exit(main())
