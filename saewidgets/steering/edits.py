"""Clamps and comparisons as tensor functions.

    x' = x + sum over clamped f of (value_f - a_f(x)) * d_f + sum over steers of scale * vector

with a_f(x) the feature's own activation and d_f what one unit of it adds at x (`SAE.directions_at`). The SAE's
reconstruction error stays in x (Templeton et al. 2024, "Scaling Monosemanticity", appendix on steering: there x is
split into reconstruction and error, and the two forms are equal). Written like this, value_f = a_f(x) and ablating a
feature that is off change no bit, nor does a vector at scale 0. Every a_f is read from x as it comes, so the order of
clamps and steers does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from saewidgets.decoder import WeightStamp
from saewidgets.records import Clamp, Intervention, Steer
from saewidgets.records.arguments import listed, require_features
from saewidgets.records.steering import interventions as sound
from saewidgets.records.steering import spans_of
from saewidgets.sae import SAE, check_sae, refuse_transcoder

Spans = Sequence[tuple[int, int]]  # tokens [first, stop)
PROMPTS = 8  # readings that are kept
LARGE_ENCODER = 1 << 21  # weights of an encoder that is worth not reading: 8 MB


class PromptReading:
    """What features were read as on the last prompts: while their slider moves it is the same again.

    It is kept by what was read, x itself, so a prompt read under another edit below is another prompt. Safe to share
    between threads.

    Only a TopK SAE is worth it, where each feature depends on all. Its encoder is looked at again each time (see
    `WeightStamp`), which costs about what it takes to encode one token; of another SAE the columns of these features
    are read anew.
    """

    def __init__(self, sae: SAE) -> None:
        self._sae = sae
        self._whole = sae.config.architecture == "topk"
        self._stamp = WeightStamp(self._read_by())
        self._kept: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}  # features: (x, their activations)

    def _read_by(self) -> list[Tensor]:
        """The weights from which features are read."""
        weights = self._sae.state_dict(keep_vars=True).items() if self._whole else ()
        return [weight for name, weight in weights if name != "W_dec"]

    def read(self, features: Sequence[int], x: Tensor, read: Callable[[Tensor], Tensor]) -> Tensor:
        """`read(x)`, or what it was for the same x under the same weights."""
        if not self._whole:
            return read(x)
        if not self._stamp.holds(self._read_by()):
            self._stamp, self._kept = WeightStamp(self._read_by()), {}
        kept, key = self._kept, tuple(features)
        found = kept.get(key)
        if found is None or not (found[0].device == x.device and torch.equal(found[0], x)):
            if len(kept) >= PROMPTS:
                kept.clear()
            found = kept[key] = x.clone(), read(x)
        return found[1]


def clamp_edit(
    sae: SAE,
    clamps: Sequence[Clamp],
    *,
    n_prompt: int = 0,
    answers: Spans = (),
    memory: PromptReading | None = None,
) -> Callable[[Tensor, int], Tensor]:
    """The clamps as a function of an activation [batch, pos, d_in] and the absolute position of its first column.

    `n_prompt` is the number of prompt tokens (beginning-of-text included): "prompt" covers positions 0 to n_prompt - 1,
    "generated" those from n_prompt on, "assistant" those and `answers`, the tokens [first, stop) of earlier answers in a
    dialogue (`Model.answers`). Where two clamps of one feature cover a position, the later one in the list
    holds there. With a `memory`, what the features are on the prompt is read once for all edits that share it. The sum
    is taken in float32 and returned in the activation's dtype; positions that no clamp moves keep their bits.

    Raises TypeError on anything but `Clamp`s, and ValueError on a feature outside the SAE, with the valid range, or a
    scope that needs the prompt's length where `n_prompt` is 0.

    Example:
        >>> edit = clamp_edit(sae, [Clamp(feature=31, value=0.0)])
        >>> model.logits(tokens, Edit("blocks.2.hook_resid_post", edit))
    """
    given = sound(clamps)
    check_features(sae, given)
    for one in given:
        if isinstance(one, Steer):
            raise TypeError(f"clamp_edit takes Clamps only, not the Steer {one.name!r}: use intervention_edit")
    return _clamp_edit(sae, [c for c in given if isinstance(c, Clamp)], n_prompt, answers, memory)


def _clamp_edit(
    sae: SAE, clamps: Sequence[Clamp], n_prompt: int, answers: Spans, memory: PromptReading | None
) -> Callable[[Tensor, int], Tensor]:
    """`clamp_edit` where the clamps are known to be sound."""
    features = list(dict.fromkeys(c.feature for c in clamps))
    move = _mover(sae, features, memory)
    spans = [spans_of(c.scope, n_prompt, answers) for c in clamps]
    last = {c.feature: c.value for c in clamps}  # where all of them hold
    # Beside the SAE, and not moved there for each token.
    everywhere = torch.tensor([last[f] for f in features], dtype=torch.float32, device=sae.W_dec.device)

    def edit(x: Tensor, start: int) -> Tensor:
        end = start + x.shape[1]
        if not any(first < end and stop > start for own in spans for first, stop in own):
            return x
        if all(any(first <= start and stop >= end for first, stop in own) for own in spans):
            return move(x, start, everywhere, None)
        return move(x, start, *_targets(clamps, spans, features, start, x.shape[1]))

    return edit


def _mover(
    sae: SAE, features: Sequence[int], memory: PromptReading | None = None
) -> Callable[[Tensor, int, Tensor, Tensor | None], Tensor]:
    """The clamp itself, as `move(x, start, target, on)`: the equation above for these features.

    x is [batch, pos, d_in], of which the first column stands at position `start`; `target` holds the values [..., n]
    and `on` says where each is set (None: everywhere); both broadcast to [batch, pos, n].
    """
    with torch.no_grad():
        directions = sae.decoder_rows(features)  # [n, d_in]
        read = _reader(sae, features)

    @torch.no_grad()
    def move(x: Tensor, start: int, target: Tensor, on: Tensor | None) -> Tensor:
        z = x.to(directions.device).float()
        own = read(z) if start or memory is None else memory.read(features, z, read)  # [batch, pos, n]
        change = target.to(own.device) - own.float()  # an SAE may compute in another dtype
        if on is not None:
            change = torch.where(on.to(own.device), change, 0.0)
        push = change @ directions
        if sae.config.input_normalization != "none":
            push = push * sae.spread(z)
        moved = (x.float() + push.to(x.device)).to(x.dtype)
        # Where nothing changes x is passed on as it is: adding zeros would still turn -0.0 into 0.0.
        return torch.where((change != 0).any(-1, keepdim=True).to(x.device), moved, x)

    return move


def _steered(x: Tensor, push: Tensor) -> Tensor:
    """x with a push [..., pos, d_in] added in float32; positions that nothing pushes keep their bits."""
    push = push.to(x.device)
    return torch.where((push != 0).any(-1, keepdim=True), (x.float() + push).to(x.dtype), x)


def intervention_edit(
    sae: SAE,
    interventions: Sequence[Intervention],
    *,
    n_prompt: int = 0,
    answers: Spans = (),
    memory: PromptReading | None = None,
) -> Callable[[Tensor, int], Tensor]:
    """Clamps and steers together, as a function of an activation [batch, pos, d_in] and its first column's position.

    See `clamp_edit` for scopes, dtypes, the memory and what is raised; TypeError on anything but `Clamp`s and `Steer`s,
    and ValueError also on a vector of another width than the SAE's site.

    Example:
        >>> edit = intervention_edit(sae, [Clamp(31, 8.0), sw.steering.add_feature(sae, 7, 2.0)])
    """
    both = sound(interventions)
    check_features(sae, both)
    steers = tuple(s for s in both if isinstance(s, Steer))
    clamped = _clamp_edit(sae, [c for c in both if isinstance(c, Clamp)], n_prompt, answers, memory)
    spans = [spans_of(s.scope, n_prompt, answers) for s in steers]
    if not steers:
        return clamped
    pushes = (
        torch.tensor([s.vector for s in steers], dtype=torch.float32)
        * torch.tensor([s.scale for s in steers], dtype=torch.float32)[:, None]
    )  # [n, d_in]

    @torch.no_grad()
    def edit(x: Tensor, start: int) -> Tensor:
        moved = clamped(x, start)
        on = torch.zeros(x.shape[1], len(steers), dtype=torch.float32)  # [pos, n]
        for column, own in enumerate(spans):
            for first, stop in own:
                on[max(first - start, 0) : max(stop - start, 0), column] = 1.0
        return _steered(moved, on @ pushes)

    return edit


RowOf = Intervention | Sequence[Intervention] | None  # what is done in one row of a batch


def row_edit(
    sae: SAE, rows: Sequence[RowOf], *, n_prompt: int = 0, answers: Spans = ()
) -> Callable[[Tensor, int], Tensor]:
    """Other interventions in each row of a batch: row r of [batch, pos, d_in] gets `rows[r]`, one or a list of them, or
    nothing.

    A batch may hold each row several times over: with k times as many rows, row r's interventions act on rows r k to
    r k + k - 1. Scopes, what holds where two clamps of one row meet, and what is raised are those of
    `intervention_edit`.

    Example:
        >>> edit = row_edit(sae, [None, Clamp(31, 4.0), [Clamp(31, 8.0), Clamp(7, 0.0)]])
    """
    given = _rows(rows)
    for row in given:
        check_features(sae, row)
    clamps = [[c for c in row if isinstance(c, Clamp)] for row in given]
    own_rows = torch.tensor([at for at, row in enumerate(clamps) if row], dtype=torch.long)
    features = list(dict.fromkeys(c.feature for row in clamps for c in row))
    move = _mover(sae, features)
    # The first clamp of every row, then the second of those that have one: the later one in a row holds.
    layers = [
        _layer([row[nth] if nth < len(row) else None for row in clamps if row], features, n_prompt, answers)
        for nth in range(max(map(len, clamps), default=0))
    ]
    steers = [(at, s) for at, row in enumerate(given) for s in row if isinstance(s, Steer)]
    steered = torch.tensor([at for at, _ in steers], dtype=torch.long)
    pushes = torch.zeros(len(steers), 1, sae.config.d_in, dtype=torch.float32)
    for push, (_, steer) in zip(pushes, steers, strict=True):
        push[0] = torch.tensor(steer.vector, dtype=torch.float32) * steer.scale
    spans = _span_rows([spans_of(s.scope, n_prompt, answers) for _, s in steers])

    @torch.no_grad()
    def edit(x: Tensor, start: int) -> Tensor:
        each = x.shape[0] // len(given)
        position = torch.arange(start, start + x.shape[1])
        moved = x
        if layers:
            here = (own_rows[:, None] * each + torch.arange(each)).flatten().to(x.device)
            target, on = torch.zeros(()), torch.zeros((), dtype=torch.bool)
            for value, is_own, span in layers:
                holds = _inside(span, position) & is_own  # [row, pos, feature]
                target, on = torch.where(holds, value, target), on | holds
            moved = x.clone()
            moved[here] = move(x[here], start, target.repeat_interleave(each, 0), on.repeat_interleave(each, 0))
        if steers:
            total = torch.zeros(len(given), x.shape[1], sae.config.d_in, dtype=torch.float32)
            total.index_add_(0, steered, torch.where(_inside(spans, position), pushes, 0.0))
            moved = _steered(moved, total.repeat_interleave(each, 0))
        return moved

    return edit


def _rows(rows: Sequence[RowOf]) -> list[tuple[Intervention, ...]]:
    """What is done in each row, as tuples. Raises TypeError, naming the row, on what is no intervention."""
    several = [
        isinstance(row, list | tuple) and all(isinstance(one, Clamp | Steer) for one in row)
        for row in listed(rows, "rows", "sw.Clamp(31, 8.0)")
    ]
    nothing = Clamp(0, 0.0)  # in the place of a row that needs no look
    sound([nothing if row is None or many else row for row, many in zip(rows, several, strict=True)], "rows")
    return [
        () if row is None else tuple(row) if many else (row,)  # type: ignore[arg-type, misc]
        for row, many in zip(rows, several, strict=True)
    ]


def _layer(
    clamps: Sequence[Clamp | None], features: Sequence[int], n_prompt: int, answers: Spans
) -> tuple[Tensor, Tensor, Tensor]:
    """One clamp per row, or none: (value [row, 1, 1], whether it is of the feature [row, 1, feature], spans [row, n, 2])."""
    value = torch.tensor([0.0 if c is None else c.value for c in clamps], dtype=torch.float32)[:, None, None]
    is_own = torch.tensor([[c is not None and f == c.feature for f in features] for c in clamps])[:, None]
    return value, is_own, _span_rows([() if c is None else spans_of(c.scope, n_prompt, answers) for c in clamps])


def _span_rows(spans: Sequence[Spans]) -> Tensor:
    """Spans of each row as int64 [row, n, 2], those that a row does not have empty."""
    n = max(map(len, spans), default=0)
    rows = [[*own, *[(0, 0)] * (n - len(own))] for own in spans]
    return torch.tensor(rows, dtype=torch.long).reshape(len(spans), n, 2)


def _inside(spans: Tensor, position: Tensor) -> Tensor:
    """bool [row, pos, 1]: which positions [pos] lie in one of the spans [row, n, 2]."""
    return ((position >= spans[..., :1]) & (position < spans[..., 1:])).any(1)[..., None]


def check_features(sae: SAE, given: Sequence[Intervention]) -> None:
    """Raise, in one sentence, if these interventions cannot act on what this SAE reads: TypeError for something else
    than an SAE; ValueError, with the valid range, for a feature that it does not have, a vector of another width, or a
    transcoder.
    """
    check_sae(sae, "a clamp")
    refuse_transcoder(sae.config, "a clamp")
    for one in given:
        if isinstance(one, Clamp):
            check_feature(sae, one.feature)
        elif len(one.vector) != sae.config.d_in:
            raise ValueError(
                f"the vector {one.name!r} is {len(one.vector)} wide, and this SAE reads {sae.config.d_in} numbers"
            )


def check_feature(sae: SAE, feature: int) -> int:
    """The feature's number as an int. Raises ValueError, with the valid range, if this SAE does not have that feature,
    or TypeError on what is no number.
    """
    return require_features([feature], sae.config.d_sae)[0]


def _targets(
    clamps: Sequence[Clamp], spans: Sequence[Spans], features: Sequence[int], start: int, n: int
) -> tuple[Tensor, Tensor]:
    """(value to set [pos, feature], whether to set it [pos, feature]) for positions start to start + n - 1."""
    target = torch.zeros(n, len(features), dtype=torch.float32)
    on = torch.zeros(n, len(features), dtype=torch.bool)
    for clamp, own in zip(clamps, spans, strict=True):
        column = features.index(clamp.feature)
        for first, stop in own:
            rows = slice(max(first - start, 0), max(stop - start, 0))
            target[rows, column] = clamp.value
            on[rows, column] = True
    return target, on


def _reader(sae: SAE, features: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """`sae.activations_of` for these features, bit for bit: x [..., d_in] -> [..., n].

    Whether a feature of a TopK SAE is on depends on all of them. But one whose own pre-activation is below 0, by more
    than two sums of the same products can differ, is off whatever the others do; where the encoder is large, that is
    looked at first.
    """
    if sae.config.architecture != "topk":
        return lambda x: sae.activations_of(x, features)
    large = sae.W_enc.numel() >= LARGE_ENCODER and sae.config.input_normalization == "none"
    index = torch.as_tensor(list(features), dtype=torch.long, device=sae.W_enc.device)
    columns, biases = (w.detach()[..., index] for w in (sae.W_enc, sae.b_enc))
    # Two float32 sums of m products differ by less than m 2^-23 sum |z_i w_i|, and that sum is at most |z| |w|; the
    # norms are rounded too, and twice as much is more than enough for all of it.
    slack = (sae.config.d_in + 2) * 2.0**-22
    lengths, offsets = columns.norm(dim=0) * slack, biases.abs() * slack

    def read(x: Tensor) -> Tensor:
        if large:
            z = sae.scale * x - sae.b_dec if sae.config.subtracts_b_dec else sae.scale * x
            off = z @ columns + biases < -(z.norm(dim=-1, keepdim=True) * lengths + offsets)
            if bool(off.all()):
                return torch.zeros_like(off, dtype=x.dtype)
        on, values = sae.encode_sparse(x)  # [..., k] both: few are on, so these are looked up, not scattered into all
        return torch.stack([torch.where(on == f, values, 0.0).sum(-1) for f in features], -1)

    return read
