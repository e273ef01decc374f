"""Training an SAE: a generator of `TrainStep`, one optimizer step for each `next`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from saewidgets.activations import StreamedStore
from saewidgets.ranks import ALONE, Ranks
from saewidgets.records import TrainStep
from saewidgets.records.arguments import asked, expect
from saewidgets.sae import SAE, check_sae, top_share, unexplained
from saewidgets.sae.norms import CURE, doubt
from saewidgets.training import checkpoint
from saewidgets.training.config import TrainConfig
from saewidgets.training.objectives import Gradients, objective
from saewidgets.training.resampling import resample

LOOK_EVERY = 100  # steps from one look at how the variance is spread over a batch's rows to the next

Batch = Tensor | tuple[Tensor, Tensor]  # [batch, d_in], or for a transcoder that and [batch, d_out], in model units


class Run:
    """A training under way: `next(run)` does one step and gives its `TrainStep`. Not to call `next` is to pause.

    `sae` is trained in place, so it can be looked at between steps. `history` holds the steps so far. Whatever
    interrupts a step, `sae` holds the weights of the last whole one, and `next(run)` does the interrupted step anew on
    the same batch.
    """

    def __init__(
        self,
        sae: SAE,
        batches: Iterable[Batch],
        config: TrainConfig,
        *,
        resume: str | Path | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """As `train`. ranks: the processes that train this SAE together, each of which takes its share of every batch: the
        weights are those of one process that takes it all.
        """
        check_sae(sae, "training")
        check_batches(batches)
        if not isinstance(config, TrainConfig):
            raise TypeError(
                f"training needs a TrainConfig, such as sw.TrainConfig(steps=1000), not a {type(config).__name__}"
            )
        if sae.W_dec.dtype != torch.float32:
            kind = str(sae.W_dec.dtype).removeprefix("torch.")
            raise ValueError(
                f"the SAE's weights are {kind}, and are trained in float32: sae.float() makes them so; for speed on a GPU give "
                'TrainConfig(precision="bf16")'
            )
        if sae.config.skip:
            raise ValueError("a transcoder's skip connection is read, not trained: train one with skip=False")
        self.sae = sae
        self.config = config
        self.step = 0
        self.tokens = 0
        self.history: list[TrainStep] = []
        self.doubt = ""  # what is to be said of the batches, if anything
        self.micro_batch = config.micro_batch  # rows whose gradient is taken at a time; halved where memory runs out
        self.objective = objective(sae, config)
        self.ranks = self.objective.ranks = ranks
        device, d_sae = sae.W_dec.device, sae.config.d_sae
        self._batches = batches
        self._iterator: Iterator[Any] | None = None
        self._fetching = False  # whether the last fetch was cut short
        self._pending: tuple[int, Tensor, Tensor] | None = None  # a batch, and the number of its step
        self._since_fired = torch.zeros(d_sae, dtype=torch.int64, device=device)  # tokens
        self._none = torch.zeros(0, dtype=torch.int64, device=device)
        self._none_dead = False  # whether the step before has seen that no feature is dead
        self._fired = torch.zeros(2, d_sae, dtype=torch.int64, device=device)  # tokens, now and before
        self._window = torch.zeros(2, dtype=torch.int64)  # tokens in each of the two
        self._weights = self.objective.weights
        self._adam = torch.optim.Adam(self._weights.values(), lr=config.lr, betas=config.betas, fused=True)
        for weight in self._weights.values():
            self._adam.state[weight] = {
                "step": torch.zeros((), device=device, dtype=torch.float32),
                "exp_avg": torch.zeros_like(weight, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(weight, requires_grad=False),
            }
        self._saved: dict[str, Tensor] = {}  # copies of `tensors`, from before the step under way
        self._saved_counts = (0, 0, 0)
        self._torn = False  # whether `tensors` may be those of half a step, and the copies those of the last whole one
        if resume is not None:
            checkpoint.restore(self, resume)

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> TrainStep:
        """One optimizer step. Raises FloatingPointError, with the weights of the step before, if the loss is not
        finite.
        """
        if self._torn:  # an interrupt came while another one was being handled
            self._undo()
        if self.step >= self.config.steps:
            raise StopIteration
        device = self.sae.W_dec.device.type
        modes = torch.is_grad_enabled(), torch.is_autocast_enabled(device)
        try:
            return self._step()
        except BaseException:
            # An interrupt between the lines of a `with` skips its end, and torch would stay in that mode for everybody.
            torch.set_grad_enabled(modes[0])
            torch.set_autocast_enabled(device, modes[1])
            self._undo()
            raise

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, one file, atomically: weights, Adam's moments, counters, and both configurations.

        If `path` is a folder, the file is a new one in it, and of these settings the last two that were written stay.
        `train(sae, batches, config, resume=path)` then goes on bit for bit as if it had not stopped, on the same
        machine, torch and thread count, if `batches` gives the same batches again. Raises ValueError if a weight is not
        finite.
        """
        if self._torn:
            self._undo()
        checkpoint.save(self, path)

    def finish(self) -> SAE:
        """The SAE so far as one would publish it: with the thresholds that inference needs, and decoder rows of norm 1.

        Where training leaves norms free they are folded into the encoder, in a copy: x_hat is the same, and an
        activation is the length that its feature adds. Elsewhere it is `sae` itself. The run can go on.
        """
        if self._torn:
            self._undo()
        self.objective.finish()
        return self.sae if self.objective.unit_rows else self.sae.fold_W_dec_norm()

    def firing_rates(self) -> np.ndarray:
        """float64 [d_sae]: the share of tokens at which each feature was on, over the last tokens.

        Over the last `dead_window` to twice as many tokens, or all so far if they are fewer; nan before the first step.
        """
        with np.errstate(invalid="ignore"):
            return self._fired.sum(0).cpu().numpy() / np.float64(int(self._window.sum()))

    @property
    def stream(self) -> StreamedStore | None:
        """The store over a streamed corpus that the batches come from; None for batches of another kind, and for the part of
        one rank: its place says nothing of the others'.
        """
        found = getattr(self._batches, "source", self._batches)
        return found if isinstance(found, StreamedStore) and found.ranks == 1 else None

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All tensors that a step changes, by their names in a checkpoint."""
        found: dict[str, Tensor] = {"since_fired": self._since_fired, "fired": self._fired, "window": self._window}
        for name, weight in self.sae.weights.items():
            found[name] = weight.detach()
        for name, weight in self._weights.items():
            found |= {f"{moment}.{name}": value for moment, value in self._moments(weight).items()}
        return found | {f"objective.{name}": value for name, value in self.objective.state.items()}

    # -- one step ----------------------------------------------------------------------------------------------------

    def _step(self) -> TrainStep:
        x, y = self._next_batch()
        if self.step == 0:
            self._keep()
            self.objective.prepare(x, y)
            self.ranks.same(self.tensors.values())
        lr = self.config.lr_at(self.step)
        sparsity = self.objective.sparsity_at(self.step)
        found = self._over_ranks(self._gradients(x, y))
        self.objective.project()
        norm = torch.nn.utils.clip_grad_norm_(self._weights.values(), self.config.grad_clip)
        variance = (y - y.mean(0)).square().sum()
        if self.step in (0, 9) or self.step % LOOK_EVERY == LOOK_EVERY - 1:
            self._doubt(y)
        numbers = {
            "loss": found.loss,
            "gradient's norm": norm,
            "error": found.squared_error,
            "variance": variance,
            "squared mean": len(y) * y.mean(0).square().sum(),
            **{f"part {name}": part for name, part in found.parts.items()},
        }
        # One wait for a GPU; float64 counts beyond 2^24.
        values = torch.stack([v.double() for v in (x.sum(), y.sum(), found.fired.sum(), *numbers.values())]).tolist()
        on, measured = values[2], dict(zip(numbers, values[3:], strict=True))
        self._require_finite("sum of the batch", values[0] + values[1])
        self._require_finite("loss", measured["loss"])
        self._require_finite("gradient's norm", measured["gradient's norm"])
        self._require_finite("squared gradient's norm", min(measured["gradient's norm"], self.config.grad_clip) ** 2)
        if not self._torn:
            self._keep()
        dead = self._commit(found, x, y, lr)
        record = TrainStep(
            step=self.step,
            tokens=self.tokens,
            loss=measured["loss"],
            fvu=unexplained(measured["error"], measured["variance"], measured["squared mean"]),
            l0=int(on) / len(x),
            dead=dead / self.sae.config.d_sae,
            lr=lr,
            sparsity=float(sparsity),
            parts={name[5:]: value for name, value in measured.items() if name.startswith("part ")},
        )
        self.history.append(record)
        self._torn = False  # from here on the step is a whole one
        return record

    def _doubt(self, y: Tensor) -> None:
        """Say once where a few rows of a batch hold most of its variance."""
        said = "" if self.doubt else doubt(top_share((y - y.mean(0)).square().sum(-1)))
        if said:
            self.doubt = f"In the batch of step {self.step + 1:,} {said}. {CURE[0].upper()}{CURE[1:]}."
            warnings.warn(self.doubt, stacklevel=4)

    def _commit(self, found: Gradients, x: Tensor, y: Tensor, lr: float) -> int:
        """Change everything that a step changes; `_undo` can take it back. Returns how many features are dead now."""
        for group in self._adam.param_groups:
            group["lr"] = lr
        try:
            self._adam.step()
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise MemoryError(f"no memory for the optimizer's step: {self._sizes(len(x))}") from error
        for weight in self._weights.values():
            weight.grad = None
        self.objective.after_step(self.step + 1)
        sums = [weight.detach().sum().double() for weight in self._weights.values()]
        self._count(found.fired, len(x))
        silent = (self._since_fired >= self.config.dead_window).sum().double()
        total, dead = torch.stack([torch.stack(sums).sum(), silent]).tolist()  # the step's second wait, and its last
        self._require_finite("weights' sum after it", total)
        self.step += 1
        self.tokens += len(x)
        if self.step in self.config.resample_at and dead:
            dead -= self._resample(x, y)
        if self.step == self.config.steps:
            self.objective.finish()
        self._none_dead = not dead
        return int(dead)

    def _gradients(self, x: Tensor, y: Tensor) -> Gradients:
        """The gradient of the whole batch, in as many parts as memory asks for."""
        # Which they are has to be waited for; that there are none is known from the step before.
        dead = self._none if self._none_dead else (self._since_fired >= self.config.dead_window).nonzero()[:, 0]
        while True:
            try:
                return self._in_parts(x, y, dead)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                size = min(self.micro_batch or len(x), -(-len(x) // self.ranks.size))
                if size == 1:
                    raise MemoryError(f"no memory for one row of the batch: {self._sizes(1)}") from error
                if self.objective.speaks and not self.ranks.alone:
                    few = f"TrainConfig(micro_batch={(size + 1) // 2})"
                    raise MemoryError(f"no memory for {size:,} rows; give {few}: {self._sizes(size)}") from error
            # Here, and not above: while the exception is handled, its traceback holds the tensors that took the memory.
            self.micro_batch = (size + 1) // 2
            for weight in self._weights.values():
                weight.grad = None
            if x.device.type == "cuda":
                torch.cuda.empty_cache()

    def _in_parts(self, x: Tensor, y: Tensor, dead: Tensor) -> Gradients:
        """The gradient and the loss of this rank's rows, as shares of the whole batch's."""
        for weight in self._weights.values():
            weight.grad = None
        own = self.ranks.share_of(len(x))
        if own.start == own.stop:
            raise ValueError(
                f"a batch of {len(x):,} rows has none for one of {self.ranks.size} processes; make it larger"
            )
        size = min(self.micro_batch or len(x), own.stop - own.start)
        parts = list(zip(x[own].split(size), y[own].split(size), strict=True))
        self.objective.survey(parts, self.step, len(x))
        found = []
        for part_x, part_y in parts:
            share = len(part_x) / len(x)
            one = self.objective.gradients(part_x, part_y, step=self.step, dead=dead, share=share)
            if len(part_x) == len(x):
                return one
            found.append((share, one))
        return Gradients(
            loss=torch.stack([share * one.loss for share, one in found]).sum(),
            squared_error=torch.stack([one.squared_error for _, one in found]).sum(),
            fired=torch.stack([one.fired for _, one in found]).sum(0),
            parts={
                name: torch.stack([share * one.parts[name] for share, one in found]).sum() for name in found[0][1].parts
            },
        )

    @torch.no_grad()
    def _over_ranks(self, found: Gradients) -> Gradients:
        """The whole batch's loss and counts; `.grad` becomes its gradient."""
        if self.ranks.alone:
            return found
        gradients = [weight.grad for weight in self._weights.values() if weight.grad is not None]
        for weight, whole in zip(self._weights.values(), self.ranks.sum_flat(gradients), strict=True):
            weight.grad = whole
        scalars = [found.loss, found.squared_error, *found.parts.values()]
        numbers = torch.cat([found.fired.double(), torch.stack([scalar.double() for scalar in scalars])])
        fired, (loss, squared_error, *parts) = self.ranks.sum(numbers).split([len(found.fired), len(scalars)])
        return Gradients(loss, squared_error, fired.long(), dict(zip(found.parts, parts, strict=True)))

    @torch.no_grad()
    def _resample(self, x: Tensor, y: Tensor) -> int:
        """Draw the dead features anew from this step's rows. Returns how many."""
        dead = (self._since_fired >= self.config.dead_window).nonzero()[:, 0]
        size = self.micro_batch or len(x)
        pairs = zip(x.split(size), y.split(size), strict=True)
        error = torch.cat([self.objective.row_errors(part_x, part_y) for part_x, part_y in pairs])
        moments = {name: self._moments(weight) for name, weight in self._weights.items()}
        drawn = resample(self.sae, x, y, error, dead, moments, seed=(self.sae.config.seed << 32) + self.step)
        self._since_fired[drawn] = 0
        self.ranks.same(self.tensors.values())
        return len(drawn)

    def _moments(self, weight: Tensor) -> dict[str, Tensor]:
        return {moment: self._adam.state[weight][moment] for moment in ("exp_avg", "exp_avg_sq")}

    def _sizes(self, rows: int) -> str:
        """What takes how much memory, for a person who has to find some."""
        weights = sum(w.numel() * 4 for w in self._weights.values())
        dense = 4 * rows * self.sae.config.d_sae
        return (
            f"the weights take {weights / 1e6:,.1f} MB on {self.sae.W_dec.device}, their gradient, Adam's moments and the "
            f"copies of all three but the gradient {6 * weights / 1e6:,.1f} MB, activations {dense / 1e6:,.1f} MB and more "
            f"for {rows:,} rows. Free some, or make a smaller SAE."
        )

    def _count(self, fired: Tensor, rows: int) -> None:
        """Who fired at this step, and who has not for how long."""
        self._since_fired += rows
        self._since_fired.masked_fill_(fired > 0, 0)  # an index by truth values would have to be waited for
        if int(self._window[0]) >= self.config.dead_window:
            self._fired[1] = self._fired[0]
            self._fired[0] = 0
            self._window[1] = self._window[0]
            self._window[0] = 0
        self._fired[0] += fired
        self._window[0] += rows

    def _keep(self) -> None:
        """Copy what the step is about to change."""
        self._saved_counts = (self.step, self.tokens, len(self.history))
        for name, tensor in self.tensors.items():
            if name in self._saved:
                self._saved[name].copy_(tensor)
            else:
                self._saved[name] = tensor.clone()
        self._torn = True

    @torch.no_grad()
    def _undo(self) -> None:
        """Back to the last whole step, if one is under way."""
        self._none_dead = False
        for weight in self._weights.values():
            weight.grad = None
        if not self._torn:
            return
        for name, tensor in self.tensors.items():
            tensor.copy_(self._saved[name])
        self.step, self.tokens, n = self._saved_counts
        del self.history[n:]
        self.set_adam_steps()
        self._torn = False

    def set_adam_steps(self) -> None:
        """Adam's own count of steps, by which it corrects its moments, is the run's."""
        for weight in self._weights.values():
            self._adam.state[weight]["step"].fill_(float(self.step))

    def _next_batch(self) -> tuple[Tensor, Tensor]:
        """The batch of this step, in SAE units."""
        if self._pending is not None and self._pending[0] == self.step:
            return self._pending[1:]
        # Every step takes one batch, so a run that goes on starts at batch number `step`. A store can jump there. An
        # iterator that was interrupted is started anew, unless it is all there is.
        jump = getattr(self._batches, "batches", None)
        if self._iterator is None or (self._fetching and (jump or iter(self._batches) is not self._batches)):
            self._iterator = iter(jump(start=self.step)) if jump else islice(self._batches, self.step, None)
        self._fetching = True
        batch = next(self._iterator, None)
        if batch is None:
            raise ValueError(f"the batches ran out after {self.step:,} of {self.config.steps:,} steps")
        x, y = self._in_sae_units(batch)
        self._pending = (self.step, x, y)
        self._fetching = False
        return x, y

    @torch.no_grad()
    def _in_sae_units(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the encoder gets and what is to be reconstructed: the same, but for a transcoder."""
        config, device = self.sae.config, self.sae.W_dec.device
        if isinstance(batch, Tensor) == config.is_transcoder:
            wanted = "pairs (x, y), since this is a transcoder" if config.is_transcoder else "one tensor a batch"
            raise ValueError(f"expected {wanted}, not {type(batch).__name__}")
        given = (batch,) if isinstance(batch, Tensor) else tuple(batch)
        widths = (("d_in", config.d_in), ("d_out", config.output_width))[: len(given)]
        for tensor, (name, width) in zip(given, widths, strict=True):
            if tensor.ndim != 2 or tensor.shape[1] != width or not len(tensor):
                raise ValueError(f"expected batches [batch, {name} = {width}], not {list(tensor.shape)}")
        if len(given[0]) != len(given[-1]):
            raise ValueError(f"the pairs have {len(given[0])} and {len(given[-1])} rows")
        x = self.sae.to_sae_units(given[0].to(device, torch.float32))
        return x, x if len(given) == 1 else self.sae.out_scale * given[1].to(device, torch.float32)

    def _require_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise FloatingPointError(
                f"step {self.step + 1}: the {what} is {value}; the weights are still those of step {self.step}. "
                "Look for bad values in the batch, or lower lr."
            )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch says by this that memory ran out, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def check_batches(batches: Any) -> None:
    """Raise TypeError, with what to type, on what is no stream of batches."""
    expect(
        batches,
        (isinstance(batches, Iterable) and not isinstance(batches, str | Mapping))
        or (callable(getattr(batches, "batches", None)) and not isinstance(batches, type)),
        "batches",
        "training",
        "give an ActivationStore, such as sw.ActivationStore(model, site, corpus), or a list of tensors [batch, d_in]",
    )


def train(
    sae: SAE,
    batches: Iterable[Batch],
    config: TrainConfig,
    *,
    resume: str | Path | None = None,
    on: Place | None = None,
) -> Run:
    """Train `sae`, in place, on batches [batch, d_in] in model units. Nothing runs until the result is iterated.

    Which loss: `config.objective`, or the first of `OBJECTIVES` for the SAE's architecture; each has its equation in
    its docstring. Losses are in SAE units, squared errors summed over d_in. An SAE that was trained before goes on from
    where it is.

    Args:
        sae: trained in place, on its own device.
        batches: an `ActivationStore`, any iterable of batches, or an object whose `batches(start)` gives one; for a
            transcoder, of pairs (x [batch, d_in], y [batch, d_out]). It must last for `config.steps` batches.
        config: how long, how fast and how sparse.
        resume: a checkpoint that `Run.save` wrote under the same configurations, or the folder of them, of which the
            last whole one is taken; LoadError if there is none.
        on: other processes to train in, such as `sw.Processes(8)`: each takes its share of every batch, and the weights are
            those that one process would get. `batches` must then be an `ActivationStore` that they can make again.

    Raises TypeError where something else than an SAE or a `TrainConfig` is given, and ValueError on an objective or
    settings that do not fit the SAE, or weights that are not float32. While it is iterated: FloatingPointError if the
    batch, the loss or the gradient is not finite, ValueError if the batches run out or have another shape, MemoryError,
    with sizes, if not even one row fits. Whatever is raised, the weights are those of the last whole step.

    Example:
        >>> from saewidgets.sae import SAEConfig
        >>> sae = SAE(SAEConfig(d_in=4, d_sae=16, architecture="topk", k=2))
        >>> run = train(sae, [torch.randn(32, 4) for _ in range(3)], TrainConfig(steps=3))
        >>> [step.tokens for step in run]
        [32, 64, 96]
    """
    if on is not None:
        trained: Run = place(on).train(sae, batches, config, resume=resume)
        return trained
    return Run(sae, batches, config, resume=resume)


def place(on: Any) -> Place:
    """What `on` says. Raises TypeError, with what to type, on anything else."""
    expect(on, asked(getattr(on, "train", None)) and not isinstance(on, type), "on", "training", "give sw.Processes(2)")
    found: Place = on
    return found


class Place(Protocol):
    """Where else to train: `sw.Processes`, `sw.Ray`."""

    def train(self, sae: SAE, batches: Any, config: TrainConfig, *, resume: str | Path | None = None) -> Any:
        """As the function `train`."""

    def train_sweep(
        self, runs: Mapping[str, tuple[SAE, TrainConfig]], batches: Any, *, resume: str | Path | None = None
    ) -> Any:
        """As the function `train_sweep`."""
