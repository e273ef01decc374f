"""Kill processes while they save one SAE over another, and see what is left.

    python scripts/kill_saves.py --kills 500

First a process is killed at each call by which a save reaches the disk, then at random moments, in our own format and
in SAELens's, by turns. Each time the folder must open as the one SAE or the other, whole; and a program that reads the
two files by themselves must find the config of the weights beside it, or no config. Last, a save must sweep what the
killed ones left. Exits with 1 if anything was lost or mixed. Needs os.fork: Linux or macOS.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file

import saewidgets as sw
from saewidgets.files import writing

torch.set_num_threads(1)  # a child of a process whose threads have begun waits for them for ever

CALLS = ("replace", "fsync")
FILES = {"saewidgets": ("config.json", "weights.safetensors"), "saelens": ("cfg.json", "sae_weights.safetensors")}


def pair() -> tuple[sw.SAE, sw.SAE]:
    """Two SAEs of the same shapes that differ in weights, k, site and scale."""
    made = []
    for layer, k, scale in ((0, 2, 1.0), (5, 32, 9.0)):
        site = sw.records.ActivationSite("m", f"blocks.{layer}.hook_resid_post", 64, scale=scale)
        made.append(sw.SAE(sw.SAEConfig(64, 1024, "topk", k=k, seed=layer, site=site)))
    return made[0], made[1]


class Folder:
    """A folder into which two SAEs are saved by turns, and how each of them looks when it is whole."""

    def __init__(self, root: Path, producer: str) -> None:
        self.producer, self.path, self.saes = producer, root / producer, pair()
        self.whole, self.alone = [], []
        for i, sae in enumerate(self.saes):
            sw.save_sae(sae, clean := root / f"{producer}-{i}", producer)
            self.whole.append(sw.load_sae(clean))
            self.alone.append(self.as_others_see(clean))
        self.save(0)

    def save(self, i: int) -> None:
        """Save one of the two."""
        sw.save_sae(self.saes[i], self.path, self.producer)

    def as_others_see(self, folder: Path) -> tuple[int, bytes] | None:
        """(k, the encoder's bytes) of the two files by themselves; None where the config is none."""
        config, weights = FILES[self.producer]
        k = json.loads((folder / config).read_text()).get("k")
        return None if k is None else (k, load_file(folder / weights)["W_enc"].numpy().tobytes())

    def found(self) -> str:
        """Which of the two is there: "0" or "1"; or what is wrong."""
        try:
            sae = sw.load_sae(self.path)
        except sw.LoadError as error:
            return f"lost: {error}"
        same = [
            whole.config == sae.config and all(torch.equal(w, sae.weights[n]) for n, w in whole.weights.items())
            for whole in self.whole
        ]
        if not any(same):
            return "mixed"
        seen = self.as_others_see(self.path)
        return str(same.index(True)) if seen is None or seen in self.alone else "mixed for others"


def killed_at(folder: Folder, n: int) -> bool:
    """Save number 1 in a process that kills itself before the n-th of `CALLS`; whether it was killed, and did not end."""
    child = os.fork()
    if not child:
        count = [0]

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object) -> object:
                count[0] += 1
                if count[0] == n:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args)

            return call

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        folder.save(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def killed_after(folder: Folder, seconds: float) -> None:
    """Save by turns in a process that is killed after so many seconds."""
    ready, say = os.pipe()
    child = os.fork()
    if not child:
        os.write(say, b"x")
        turn = 0
        while True:
            turn = 1 - turn
            folder.save(turn)
    os.read(ready, 1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready)
    os.close(say)


def main() -> int:
    """Kill, look, count. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=500, help="at random moments (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of those moments (default: %(default)s)")
    chosen = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="kill_saves-"))
    rng, bad, counts = random.Random(chosen.seed), [], {"0": 0, "1": 0}

    def note(what: str, folder: Folder) -> None:
        found = folder.found()
        if found in counts:
            counts[found] += 1
        else:
            bad.append(f"{folder.producer}, {what}: {found}")

    folders = [Folder(root, producer) for producer in FILES]
    stops = 0
    for folder in folders:
        n = 1
        while killed_at(folder, n):
            note(f"killed before call {n}", folder)
            folder.save(0)
            n, stops = n + 1, stops + 1
    begun = time.perf_counter()
    for _ in range(4):
        folders[0].save(0)
    save_takes = (time.perf_counter() - begun) / 4
    for kill in range(chosen.kills):
        folder = folders[kill % len(folders)]
        killed_after(folder, rng.uniform(0, 3 * save_takes))
        note(f"kill {kill}", folder)

    strays = [file for folder in folders for file in folder.path.iterdir() if file.name.endswith(".tmp")]
    for stray in strays:
        os.utime(stray, (0, time.time() - 2 * writing.STRAY_AFTER))
    for folder in folders:
        folder.save(0)
        bad += [f"{folder.producer}: {f.name} was left" for f in folder.path.iterdir() if f.name.endswith(".tmp")]
    shutil.rmtree(root)
    print(*bad, sep="\n", end="\n" if bad else "")
    print(f"{stops} stops and {chosen.kills} kills: {counts['0']} the one SAE, {counts['1']} the other, {len(bad)} bad")
    print(f"{len(strays)} temporary files were left, and swept by the next save")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
