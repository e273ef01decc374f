"""One training step's loss and gradients for an SAE of which any set of activations is on.

With B rows and few of d_sae activations on in each, a step needs one dense product, the encoder's, which the caller
does. Decoding reads the rows of W_dec that are on, and each feature's gradient sums over the rows at which it was on:
sums over bags (`bags`), on any device. The plain version is dense autograd, and a test holds the two together.

The target need not be the input, and a Matryoshka SAE (Bussmann et al. 2025) nests dictionaries: the features below
each of `prefixes` must reconstruct y by themselves too. The first ones then learn the broad concepts, which a flat
dictionary splits up.

Rows are [rows, d_in] and [rows, d_out], in SAE units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from saewidgets.kernels import selection
from saewidgets.kernels.bags import bag_dots, bag_sum, starts_of

Weights = tuple[Tensor, Tensor, Tensor, Tensor]  # W_enc [d_in, d_sae], b_enc [d_sae], W_dec [d_sae, d_out], b_dec

PIECE = 1 << 26  # pre-activations that are held at a time where rows are chosen one by one: 256 MB of float32
DENSE = 1 / 16  # share of the dead features in AuxK from which on dense products are the quicker way


@dataclass(frozen=True)
class AuxK:
    """The auxiliary loss of Gao et al. 2024: dead features learn to explain what the live ones left over.

    coefficient * |e - e_hat|^2, with e = x - x_hat held fixed and e_hat the k largest dead activations times their
    rows.
    """

    dead: Tensor  # int64 [n_dead], features that have not fired for long
    k: int  # how many of them take part at each token
    coefficient: float = 1 / 32


@dataclass(frozen=True)
class Active:
    """The activations that are on, one entry each, sorted by row."""

    row: Tensor  # int64 [n]
    feature: Tensor  # int64 [n]
    value: Tensor  # float32 [n], 0 or more; one of 0 is in nothing but this list
    n_rows: int

    @cached_property
    def start(self) -> Tensor:
        """int64 [n_rows + 1]: where each row's entries begin."""
        return starts_of(self.row, self.n_rows)

    def counts(self, d_sae: int) -> Tensor:
        """int64 [d_sae]: at how many of the rows each feature is on."""
        found = torch.zeros(d_sae, dtype=torch.int64, device=self.feature.device)
        return found.index_add_(0, self.feature, (self.value > 0).to(torch.int64))


@dataclass(frozen=True)
class SparseStep:
    """Loss, its parts and the gradients of one micro-batch."""

    loss: Tensor  # scalar: mean over rows and prefixes of |y - x_hat|^2, + `auxiliary`
    auxiliary: Tensor  # scalar: the auxiliary loss, with its coefficient
    squared_error: Tensor  # scalar: sum over the rows of |y - x_hat|^2, all features
    gradients: Weights


def above(pre: Tensor, cut: Tensor | float) -> Active:
    """The activations of pre [rows, d_sae] that are positive and no less than `cut`."""
    row, feature = ((pre >= cut) & (pre > 0)).nonzero(as_tuple=True)
    return Active(row, feature, _wide(pre[row, feature]), len(pre))


def largest(pre: Tensor, k: int) -> Active:
    """The k largest of each row of pre [rows, d_sae], those below 0 as 0."""
    values, indices = selection.top_k(pre, min(k, pre.shape[-1]))
    return _full_rows(indices, _wide(values).relu())  # a nan stays, and shows in the loss


def shared(pre: Tensor, n: int, hint: Tensor | None = None) -> tuple[Active, Tensor]:
    """(the n largest positive ones of all of pre [rows, d_sae], with whatever equals the last of them; that last one,
    or 0 where fewer are positive). For the hint see `selection.batch_largest`.
    """
    places, cut = selection.batch_largest(pre, n, hint)
    value, d_sae = _wide(pre.flatten()[places]), pre.shape[-1]
    return Active(places // d_sae, places % d_sae, value, len(pre)), cut


def top_k_of(
    z: Tensor, weights: Weights, k: int, aux: AuxK | None, dtype: torch.dtype = torch.float32
) -> tuple[Active, Active | None]:
    """(the k largest activations of each row, the `aux.k` largest of the dead features, which count from 0).

    The encoder's product on z [rows, d_in] is made in `dtype`, a piece of the rows at a time: [rows, d_sae] is never
    held.
    """
    found, dead = [], []
    for pre in _pieces(z, weights[0].detach(), weights[1].detach(), dtype):
        found.append(selection.top_k(pre, min(k, pre.shape[-1])))
        if aux is not None:
            dead.append(selection.top_k(pre[:, aux.dead], min(aux.k, len(aux.dead))))
    return _joined(found), _joined(dead) if dead else None


def _pieces(z: Tensor, W_enc: Tensor, b_enc: Tensor, dtype: torch.dtype) -> Iterator[Tensor]:
    """Pre-activations [some rows, d_sae], each piece valid until the next is asked for."""
    z, W_enc, b_enc = (t.to(dtype) for t in (z, W_enc, b_enc))
    rows = min(len(z), max(1, PIECE // len(b_enc)))
    out = z.new_empty(rows, len(b_enc))
    for part in z.split(rows):
        yield torch.addmm(b_enc, part, W_enc, out=out[: len(part)])


def _joined(parts: list[tuple[Tensor, Tensor]]) -> Active:
    values, indices = (torch.cat(column) if len(parts) > 1 else column[0] for column in zip(*parts, strict=True))
    return _full_rows(indices, _wide(values).relu())


def _full_rows(indices: Tensor, values: Tensor) -> Active:
    """As many entries in each row, of [rows, k] both."""
    n, k = indices.shape
    row = torch.arange(n, device=indices.device).repeat_interleave(k, output_size=n * k)
    return Active(row, indices.reshape(-1), values.reshape(-1), n)


def kept(pre: Tensor, n: int) -> Tensor:
    """The n largest of all positive values in pre [rows, d_sae], in no stated order; zeros fill up."""
    if pre.device.type != "cpu":
        return selection.largest_values(pre, n)
    return _wide(pre.flatten().topk(min(n, pre.numel()), sorted=False).values).relu()


def nth_largest(pre: Tensor, n: int, hint: float = 0.0) -> Tensor:
    """The n-th largest of all values in pre [rows, d_sae], or 0 where that is negative: the smallest of `kept`.

    A `hint` of what it may be makes it fast: values under it are looked at only if fewer than n lie above. It changes
    nothing else.
    """
    n = min(n, pre.numel())
    if hint > 0:
        high = pre[~(pre <= hint)]  # a nan stays, and is the largest
        if len(high) >= n:
            return _wide(high).kthvalue(len(high) - n + 1).values.relu()
    return _wide(pre.flatten()).kthvalue(pre.numel() - n + 1).values.relu()


def _wide(values: Tensor) -> Tensor:
    """bfloat16 as float32."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


@torch.no_grad()
def sparse_step(
    active: Active,
    z: Tensor,
    y: Tensor,
    weights: Weights,
    *,
    subtracted: bool,
    prefixes: tuple[int, ...] = (),
    aux: AuxK | None = None,
    dead: Active | None = None,
) -> SparseStep:
    """Loss and gradients for rows whose activations are chosen already.

    Args:
        active: which activations are on. The choice is held fixed: no gradient goes through it.
        z: what the encoder multiplied, [rows, d_in].
        y: the target [rows, d_out].
        weights: W_enc [d_in, d_sae], b_enc, W_dec [d_sae, d_out], b_dec.
        subtracted: whether b_dec was subtracted from x to make z.
        prefixes: sizes of the nested dictionaries, ascending, d_sae last; () is a flat one.
        aux: dead features that learn too.
        dead: which of them take part, counted from 0; given where, and only where, `aux` is.
    """
    W_enc, _, W_dec, b_dec = (w.detach() for w in weights)
    n = len(y)
    part = None if len(prefixes) < 2 else _part_of(active.feature, prefixes)
    errors: list[Tensor] = []
    for j in range(max(1, len(prefixes))):
        error = errors[-1] if errors else b_dec - y
        value = active.value if part is None else active.value * (part == j)
        errors.append(error + bag_sum(active.start, active.feature, value, W_dec))
    error = errors[-1]
    squared_error = error.square().sum()
    loss = sum((e.square().sum() for e in errors[:-1]), squared_error) / (len(errors) * n)
    # What part j decodes to stands in reconstruction j and all later ones: [part, rows, d_out], d loss / d that.
    g = torch.stack(errors).mul_(2 / (len(errors) * n))
    if part is None:
        slopes = _slopes(active, W_dec, g[0])
    else:
        g = g.flip(0).cumsum(0).flip(0)
        slopes = torch.stack([_slopes(active, W_dec, g[j]) * (part == j) for j in range(len(g))]).sum(0)
    dW_dec, dW_enc, db_enc = _weight_gradients(active, slopes, g, part, z, len(W_dec))
    auxiliary = torch.zeros_like(loss)
    if aux is not None and dead is not None:
        auxiliary, added = _auxiliary(aux, dead, z, error, W_dec[aux.dead])
        for total, extra in zip((dW_dec, dW_enc, db_enc), added, strict=True):
            total.index_add_(0, aux.dead, extra)
    db_dec = g[0].sum(0)
    if subtracted:
        db_dec = db_dec - W_enc @ db_enc  # as an output bias, and as what is subtracted before the encoder
    return SparseStep(loss + auxiliary, auxiliary, squared_error, (dW_enc.T, db_enc, dW_dec, db_dec))


def _auxiliary(
    aux: AuxK, dead: Active, z: Tensor, error: Tensor, W_dead: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """The auxiliary loss, with its coefficient, and its gradients as `_weight_gradients` gives them. error: x_hat - y of
    all features, held fixed.
    """
    n, n_dead = len(z), len(W_dead)
    scale = 2 * aux.coefficient / n
    if len(dead.value) > DENSE * n * n_dead:
        a = error.new_zeros(n, n_dead).index_put_((dead.row, dead.feature), dead.value)
        left = torch.addmm(error, a, W_dead)  # e_hat - e
        g = left * scale
        slopes = (g @ W_dead.T) * (a > 0)
        added = a.T @ g, slopes.T @ z, slopes.sum(0)
    else:
        left = bag_sum(dead.start, dead.feature, dead.value, W_dead) + error
        g = left * scale
        added = _weight_gradients(dead, _slopes(dead, W_dead, g), g[None], None, z, n_dead)
    return aux.coefficient * left.square().sum() / n, added


def _part_of(feature: Tensor, prefixes: tuple[int, ...]) -> Tensor:
    """int64 [n]: which part of a nested dictionary each feature is of."""
    return torch.bucketize(feature, torch.tensor(prefixes[:-1], dtype=torch.int64, device=feature.device), right=True)


def _slopes(active: Active, W_dec: Tensor, g: Tensor) -> Tensor:
    """d loss / d pre-activation [n]: g[row] . W_dec[feature], and 0 where the ReLU is off."""
    return bag_dots(g, active.start, active.row, active.feature, W_dec) * (active.value > 0)


def _weight_gradients(
    active: Active, slopes: Tensor, g: Tensor, part: Tensor | None, z: Tensor, n: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of n features' decoder rows [n, d_out], encoder columns (as rows) [n, d_in] and encoder biases [n].

    g is [part, rows, d_out], and part [entry] says which of it an activation goes by (None: there is one).
    dW_dec[f] = sum value g_b, dW_enc[f] = sum slope z_b, db_enc[f] = sum slope, over the rows b at which f is on.
    """
    # 32 bits sort in half the time; stable: sums run in the same order every time.
    feature, order = active.feature.to(torch.int32).sort(stable=True)
    start, row, slope = starts_of(feature, n), active.row[order], slopes[order]
    of_part = row if part is None else part[order] * len(z) + row
    dW_dec = bag_sum(start, of_part, active.value[order], g.flatten(0, 1))
    dW_enc = bag_sum(start, row, slope, z)
    db_enc = bag_sum(start, torch.zeros_like(row), slope, z.new_ones(1, 1))[:, 0]
    return dW_dec, dW_enc, db_enc
