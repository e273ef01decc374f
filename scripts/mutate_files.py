"""Mutate valid files of every format, open each mutant in a child process, and count what comes of it.

    .venv/bin/python scripts/mutate_files.py [MUTANTS] [--seed N] [--only WORD] [--but WORD] [--keep FOLDER]

A mutant must give LoadError or something sound: no other exception, no end of the process, no more than 8 seconds of
processor time, and a refusal at most 32 MB above the size of its files. Anything else is a fault; the script names it,
and ends with 1.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import io
import json
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import sample_records  # noqa: E402
import torch  # noqa: E402

from saewidgets import records  # noqa: E402
from saewidgets.activations import cache  # noqa: E402
from saewidgets.files import LoadError, write_json, write_tensors  # noqa: E402
from saewidgets.formats import load_sae, save_sae  # noqa: E402
from saewidgets.sae import SAE, SAEConfig  # noqa: E402
from saewidgets.training import TrainConfig, train  # noqa: E402
from saewidgets.training.sweep import train_sweep  # noqa: E402

SECONDS, PATIENCE = 8, 120  # of processor time that a mutant may take, and of any time: the machine may be busy
MEGABYTES = 32  # that a refusal may take above the size of the files
ROOM = 4 << 30  # bytes that a child may set aside above what it begins with
BATCH = 200  # mutants of one child
PUBLISHED = ROOT / "tests" / "fixtures" / "published"
SITE = records.ActivationSite("miniworld", "blocks.1.hook_resid_post", 8)


@dataclass(frozen=True)
class Original:
    """A valid file or folder, and what opens it. `open` raises LoadError, or AssertionError on a result that is not
    sound.
    """

    name: str
    path: Path
    open: Callable[[Path], Any]

    @property
    def files(self) -> list[Path]:
        """What there is to mutate, relative to `path`."""
        if self.path.is_file():
            return [Path()]
        return sorted(f.relative_to(self.path) for f in self.path.rglob("*") if f.is_file())


# -- valid files -----------------------------------------------------------------------------------------------------


def originals(folder: Path) -> list[Original]:
    """One of every format, in `folder`."""
    return [
        *_saes(folder / "saes"),
        *_records(folder / "records"),
        *_trainings(folder / "runs"),
        _model(folder / "model"),
    ]


def _saes(folder: Path) -> Iterator[Original]:
    def sound(path: Path) -> None:
        sae = load_sae(path)
        assert all(bool(weight.isfinite().all()) for weight in sae.weights.values()), "weights that are not finite"
        assert sae.encode(torch.zeros(2, sae.config.d_in)).shape == (2, sae.config.d_sae)

    for marker in sorted(PUBLISHED.rglob("*")):
        if marker.suffix == ".pt" and marker.name != "ae.pt":
            yield Original(f"sae {marker.parent.name}/{marker.name}", marker, sound)
        elif marker.name in ("ae.pt", "sae_weights.safetensors", "sae.safetensors") or marker.name.startswith(
            "params."
        ):
            yield Original(f"sae {marker.parent.relative_to(PUBLISHED)}", marker.parent, sound)
    for architecture in ("relu", "jumprelu"):
        for producer in ("saewidgets", "saelens"):
            own = folder / f"{producer}-{architecture}"
            save_sae(SAE(SAEConfig(8, 16, architecture, site=SITE)), own, producer)
            yield Original(f"sae {own.name}", own, sound)
    SAE(SAEConfig(8, 16, "topk", k=2, site=SITE)).save(folder / "int8", "int8")
    yield Original("sae int8", folder / "int8", sound)


def _records(folder: Path) -> Iterator[Original]:
    folder.mkdir(parents=True)
    tokens = tuple(records.Token(i, " a", -0.5, 0.25) for i in range(4))
    text = records.Generation("Hi", tokens, (records.Clamp(31, 2.0),), 0, 1.0)
    activations = records.FeatureActivations(
        tokens=np.array([[1, 2, 3]], np.int32),
        context=np.zeros(2, np.int32),
        position=np.array([0, 2], np.int32),
        value=np.ones(2, np.float32),
        start=np.array([0, 1, 2]),
        counted=np.ones((1, 3), bool),
        corpus="three tokens",
    )
    one, grid = np.ones(2), np.ones((2, 2))
    phases = records.PhaseDiagram(
        "density", "importance", one, one, np.ones((2, 2, 3, 1, 2), np.float32), np.ones((2, 2, 3), np.float32), grid, grid,
        np.full((2, 2), 2),
    )  # fmt: skip
    made = (
        ("dashboard.json", sample_records.dashboard()),
        ("dose.json", sample_records.dose_response(1)),
        ("prompt.json", sample_records.prompt()),
        ("map.json", sample_records.feature_map()),
        ("recording.json", records.ClampRecording("Hi", (text,), {31: 2.0}, 4)),
        ("parts.safetensors", sample_records.token_parts()),
        ("toy.safetensors", sample_records.toy_run()),
        ("phases.safetensors", phases),
        ("activations.safetensors", activations),
        ("training.safetensors", sample_records.training_record()),
        ("preset.json", sample_records.preset()),
        ("findings.json", sample_records.findings()),
    )
    for name, record in made:
        record.save(folder / name)
        yield Original(name, folder / name, type(record).load)
    with contextlib.suppress(ImportError):
        sample_records.dashboard().to_parquet(folder / "dashboard.parquet")
        yield Original("dashboard.parquet", folder / "dashboard.parquet", records.DashboardData.from_parquet)


def _trainings(folder: Path) -> Iterator[Original]:
    folder.mkdir(parents=True)
    batches, config = [torch.randn(16, 8) for _ in range(4)], TrainConfig(steps=4)

    def sae() -> SAE:
        return SAE(SAEConfig(8, 16, "topk", k=2, site=SITE))

    run = train(sae(), batches, config)
    next(iter(run))
    run.save(folder / "checkpoint.safetensors")
    yield Original("checkpoint", folder / "checkpoint.safetensors", lambda p: train(sae(), batches, config, resume=p))
    sweep = train_sweep({"one": (sae(), config)}, batches)
    next(iter(sweep))
    sweep.save(folder / "sweep")
    yield Original("sweep", folder / "sweep", lambda p: train_sweep({"one": (sae(), config)}, batches, resume=p))
    cache.write_cache(
        folder / "cache",
        [np.ones((2, 8), np.float32), np.ones((1, 8), np.float32)],
        sizes=[2, 1],
        tokens=np.array([[1, 2], [3, -1]], np.int32),
        wanted=np.array([[True, True], [True, False]]),
        start=np.array([0, 2]),
        site=SITE,
        dtype="float32",
        shard_bytes=64,
    )
    yield Original("cache", folder / "cache", cache.Cache)


def _model(folder: Path) -> Original:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    from saewidgets.models import load_model

    d, vocabulary, dice = 8, 64, np.random.default_rng(0)
    shapes = {"wte.weight": (vocabulary, d), "wpe.weight": (16, d), "ln_f.weight": (d,), "ln_f.bias": (d,)}
    block = {"ln_1": (d,), "attn.c_attn": (d, 3 * d), "attn.c_proj": (d, d), "ln_2": (d,), "mlp.c_fc": (d, 4 * d)}
    for part, shape in (block | {"mlp.c_proj": (4 * d, d)}).items():
        shapes |= {f"h.0.{part}.weight": shape, f"h.0.{part}.bias": shape[-1:]}
    folder.mkdir(parents=True)
    weights = {name: dice.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    write_tensors(folder / "model.safetensors", weights)
    config = {"model_type": "gpt2", "n_layer": 1, "n_embd": d, "n_head": 2, "vocab_size": vocabulary, "n_positions": 16}
    write_json(folder / "config.json", config | {"bos_token_id": 0, "eos_token_id": 0})
    words = ["<|endoftext|>", *(chr(c) for c in range(33, 90))]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    return Original("model", folder, load_model)


# -- mutations -------------------------------------------------------------------------------------------------------

SWAPPED_IN = (
    "null", "true", "0", "-1", "1.5", "1e308", "9" * 400, "-" + "9" * 39, "1e999", "NaN", "Infinity", '""', '"x"', '"\\ud800"',
    json.dumps("y" * 100_000), "[]", "{}", "[[]]", "[0, 1]", '{"a": 1, "a": 2}', "[" * 5000 + "]" * 5000, "4294967296",
)  # fmt: skip


def mutant(raw: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """The same bytes with something wrong."""
    if raw[:4] == b"PK\x03\x04" and dice.random() < 0.5:
        return _within_zip(raw, others, dice)
    text = _json_span(raw)
    if text and dice.random() < 0.6:
        start, stop = text
        swapped = _swapped(raw[start:stop], dice)
        length = struct.pack("<Q", len(swapped)) if start == 8 else b""
        return length + swapped + raw[stop:]
    return _bytewise(raw, others, dice)


def _bytewise(raw: bytes, others: list[bytes], dice: random.Random) -> bytes:
    out = bytearray(raw)
    kind = dice.choice(("flip", "flip", "cut", "splice", "insert", "twice"))
    if kind == "flip":
        for _ in range(dice.randint(1, 6)):
            at = dice.choice(
                (dice.randrange(len(out)), dice.randrange(min(400, len(out))), -1 - dice.randrange(min(400, len(out))))
            )
            out[at] = dice.choice((dice.randrange(256), out[at] ^ (1 << dice.randrange(8)), 0, 255))
    elif kind == "cut":
        del out[dice.choice((dice.randrange(len(out)), min(len(out), dice.randrange(200)))) :]
    else:
        source = dice.choice([raw, *others]) if kind != "twice" else raw
        a, b, at = dice.randrange(len(source)), dice.randrange(1, 300), dice.randrange(len(out))
        out[at : at + (b if kind == "splice" else 0)] = source[a : a + b]
    return bytes(out)


def _json_span(raw: bytes) -> tuple[int, int] | None:
    """Where JSON stands: the whole, or the header of a safetensors file."""
    if raw[:1] == b"{":
        return 0, len(raw)
    n = int.from_bytes(raw[:8], "little")
    return (8, 8 + n) if raw[8:9] == b"{" and n <= len(raw) - 8 else None


def _swapped(text: bytes, dice: random.Random) -> bytes:
    """One value in JSON text replaced, taken out or exchanged for another of the same text."""
    try:
        data = json.loads(text)
    except ValueError:
        return text[: dice.randrange(len(text) + 1)]
    holders: list[tuple[Any, Any]] = []
    todo = [data]
    while todo:
        at = todo.pop()
        keys = list(at) if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else ()
        holders += [(at, key) for key in keys]
        todo += [at[key] for key in keys]
    if not holders:
        return b"[]"
    kind = dice.choice(("replace", "replace", "take out", "exchange", "add"))
    holder, key = dice.choice(holders) if dice.random() < 0.5 else dice.choice(holders[:60])
    if kind == "take out":
        del holder[key]
    elif kind == "exchange":
        other, place = dice.choice(holders)
        with contextlib.suppress(IndexError, KeyError):
            holder[key] = json.loads(json.dumps(other[place]))
    elif kind == "add" and isinstance(holder, dict):
        holder["more"] = holder[key]
    else:
        holder[key] = "@@ here @@"
    return json.dumps(data).encode().replace(b'"@@ here @@"', dice.choice(SWAPPED_IN).encode())


def _within_zip(raw: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """One member of an archive mutated, under a sum that fits."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = dice.choice(
        [n for n in members if n.endswith(("data.pkl", ".npy"))] if dice.random() < 0.8 else list(members)
    )
    members[name] = _bytewise(members[name] or b"\0", others, dice)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return out.getvalue()


# -- judging ---------------------------------------------------------------------------------------------------------


def judge(known: list[Original], numbers: range, seed: int, keep: Path | None = None) -> Iterator[tuple[int, str, str]]:
    """(number, original, verdict) of each mutant; "refused" and "loaded" are good ones. Each batch is opened in one
    child.
    """
    at = numbers.start
    while at < numbers.stop:
        done = _in_child(known, range(at, min(at + BATCH, numbers.stop)), seed, keep)
        yield from done
        if not done:
            raise RuntimeError(f"the child of mutant {at} ended before it opened one")
        at = done[-1][0] + 1  # a child that ended early is followed by another


def _in_child(known: list[Original], numbers: range, seed: int, keep: Path | None) -> list[tuple[int, str, str]]:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        with os.fdopen(write, "w") as out, contextlib.suppress(BaseException):
            _open_all(known, numbers, seed, out, keep)
        os._exit(0)
    os.close(write)
    done: list[tuple[int, str, str]] = []
    begun: tuple[int, str] | None = None
    with os.fdopen(read) as lines:
        for line in lines:
            number, name, verdict = line.rstrip("\n").split("\t")
            if verdict == "begun":
                begun = int(number), name
            else:
                done.append((int(number), name, verdict))
                begun = None
    _, status = os.waitpid(child, 0)
    if begun:
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        late = {signal.SIGPROF: f"more than {SECONDS} s of processor time", signal.SIGALRM: f"more than {PATIENCE} s"}
        what = late.get(number, f"the process ended (signal {number})")
        done.append((*begun, what))
    return done


def _open_all(known: list[Original], numbers: range, seed: int, out: Any, keep: Path | None) -> None:
    warnings.simplefilter("ignore")
    faulthandler.disable()  # an end of the process is told by the parent
    torch.set_num_threads(1)
    gc.collect()  # garbage that is let go while a mutant is opened would hide what the mutant takes
    gc.freeze()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    warm: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        for number in numbers:
            dice = random.Random(f"{seed} {number}")
            original = known[number % len(known)]
            path = _put(original, known, Path(name) / "it", dice)
            if original.name not in warm:  # what a first call imports and compiles is not the mutant's
                original.open(original.path)
                warm.add(original.name)
                resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") * 1024 + ROOM, resource.RLIM_INFINITY))
            print(number, original.name, "begun", sep="\t", file=out, flush=True)
            verdict = _verdict(original, path)
            if verdict not in ("refused", "loaded") and keep:
                shutil.copytree(path.parent, keep / str(number), dirs_exist_ok=True)
            print(number, original.name, verdict.replace("\n", " ").replace("\t", " "), sep="\t", file=out, flush=True)


def _put(original: Original, known: list[Original], folder: Path, dice: random.Random) -> Path:
    """A copy of the original with one file mutated."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copy = folder / original.path.name
    if original.path.is_dir():
        shutil.copytree(original.path, copy)
    else:
        shutil.copy(original.path, copy)
    other = dice.choice(known)
    others = [(other.path / dice.choice(other.files)).read_bytes() or b"\0"]
    file = copy / dice.choice(original.files)
    file.write_bytes(mutant(file.read_bytes() or b"\0", others, dice))
    return copy


def _verdict(original: Original, path: Path) -> str:
    size = sum(f.stat().st_size for f in path.parent.rglob("*"))
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the highest mark of memory is from now on
    before = _status("VmRSS")
    for late in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(late, signal.SIG_DFL)  # which ends the process, whatever it is in
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(PATIENCE)
    try:
        original.open(path)
        return "loaded"
    except LoadError:
        above = (_status("VmHWM") - before) / 1024 - size / (1 << 20)
        return "refused" if above <= MEGABYTES else f"refused {above:.0f} MB above its size"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)


def _status(key: str) -> int:
    """kB of this process, 0 where the system does not say."""
    with contextlib.suppress(OSError), open("/proc/self/status") as lines:
        return next((int(line.split()[1]) for line in lines if line.startswith(key + ":")), 0)
    return 0


def main() -> int:
    """Count, and name every fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mutants", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="formats whose name holds this word")
    parser.add_argument("--but", default="", help="no formats whose name holds this word")
    parser.add_argument("--keep", type=Path, help="a folder for the mutants that are faults")
    given = parser.parse_args()
    torch.set_num_threads(1)  # a child has no threads but the one that forks
    start, faults = time.time(), 0
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        known = [o for o in originals(Path(folder)) if given.only in o.name and not (given.but and given.but in o.name)]
        if not known:
            parser.error(f"no format's name holds {given.only!r}")
        for original in known:
            original.open(original.path)  # so that each child finds everything imported
        for number, name, verdict in judge(known, range(given.mutants), given.seed, given.keep):
            good = verdict in ("refused", "loaded")
            counts[verdict if good else "faults"] += 1
            if not good:
                faults += 1
                print(f"{number:6} {name:50} {verdict}", flush=True)
    told = ", ".join(f"{n:,} {what}" for what, n in counts.most_common())
    print(f"{given.mutants:,} mutants of {len(known)} formats: {told}; {time.time() - start:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
