"""Whether a decoder gives what the model gives whose weights it has: seen, not assumed.

The model's own passes come as functions. Numbers agree where they differ by less than `TOLERANCE` of the largest of their
token.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from saewidgets.decoder.edit import Edit
from saewidgets.decoder.engine import Decoder, Function
from saewidgets.decoder.run import DecoderRun

# Of a token's largest logit, and of its largest activation. In 16 bits ten times what one number is off by: a model's own
# pass is off by as much from what it gives in float32, since some of its sums are taken in another order.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 10 * 2.0**-8, torch.float16: 10 * 2.0**-11}
WRITTEN = 12  # tokens of a text on which both are compared, the last four of them one at a time
LONGEST = 64  # of an attention window that such a text is made to outgrow
READ = (3, 24)  # rows and tokens on which a site that is read is compared

Forward = Callable[[Tensor], Tensor]  # tokens [row, pos] -> logits [row, pos, d_vocab]
Read = Callable[[Tensor, str], Tensor]  # (tokens [row, pos], hook name) -> activations [row, pos, d]
ReadMany = Callable[[Tensor, list[str]], dict[str, Tensor]]  # the same for several hook points in one pass


def proven(decoder: Decoder, forward: Forward, read: ReadMany) -> bool:
    """Whether logits and residual stream are the model's own, over a prompt read at once and tokens read one by one.

    A decoder whose shapes do not fit each other fails as one whose numbers differ.
    """
    windows = [window for window in decoder.parts.windows or () if window is not None and window <= LONGEST]
    tokens = _probe(decoder, 1, max([WRITTEN, *(window + 6 for window in windows)]))
    prompt, layers = tokens[0].tolist(), range(decoder.n_layers)
    try:
        with torch.no_grad():
            found = _written(decoder, tokens, None, None)
            own = [decoder.residual(prompt, layer) for layer in range(decoder.n_layers + 1)]
        names = [f"blocks.{layer}.hook_resid_pre" for layer in layers] + [f"blocks.{layers[-1]}.hook_resid_post"]
        theirs = read(tokens, names)
        return _close(found, forward(tokens)[0, -len(found) :]) and all(
            _close(residual, theirs[name][0]) for residual, name in zip(own, names, strict=True)
        )
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False
    finally:
        decoder.prefixes.clear()


def reads(decoder: Decoder, hook_name: str, read: Read) -> bool:
    """Whether `decoder.read` gives at a site what the model's own pass gives; tried once per site."""

    def seen() -> bool:
        tokens = _probe(decoder, *READ)
        with torch.no_grad():
            return _close(decoder.read(tokens, hook_name), read(tokens, hook_name))

    return _tried(hook_name, decoder.place(hook_name), decoder.readable, seen)


def reaches(decoder: Decoder, hook_name: str, logits: Callable[[Tensor, Edit], Tensor]) -> bool:
    """Whether an edit at a site does in the decoder what it does in the model, seen by trying one; tried once per site.

    `logits(tokens, edit)` is the model's own pass. (In a TransformerBridge an edit of `hook_resid_mid` reaches the MLP
    and not the residual stream, so that one is left to the bridge.)
    """

    def push(x: Tensor, start: int) -> Tensor:
        ramp = torch.linspace(-1.0, 1.0, x.shape[-1], device=x.device, dtype=x.dtype)
        step = torch.arange(start, start + x.shape[1], device=x.device)[:, None] % 3
        return 0.5 * x + step * ramp

    def seen() -> bool:
        tokens = _probe(decoder, 1, WRITTEN)
        with torch.no_grad():
            found = _written(decoder, tokens, hook_name, push)
            return _close(found, logits(tokens, Edit(hook_name, push))[0, -len(found) :])

    return _tried(hook_name, decoder.site(hook_name), decoder.reached, seen)


def _tried(hook_name: str, place: tuple[int, str] | None, known: dict[str, bool], seen: Callable[[], bool]) -> bool:
    """What is known of a site, from a trial where nothing is; False where the decoder does not know its place."""
    if place is None:
        return False
    if hook_name not in known:
        known[hook_name] = seen()
    return known[hook_name]


def _close(found: Tensor, expected: Tensor) -> bool:
    if found.shape != expected.shape or found.dtype not in TOLERANCE:
        return False
    tolerance = TOLERANCE[found.dtype]
    if found.device.type == "cuda" and torch.get_float32_matmul_precision() != "highest":
        tolerance = max(tolerance, TOLERANCE[torch.float16])  # TF32 has the digits of float16
    off, size = (found.float() - expected.float()).abs().amax(-1), expected.float().abs().amax(-1).clamp(min=1.0)
    return bool((off <= tolerance * size).all())


def _probe(decoder: Decoder, rows: int, n: int) -> Tensor:
    """Tokens [row, pos] to compare two ways on: far apart in the vocabulary, the same each time."""
    n, device = min(n, decoder.n_ctx), decoder.embedding.device
    ids = torch.arange(1, rows * n + 1, device=device).view(rows, n)
    return (7919 * ids + 104729) % decoder.embedding.shape[0]


def _written(decoder: Decoder, tokens: Tensor, hook_name: str | None, edit: Function | None) -> Tensor:
    """Logits at the last tokens of [1, pos], all but four read at once and those one by one."""
    n = tokens.shape[1]
    begun = max(n - 4, 1)
    run = DecoderRun(decoder, hook_name, edit, groups=1, each=1, reference=False)
    found = [run.begin(tokens[0, :begun].tolist(), n - begun)[0][0]]
    decoder.prefixes.popitem()  # nobody will ask for it again
    return torch.stack([*found, *(run.step(tokens[0, i : i + 1])[0][0] for i in range(begun, n))])
