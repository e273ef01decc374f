"""Compiles, once, the loops that a first text, a first training step and a first toy model would otherwise wait for.

    python -m saewidgets.warmup

numba compiles a loop when it is first called, seconds each, and keeps the machine code on disk where it may write.
Whoever moves a first slider should not pay for that; whoever installs waits anyway. Nothing here is listed twice: each
loop is run by the function that uses it, on the smallest problem that takes that way.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

PARTS: dict[str, Callable[[], None]] = {}  # what is said while it runs -> what runs


def _part(title: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def add(run: Callable[[], None]) -> Callable[[], None]:
        PARTS[title] = run
        return run

    return add


def compile_all(say: Callable[[str], None] | None = None) -> list[str]:
    """Run every compiled loop once; `say` is told what, and how long it took. Gives a sentence for each part that
    failed.

    Without numba there is nothing to compile. A part that fails costs time later and nothing else, so nothing is
    raised.

    Example:
        >>> compile_all(print)  # doctest: +SKIP
        how text is written: 16 s
        how text is written by other families: 19 s
        how an SAE is trained: 11 s
        how toy models are trained: 16 s
        []
    """
    if find_spec("numba") is None:
        return []
    failed = []
    for title, run in PARTS.items():
        start = time.monotonic()
        try:
            run()
        except Exception as error:
            failed.append(f"{title}: {type(error).__name__}: {' '.join(str(error).split())}")
        else:
            if say is not None:
                say(f"{title}: {time.monotonic() - start:.0f} s")
    return failed


@_part("how text is written")
def _text() -> None:
    from saewidgets.formats import load_sae
    from saewidgets.models import load_model
    from saewidgets.records import Clamp
    from saewidgets.steering import Steerer

    steer = Steerer(load_model(), load_sae())
    for clamps in ([], [Clamp(0, 1.0)]):
        for _ in steer("Human: Hi\nAssistant:", clamps, n_tokens=2, seed=0, temperature=1.0):
            pass


@_part("how text is written by other families")
def _families() -> None:
    import torch

    from saewidgets.decoder import Decoder, DecoderParts, DecoderWeights, LayerWeights, Linear, Norm, Rotary, fused_of
    from saewidgets.kernels.logits import compared

    parts = DecoderParts(64, 2, 16, norm="rms", positions="rotary", mlp="gated", activation="silu")
    for dtype in (torch.float32, torch.bfloat16):
        linear, norm = Linear(torch.ones(32, 32, dtype=dtype).t()), Norm(torch.ones(32, dtype=dtype))
        layer = LayerWeights((linear,) * 3, linear, (linear,) * 2, linear, norm_attention=norm, norm_mlp=norm)
        weights = DecoderWeights(linear.W, None, [layer], norm, linear, [Rotary(torch.ones(8))])
        decoder = Decoder(parts, weights)
        if (fused := fused_of(decoder)) is not None:
            for rows in (1, 64):  # one by one, and many
                fused.logits(torch.ones(rows, 32, dtype=dtype))
        compared([linear.W.t()] * 2, torch.zeros(32, dtype=torch.long))


@_part("how an SAE is trained")
def _training() -> None:
    import torch

    from saewidgets.sae import SAE, SAEConfig
    from saewidgets.training import TrainConfig, train

    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(64, 8, generator=generator) for _ in range(4)]
    short = TrainConfig(steps=4, dead_window=64)  # a feature is dead after one step, so that AuxK has some
    for architecture in ("relu", "topk", "batchtopk"):
        sae = SAE(SAEConfig(d_in=8, d_sae=64, architecture=architecture, k=2))
        with torch.no_grad():
            sae.b_enc[32:] = -100.0
        for config in (short, replace(short, prefixes=(16, 64))) if architecture != "relu" else (short,):
            for _ in train(sae, batches, config):
                pass
    sparse = SAE(SAEConfig(d_in=8, d_sae=64, architecture="relu"))
    with torch.no_grad():
        sparse.b_enc -= 3.0  # few are on: the way that trained ReLU SAEs take
    for _ in train(sparse, batches, short):
        pass


@_part("how toy models are trained")
def _toys() -> None:
    from saewidgets.toy import ToyConfig, train_toy

    for _ in train_toy(ToyConfig(n_features=5, n_hidden=2, steps=2)):
        pass


@_part("how concepts are probed")
def _probes() -> None:
    import numpy as np

    from saewidgets.analysis.quality.probes import fit_nested

    fit_nested(np.eye(3), np.arange(3) == 0, [1, 2])


if __name__ == "__main__":
    for sentence in compile_all(lambda line: print(line, flush=True)):
        print(f"not compiled, {sentence}", file=sys.stderr)
