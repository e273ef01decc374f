"""BatchTopK SAEs, flat and nested (Matryoshka)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from saewidgets.kernels.sparse import Active, above, kept, largest, nth_largest, shared, sparse_step
from saewidgets.sae import SAE
from saewidgets.training.config import TrainConfig
from saewidgets.training.objectives.base import Gradients, Pair
from saewidgets.training.objectives.topk import Selecting, add_gradients

if TYPE_CHECKING:
    from saewidgets.kernels.sparse_cpu import Rows, SparseCPU, Weights
    from saewidgets.kernels.topk import AuxK

MEMORY = 0.99  # of the running mean of thresholds: about the last hundred steps
HINT = 0.7  # of that mean: nearly every batch's own threshold is above it


class BatchTopK(Selecting):
    """Bussmann et al. 2024, *BatchTopK Sparse Autoencoders*: k features a token on average, the batch shares them out.

        L = mean over the rows of ( |y - x_hat|^2 + alpha |e - e_hat|^2 ),   a = pre where it is among the k * rows largest

    Only positive ones count, and ties at the last place are all kept. AuxK, `prefixes`, unit rows and b_dec as for
    TopK. At inference one token stands alone, and a = pre where pre > threshold: the running mean, over about the last
    hundred steps, of the smallest activation that a batch kept. `sae.threshold` holds it after every step.
    """

    architectures = ("batchtopk",)
    speaks = True

    def __init__(self, sae: SAE, config: TrainConfig) -> None:
        super().__init__(sae, config)
        # sum of weighted thresholds, sum of the weights: their ratio is a mean from the first step on
        self.state["threshold"] = torch.zeros(2, dtype=torch.float64, device=sae.W_dec.device)
        self._n = 0  # activations that the batch keeps
        self._cut: Tensor | None = None  # where the batch is in several parts: its smallest kept activation
        self._smallest: Tensor | None = None

    @torch.no_grad()
    def survey(self, parts: Sequence[Pair], step: int, rows: int) -> None:
        """Find the smallest activation that the whole batch keeps, where its rows are not all looked at together."""
        self._cut = self._smallest = None
        self._n = int(self.sparsity_at(step)) * rows
        if len(parts) == 1:
            return
        best = torch.empty(0, device=self.sae.W_dec.device, dtype=torch.float32)
        for x, _ in parts:
            best = torch.cat([best, kept(self.pre_activations(x)[1], self._n)])
            best = best.topk(min(self._n, len(best)), sorted=False).values
        self._cut = best.min() if self.ranks.alone else self.ranks.nth_largest(best, self._n)

    @torch.no_grad()
    def gradients(self, x: Tensor, y: Tensor, *, step: int, dead: Tensor, share: float = 1.0) -> Gradients:
        """See `Objective.gradients`."""
        if self.loops is not None:
            return self._by_loops(self.loops, x, y, dead, share)
        weights = tuple(self.weights.values())
        z, pre = self.pre_activations(x)
        active, cut = self._chosen(pre, step)
        aux = self.aux(dead)
        dead_ones = None if aux is None else largest(pre[:, aux.dead], aux.k)
        subtracted, prefixes = self.sae.config.subtracts_b_dec, self.config.prefixes
        found = sparse_step(active, z, y, weights, subtracted=subtracted, prefixes=prefixes, aux=aux, dead=dead_ones)  # type: ignore[arg-type]
        self._note(cut, active.value)
        add_gradients(weights, found.gradients, share)
        fired = active.counts(self.sae.config.d_sae)
        loss = found.loss + 0 * cut  # a cut that is not a number would select nothing, and go unseen
        return Gradients(
            loss, found.squared_error, fired, {"error": found.loss - found.auxiliary, "aux": found.auxiliary}
        )

    def _chosen(self, pre: Tensor, step: int) -> tuple[Active, Tensor]:
        """What is on, and the smallest activation that the batch keeps."""
        if self._cut is None and self.ranks.alone and pre.device.type != "cpu":
            # The threshold stays where it is: to look at it is to wait for the device.
            return shared(pre, self._n, HINT * self.sae.threshold[0] if step else None)
        cut = self._cut_of(pre) if self._cut is None else self._cut
        return above(pre, cut), cut

    def _by_loops(self, loops: SparseCPU, x: Tensor, y: Tensor, dead: Tensor, share: float) -> Gradients:
        """The same on the CPU with numba."""
        held, z, aux = self.held(), self.sae.encoder_input(x), self.aux(dead)
        if self._cut is not None or self.ranks.alone:
            given = None if self._cut is None else float(self._cut)
            rows, cut, dead_rows = loops.batch_top_k(z, held, self._n, aux, given)
        else:
            rows, cut, dead_rows = self._over_ranks(loops, z, held, aux)
        more = {"prefixes": self.config.prefixes, "dead": aux, "dead_rows": dead_rows}
        found = loops.step(rows, z, y - held[3], held, subtracted=self.sae.config.subtracts_b_dec, **more)  # type: ignore[arg-type]
        add_gradients(self.weights.values(), found.gradients, share)
        self._note(torch.tensor(cut, dtype=torch.float32), torch.from_numpy(rows.value[: rows.n]))
        loss = found.loss + 0 * cut
        return Gradients(
            loss, found.squared_error, found.fired, {"error": loss - found.auxiliary, "aux": found.auxiliary}
        )

    def _note(self, cut: Tensor, values: Tensor) -> None:
        """Keep the smallest activation that was on: the cut, where as many were on as may be."""
        smallest = torch.where(cut > 0, cut, values.min() if len(values) else cut.new_tensor(torch.inf))
        self._smallest = smallest if self._smallest is None else torch.minimum(self._smallest, smallest)

    # -- one cut for all ranks ---------------------------------------------------------------------------------------

    @property
    def _hint(self) -> float:
        """What nearly every batch's cut is above; the same at all ranks."""
        return HINT * float(self.sae.threshold[0])

    def _cut_of(self, pre: Tensor) -> Tensor:
        """The smallest activation that the whole batch keeps, of whose pre-activations these are this rank's."""
        if self.ranks.alone:
            return nth_largest(pre, self._n, self._hint)
        high = pre[~(pre <= self._hint)]  # a nan stays
        if int(self.ranks.sum(torch.tensor(len(high), device=pre.device))) < self._n:
            high = pre[~(pre <= 0)]
        return self.ranks.nth_largest(high.float(), self._n)

    def _over_ranks(self, loops: SparseCPU, z: Tensor, held: Weights, aux: AuxK | None) -> tuple[Rows, float, Any]:
        """As `SparseCPU.batch_top_k`, of the whole batch, of which z is this rank's rows."""
        rows, own, dead_rows = loops.batch_top_k(z, held, self._n, aux, self._hint or None)
        if self._hint and int(self.ranks.sum(torch.tensor(rows.n))) < self._n:  # this batch is unlike the last
            rows, own, dead_rows = loops.batch_top_k(z, held, self._n, aux)
        # Nothing is on where a pre-activation is not finite, and the others must know.
        values = torch.from_numpy(rows.value[: rows.n]) if own == own else torch.tensor([torch.nan])
        cut = float(self.ranks.nth_largest(values, self._n))
        return loops.from_cut(rows, cut), cut, dead_rows

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Unit rows, and the threshold for inference."""
        super().after_step(step)
        if self._smallest is None:
            return
        self.ranks.least(self._smallest)
        total, on = self.state["threshold"], self._smallest.isfinite()  # infinite: nothing was on
        later = MEMORY * total + (1 - MEMORY) * torch.stack([self._smallest.double(), total.new_ones(())])
        total.copy_(torch.where(on, later, total))
        self.sae.threshold.copy_(torch.where(on, total[0] / total[1], self.sae.threshold))
