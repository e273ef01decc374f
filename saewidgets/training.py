"""Training an SAE: a generator of `TrainStep`, one optimizer step for each `next`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saewidgets.files import LoadError, read_tensors, unknown, write_tensors
from saewidgets.kernels.topk import AuxK, FastTopK
from saewidgets.records import TrainStep
from saewidgets.sae import SAE

PRECISIONS = ("float32", "bf16")
_NAMES = ("W_enc", "b_enc", "W_dec", "b_dec")


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast. Shares are of `steps`.

    Raises ValueError on a value that cannot be.

    Example:
        >>> config = TrainConfig(steps=1000, lr=1e-3, lr_warmup=0.0)
        >>> config.lr_at(0), config.lr_at(900), config.lr_at(1000)
        (0.001, 0.0005, 0.0)
    """

    steps: int
    lr: float = 5e-4  # Adam's, at its highest
    betas: tuple[float, float] = (0.9, 0.999)  # Adam's
    lr_warmup: float = 0.02  # share over which the learning rate rises linearly
    lr_decay: float = 0.2  # share, at the end, over which it falls linearly to 0
    l1_warmup: float = 0.05  # relu only: share over which lambda rises linearly from 0
    grad_clip: float = 1.0  # largest norm of the whole gradient
    dead_window: int = 500_000  # a feature is dead that has not fired for so many tokens
    aux_k: int | None = None  # topk only: dead features in AuxK at each token; None: d_in / 2; 0: no AuxK
    aux_coefficient: float = 1 / 32  # topk only: weight of AuxK
    prefixes: tuple[
        int, ...
    ] = ()  # topk only: sizes of the nested dictionaries of a Matryoshka SAE, d_sae last; (): flat
    precision: str = "float32"  # "bf16": the encoder's product in bfloat16 (topk only), faster and a little coarser

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be 1 or more, not {self.steps}")
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"lr must be positive, not {self.lr}")
        for name in ("lr_warmup", "lr_decay", "l1_warmup"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share of the steps, 0 to 1, not {getattr(self, name)}")
        if not self.grad_clip > 0:
            raise ValueError(f"grad_clip must be positive, not {self.grad_clip}")
        if self.dead_window < 1:
            raise ValueError(f"dead_window must be 1 token or more, not {self.dead_window}")
        object.__setattr__(self, "prefixes", tuple(self.prefixes))
        if list(self.prefixes) != sorted({p for p in self.prefixes if p > 0}):
            raise ValueError(f"prefixes must be positive and ascending, not {self.prefixes}")
        if self.precision not in PRECISIONS:
            raise ValueError(unknown("precision", self.precision, PRECISIONS))

    @classmethod
    def anthropic_april_2024(cls, steps: int = 200_000) -> TrainConfig:
        """The schedule that *Scaling Monosemanticity* refers to (S6), for a ReLU SAE with l1_coefficient = 5.

        Adam (0.9, 0.999) at 5e-5, constant, then falling to 0 over the last 20 %; lambda rises over the first 5 %; gradient
        norm clipped to 1; no resampling. It expects inputs with mean |x|^2 = d_in and batches of 2048 to 4096.
        """
        return cls(
            steps, lr=5e-5, betas=(0.9, 0.999), lr_warmup=0.0, lr_decay=0.2, l1_warmup=0.05, grad_clip=1.0, aux_k=0
        )

    def lr_at(self, step: int) -> float:
        """Learning rate after `step` finished steps: the next step uses it."""
        rise = min(1.0, (step + 1) / (self.lr_warmup * self.steps + 1))
        fall = min(1.0, (self.steps - step) / (self.lr_decay * self.steps)) if self.lr_decay else 1.0
        return self.lr * rise * max(fall, 0.0)

    def l1_at(self, step: int) -> float:
        """Share of lambda in force after `step` finished steps: 0 at first, 1 from `l1_warmup` on."""
        return min(1.0, step / (self.l1_warmup * self.steps)) if self.l1_warmup else 1.0


def relu_loss(sae: SAE, x: Tensor, l1_coefficient: float) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of *Scaling Monosemanticity* (S4) on x [batch, d_in] in model units.

        L = mean over the batch of ( |s x - x_hat|^2 + lambda sum_i a_i |W_dec_i| )

    The squared error is summed over d_in, in SAE units. Returns (L, sum of the squared error, activations [batch, d_sae]).
    """
    a = sae.encode(x)
    squared_error = (a @ sae.W_dec + sae.b_dec - sae.scale * x).square().sum()
    sparsity = (a @ sae.W_dec.norm(dim=-1)).sum()
    return (squared_error + l1_coefficient * sparsity) / len(x), squared_error, a


class Run:
    """A training under way: `next(run)` does one step and gives its `TrainStep`. Not to call `next` is to pause.

    `sae` is trained in place, so it can be looked at between steps. `history` holds the steps so far.
    """

    def __init__(
        self,
        sae: SAE,
        batches: Iterable[Tensor],
        config: TrainConfig,
        *,
        resume: str | Path | None = None,
    ) -> None:
        self.sae = sae
        self.config = config
        self.step = 0
        self.tokens = 0
        self.history: list[TrainStep] = []
        self._batches = batches
        self._iterator: Iterator[Tensor] | None = None
        self._since_fired = torch.zeros(sae.config.d_sae, dtype=torch.int64, device=sae.W_dec.device)  # tokens
        if sae.config.to_dict()["format"] != 1:
            raise ValueError(
                f"train makes relu and topk SAEs as their papers have them; this one is {sae.config.architecture}, with "
                f"apply_b_dec_to_input={sae.config.subtracts_b_dec} and input_normalization="
                f"{sae.config.input_normalization!r}: load it trained, or train another"
            )
        if config.prefixes and config.prefixes[-1] != sae.config.d_sae:
            raise ValueError(f"the last of prefixes {config.prefixes} must be d_sae = {sae.config.d_sae}")
        self._fast = FastTopK(sae.config.k, prefixes=config.prefixes, bf16=config.precision == "bf16")
        self._adam = torch.optim.Adam(self._weights, lr=config.lr, betas=config.betas, fused=True)
        if resume is not None:
            self._restore(resume)

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> TrainStep:
        """One optimizer step. Raises FloatingPointError, with the weights of the step before, if the loss is not finite."""
        if self.step >= self.config.steps:
            raise StopIteration
        batch = self._next_batch()
        if self.step == 0 and self.sae.config.architecture == "topk":
            self._center(batch)
        lr = self.config.lr_at(self.step)
        topk = self.sae.config.architecture == "topk"
        loss, squared_error, fired, active = self._topk_gradients(batch) if topk else self._relu_gradients(batch)
        self._require_finite("loss", float(loss))
        if topk:
            self._remove_radial()
        norm = torch.nn.utils.clip_grad_norm_(self._weights, self.config.grad_clip)
        self._require_finite("gradient's norm", float(norm))
        for group in self._adam.param_groups:
            group["lr"] = lr
        self._adam.step()
        self._adam.zero_grad()
        if topk:
            with torch.no_grad():
                self.sae.W_dec.div_(self.sae.W_dec.norm(dim=-1, keepdim=True))
        self._since_fired += len(batch)
        self._since_fired[fired] = 0
        self.step += 1
        self.tokens += len(batch)
        variance = (self.sae.scale * (batch - batch.mean(0))).square().sum()
        self.history.append(
            TrainStep(
                step=self.step,
                tokens=self.tokens,
                loss=float(loss),
                fvu=float(squared_error / variance),
                l0=float(active) / len(batch),
                dead=float((self._since_fired >= self.config.dead_window).float().mean()),
                lr=lr,
            )
        )
        return self.history[-1]

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, one file, atomically: weights, Adam's moments, counters, and both configurations.

        `train(sae, batches, config, resume=path)` then goes on bit for bit as if it had not stopped, on the same machine,
        torch and thread count, if `batches` gives the same batches again. Raises ValueError if a weight is not finite.
        """
        tensors: dict[str, np.ndarray] = {
            "step": np.array([self.step, self.tokens], np.int64),
            "since_fired": self._since_fired.cpu().numpy(),
            "config": np.frombuffer(self._fingerprint().encode(), np.uint8),
        }
        for name, weight in zip(_NAMES, self._weights, strict=True):
            tensors[name] = weight.detach().cpu().numpy()
            for moment in ("exp_avg", "exp_avg_sq"):
                value = self._adam.state[weight].get(moment, torch.zeros_like(weight))  # none before the first step
                tensors[f"{moment}.{name}"] = value.detach().cpu().numpy()
        write_tensors(path, tensors)

    @property
    def _weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.sae.W_enc, self.sae.b_enc, self.sae.W_dec, self.sae.b_dec

    def _fingerprint(self) -> str:
        """What must be equal for a checkpoint to be continued."""
        sae = {name: value for name, value in self.sae.config.to_dict().items() if name != "format"}
        return json.dumps({"sae": sae, "train": asdict(self.config)}, sort_keys=True)

    def _restore(self, path: str | Path) -> None:
        names = {"step", "since_fired", "config"}
        names |= {f"{prefix}{name}" for name in _NAMES for prefix in ("", "exp_avg.", "exp_avg_sq.")}
        tensors = read_tensors(path, names=names)
        if bytes(tensors["config"].astype(np.uint8)) != self._fingerprint().encode():
            raise LoadError(path, "this checkpoint was written with another SAEConfig or TrainConfig")
        expected: dict[str, tuple[Any, tuple[int, ...]]] = {
            "step": (np.int64, (2,)),
            "since_fired": (np.int64, (self.sae.config.d_sae,)),
        }
        for name, weight in zip(_NAMES, self._weights, strict=True):
            for prefix in ("", "exp_avg.", "exp_avg_sq."):
                expected[prefix + name] = (np.float32, tuple(weight.shape))
        for name, (dtype, shape) in expected.items():
            if tensors[name].dtype != dtype or tensors[name].shape != shape:
                raise LoadError(path, f"{name} is {tensors[name].dtype} {list(tensors[name].shape)}")
        self.step, self.tokens = (int(n) for n in tensors["step"])
        self._since_fired.copy_(torch.from_numpy(tensors["since_fired"]))
        for name, weight in zip(_NAMES, self._weights, strict=True):
            with torch.no_grad():
                weight.copy_(torch.from_numpy(tensors[name]))
            if self.step:
                self._adam.state[weight] = {
                    "step": torch.tensor(float(self.step), device=weight.device),
                    "exp_avg": torch.from_numpy(tensors[f"exp_avg.{name}"]).to(weight.device),
                    "exp_avg_sq": torch.from_numpy(tensors[f"exp_avg_sq.{name}"]).to(weight.device),
                }

    def _next_batch(self) -> Tensor:
        if self._iterator is None:
            # Every step takes one batch, so a resumed run starts at batch number `step`. A store can jump there.
            jump = getattr(self._batches, "batches", None)
            self._iterator = iter(jump(start=self.step)) if jump else islice(self._batches, self.step, None)
        batch = next(self._iterator, None)
        if batch is None:
            raise ValueError(f"the batches ran out after {self.step:,} of {self.config.steps:,} steps")
        if batch.ndim != 2 or batch.shape[1] != self.sae.config.d_in:
            raise ValueError(f"expected batches [batch, d_in = {self.sae.config.d_in}], not {list(batch.shape)}")
        return batch.to(self.sae.W_dec.device, torch.float32)

    @torch.no_grad()
    def _center(self, batch: Tensor) -> None:
        """Start b_dec at the mean activation, so that no feature has to learn it."""
        mean = self.sae.scale * batch.mean(0)
        self._require_finite("mean of the first batch", float(mean.sum()))
        self.sae.b_dec.copy_(mean)

    def _topk_gradients(self, batch: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Fill `.grad`; return loss, squared error, the features that fired, and the number of activations."""
        dead = (self._since_fired >= self.config.dead_window).nonzero()[:, 0]
        aux_k = self.sae.config.d_in // 2 if self.config.aux_k is None else self.config.aux_k
        aux = AuxK(dead, aux_k, self.config.aux_coefficient) if aux_k and len(dead) else None
        step = self._fast(self.sae.scale * batch, self._weights, aux)
        for weight, gradient in zip(self._weights, step.gradients, strict=True):
            weight.grad = gradient.contiguous()
        on = step.values > 0
        return step.loss, step.squared_error, step.indices[on], on.sum()

    def _relu_gradients(self, batch: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The same for the loss of S4, by autograd."""
        coefficient = self.sae.config.l1_coefficient * self.config.l1_at(self.step)
        loss, squared_error, a = relu_loss(self.sae, batch, coefficient)
        loss.backward()
        on = a.detach() > 0
        return loss.detach(), squared_error.detach(), on.any(0), on.sum()

    @torch.no_grad()
    def _remove_radial(self) -> None:
        """Rows of W_dec have norm 1: the part of the gradient along a row would only be undone afterwards."""
        W_dec, gradient = self.sae.W_dec, self.sae.W_dec.grad
        assert gradient is not None
        gradient.sub_(W_dec * (W_dec * gradient).sum(-1, keepdim=True))

    def _require_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            self._adam.zero_grad()
            raise FloatingPointError(
                f"step {self.step + 1}: the {what} is {value}; the weights are still those of step {self.step}. "
                "Look for bad values in the batch, or lower lr."
            )


def train(
    sae: SAE,
    batches: Iterable[Tensor],
    config: TrainConfig,
    *,
    resume: str | Path | None = None,
) -> Run:
    """Train `sae`, in place, on batches [batch, d_in] in model units. Nothing runs until the result is iterated.

    TopK: loss |x - x_hat|^2 plus AuxK (Gao et al. 2024), over nested dictionaries where `config.prefixes` names them; decoder rows keep norm 1; b_dec starts at the first batch's mean.
    ReLU: `relu_loss`, decoder norms free (Templeton et al. 2024). Losses are in SAE units.

    Args:
        sae: trained in place, on its own device.
        batches: an `ActivationStore`, or any iterable of batches; it must last for `config.steps` batches.
        config: how long and how fast.
        resume: a checkpoint that `Run.save` wrote under the same configurations; LoadError if it is not one.

    Raises, while it is iterated: FloatingPointError if the loss is not finite, ValueError if the batches run out.

    Example:
        >>> from saewidgets.sae import SAEConfig
        >>> sae = SAE(SAEConfig(d_in=4, d_sae=16, architecture="topk", k=2))
        >>> run = train(sae, [torch.randn(32, 4) for _ in range(3)], TrainConfig(steps=3))
        >>> [step.tokens for step in run]
        [32, 64, 96]
    """
    return Run(sae, batches, config, resume=resume)
