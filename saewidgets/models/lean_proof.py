"""Whether the lean loop gives what TransformerLens gives: seen, not assumed, and seen again when weights change."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import torch
from torch import Tensor, nn

from saewidgets.models.edit import Edit
from saewidgets.models.lean import Function, Lean
from saewidgets.models.lean_fused import fused_of
from saewidgets.models.lean_run import LeanRun

TOLERANCE = 1e-5  # of the largest logit, and of the largest residual
PROBE = 12  # tokens on which both are compared, the last four of them one at a time

# What is known of each TransformerLens object: its lean loop, or None where it has none.
_KNOWN: weakref.WeakKeyDictionary[nn.Module, Lean | None] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


def lean_of(
    hooked: nn.Module, forward: Callable[[Tensor], Tensor], read: Callable[[Tensor, str], Tensor]
) -> Lean | None:
    """The lean loop of a model, proven on first use and after every change of its weights, or None where it has none.

    `forward(tokens)` and `read(tokens, hook name)` are the model's own passes. Call it with the model's lock held.
    """
    with _GUARD:
        known = _KNOWN.get(hooked, ...)
    if isinstance(known, Lean) and known.current():
        return known
    if known is None:
        return None
    try:
        lean: Lean | None = Lean(hooked)
    except (AttributeError, TypeError, ValueError, RuntimeError, KeyError):
        lean = None
    if lean is not None and not lean.quiet():
        return None  # not now; another time it may be
    if lean is not None and not _proven(lean, forward, read):
        lean = None
    if lean is not None:
        lean.fused = fused_of(lean)
        if lean.fused is not None and not _proven(lean, forward, read):
            lean.fused = None
    with _GUARD:
        _KNOWN[hooked] = lean
    return lean


def _proven(lean: Lean, forward: Callable[[Tensor], Tensor], read: Callable[[Tensor, str], Tensor]) -> bool:
    """Whether logits and residual stream are the model's own, over a prompt read at once and tokens read one by one."""
    tokens = _probe(lean)
    try:
        with torch.no_grad():
            found = _written(lean, tokens, None, None)
            residual = lean.prefix(tokens[0].tolist()).residual
        middle = lean.n_layers // 2
        return (
            _close(found, forward(tokens)[0, -len(found) :])
            and _close(residual[middle], read(tokens, f"blocks.{middle}.hook_resid_pre")[0])
            and all(
                _close(residual[layer + 1], read(tokens, f"blocks.{layer}.hook_resid_post")[0])
                for layer in range(lean.n_layers)
            )
        )
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False
    finally:
        lean.prefixes.clear()


def _close(found: Tensor, expected: Tensor) -> bool:
    return found.shape == expected.shape and bool(
        (found - expected).abs().max() <= TOLERANCE * expected.abs().max().clamp(min=1.0)
    )


def reaches(lean: Lean, hook_name: str, logits: Callable[[Tensor, Edit], Tensor]) -> bool:
    """Whether an edit at a site does in the lean loop what it does in the model, seen by trying one.

    `logits(tokens, edit)` is the model's own pass. Call it with the model's lock held. (In a TransformerBridge an edit of
    `hook_resid_mid` reaches the MLP and not the residual stream, so that one is left to the bridge.)
    """
    if lean.site(hook_name) is None:
        return False
    if hook_name not in lean.reached:

        def push(x: Tensor, start: int) -> Tensor:
            ramp = torch.linspace(-1.0, 1.0, x.shape[-1], device=x.device, dtype=x.dtype)
            step = torch.arange(start, start + x.shape[1], device=x.device)[:, None] % 3
            return 0.5 * x + step * ramp

        tokens = _probe(lean)
        with torch.no_grad():
            found = _written(lean, tokens, hook_name, push)
            lean.reached[hook_name] = _close(found, logits(tokens, Edit(hook_name, push))[0, -len(found) :])
    return lean.reached[hook_name]


def _probe(lean: Lean) -> Tensor:
    """Tokens [1, pos] to compare two loops on."""
    n, d_vocab = min(PROBE, lean.n_ctx), lean.embed.shape[0]
    return torch.tensor([[(7919 * i + 104729) % d_vocab for i in range(1, n + 1)]], device=lean.embed.device)


def _written(lean: Lean, tokens: Tensor, hook_name: str | None, edit: Function | None) -> Tensor:
    """Logits at the last tokens of [1, pos], all but four read at once and those one by one."""
    n = tokens.shape[1]
    begun = max(n - 4, 1)
    run = LeanRun(lean, hook_name, edit, groups=1, each=1, reference=False)
    found = [run.begin(tokens[0, :begun].tolist(), n - begun)[0][0]]
    lean.prefixes.popitem()  # nobody will ask for it again
    return torch.stack([*found, *(run.step(tokens[0, i : i + 1])[0][0] for i in range(begun, n))])
