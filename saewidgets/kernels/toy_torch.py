"""The plain kernel of the toy models: closed-form gradients by batched matrix products, Adam, on CPU or GPU.

L = mean over the batch of sum_i I_i (x'_i - t_i)^2 + l1 sum_k |h_k|, with t = x or |x|. With g = dL/d(pre-activation of
x'), dh = g D + l1 sign(h), masked where a ReLU is off: db = sum g, dD = g^T h, dW = dh^T x, and where D = W^T both in
one, h^T g + dh^T x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from saewidgets.kernels.toy import BETA1, BETA2, EPSILON, EVALUATION, ToySpec, ToyState, uniforms

ROWS = 1 << 22  # input numbers held at a time: more instances than that take turns within a step


class TorchToy:
    """Advances a `ToyState` by whole steps.

    Its random numbers are torch's own, from one generator seeded by `spec.seed`: the same inputs as the fused loop's in
    distribution, not one by one.
    """

    def __init__(self, spec: ToySpec, state: ToyState, device: str | torch.device = "cpu") -> None:
        self.spec = spec
        self.state = state
        self.device = torch.device(device)
        self._generator = torch.Generator(self.device).manual_seed(spec.seed)
        self._parts = {name: self._tensor(part) for name, part in state.parts.items()}
        self._moments = {k: (self._tensor(m), self._tensor(v)) for k, (m, v) in state.moments.items()}
        self._importance = self._tensor(spec.importance)
        self._radius = None if spec.radius is None else self._tensor(spec.radius)
        self._data = None if spec.data is None else self._tensor(spec.data.x.T.copy())
        self._drawn = Drawn.of(spec, self.device)

    @torch.no_grad()
    def advance(self, n_steps: int) -> np.ndarray:
        """Do `n_steps` optimizer steps; float32 [instance], the mean over them of the batch loss before each."""
        instances, n = self.spec.lo.shape
        size = 1 if self._data is not None else max(1, ROWS // (self.spec.batch_size * n))  # data sets differ in size
        slices = [slice(i, min(i + size, instances)) for i in range(0, instances, size)]
        total = torch.zeros(instances, dtype=torch.float32, device=self.device)
        for _ in range(n_steps):
            lr = self.spec.lr_at(self.state.step)
            self.state.step += 1
            for part in slices:
                x = self._inputs(part)
                parts = {name: value[part] for name, value in self._parts.items()}
                radius = None if self._radius is None else self._radius[part]
                loss, gradients = loss_and_gradients(self.spec, self._importance[part], x, **parts, radius=radius)
                total[part] += loss
                for name, gradient in gradients.items():
                    self._move(name, part, gradient, lr)
        for name, value in self.state.parts.items():
            value[...] = self._parts[name].cpu().numpy()
        return (total / max(n_steps, 1)).cpu().numpy()

    @torch.no_grad()
    def expected_loss(self, spec: ToySpec, W: np.ndarray, b: np.ndarray, D: np.ndarray | None, n: int) -> np.ndarray:
        """`toy.expected_loss` on the device, on the same numbers: of many instances NumPy takes longer than the
        training.
        """
        u = np.stack([uniforms(spec.seed, 0, EVALUATION, s, n) for s in range(spec.n_streams)], axis=-1)
        there = self._tensor(u)[None]
        parts = {name: self._tensor(value) for name, value in (("W", W), ("b", b), ("D", D)) if value is not None}
        plain = replace(spec, l1=0.0)  # an error alone
        size, found = max(1, ROWS // (n * W.shape[2])), []
        for first in range(0, len(W), size):
            part = slice(first, first + size)
            x = self._drawn.inputs(spec, there, part)
            own = {name: value[part] for name, value in parts.items()}
            found.append(loss(plain, self._importance[part], x, **own))
        value: np.ndarray = torch.cat(found).cpu().numpy()
        return value

    def _inputs(self, part: slice) -> Tensor:
        """float32 [instance, batch, n_features]: fresh ones, or of the data set: all of it where a batch holds it."""
        if self._data is None or self.spec.data is None:
            u = self._drawn.uniforms(part, self.spec.batch_size, self._generator)
            return self._drawn.inputs(self.spec, u, part)
        held, start = int(self.spec.data.size[part.start]), int(self.spec.data.start[part.start])
        own = self._data[None, start : start + held]
        if held <= self.spec.batch_size:
            return own
        at = torch.randint(held, (self.spec.batch_size,), generator=self._generator, device=self.device)
        return own[:, at]

    def _move(self, name: str, part: slice, gradient: Tensor, lr: float) -> None:
        if self.spec.weight_decay and name != "b":
            self._parts[name][part].mul_(1 - lr * self.spec.weight_decay)
        if self.spec.optimizer == "sgd":
            self._parts[name][part].sub_(gradient, alpha=lr)
            return
        value, mean, square = (t[part] for t in (self._parts[name], *self._moments[name]))
        mean.lerp_(gradient, 1 - BETA1)
        square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        step = self.state.step
        divisor = square.sqrt().div_(math.sqrt(1 - BETA2**step)).add_(EPSILON)
        value.addcdiv_(mean, divisor, value=-lr / (1 - BETA1**step))

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, device=self.device)


@dataclass(frozen=True)
class Drawn:
    """What of a `ToySpec` inputs are made by, as tensors on one device: moved there once, and not at every step."""

    lo: Tensor  # float32 [instance, 1, n_features]
    hi: Tensor
    gate: Tensor | None  # int64 [n_features]; None where each feature has its own stream
    shared: Tensor | None  # bool [n_features]; None where no value comes from a stream of its own
    n_streams: int

    @classmethod
    def of(cls, spec: ToySpec, device: torch.device) -> Drawn:
        """Those of a problem."""
        lo, hi = (torch.as_tensor(a).to(device)[:, None] for a in (spec.lo, spec.hi))
        gate = None if spec.n_streams == lo.shape[-1] else torch.as_tensor(spec.gate).to(device)
        shared = torch.as_tensor(spec.shared).to(device) if spec.shared.any() else None
        return cls(lo, hi, gate, shared, spec.n_streams)

    def uniforms(self, instances: slice, n: int, generator: torch.Generator) -> Tensor:
        """float32 [instance, n, n_streams], torch's own."""
        size = len(self.lo[instances]), n, self.n_streams
        return torch.rand(size, generator=generator, dtype=torch.float32, device=self.lo.device)

    def inputs(self, spec: ToySpec, u: Tensor, instances: slice) -> Tensor:
        """float32 [instance, n, n_features]: `toy.inputs` of uniform numbers u [instance or 1, n, n_streams]."""
        lo, hi = self.lo[instances], self.hi[instances]
        at_gate = u if self.gate is None else u[..., self.gate]
        value = (at_gate - lo).div_((hi - lo).clamp(min=1e-30))
        on = (at_gate >= lo) & (at_gate < hi)
        if self.shared is not None:
            value = torch.where(self.shared, u[..., : lo.shape[-1]], value)
        if spec.absolute:
            value = 2 * value - 1
        value = value * on
        if spec.inputs == "normalized":
            length = value.norm(dim=-1, keepdim=True)
            return value / torch.where(length > 0, length, 1.0)
        return value.sign() if spec.inputs == "binary" else value


def sample(spec: ToySpec, n: int, generator: torch.Generator, instances: slice = slice(None)) -> Tensor:
    """float32 [instance, n, n_features] on the generator's device: `toy.inputs`, from torch's uniform numbers."""
    drawn = Drawn.of(spec, generator.device)
    return drawn.inputs(spec, drawn.uniforms(instances, n, generator), instances)


def loss(
    spec: ToySpec,
    importance: Tensor,
    x: Tensor,
    W: Tensor,
    b: Tensor,
    D: Tensor | None = None,
    x_in: Tensor | None = None,
) -> Tensor:
    """The loss of each instance, [instance], by the definition, for autograd to differentiate: the plain version.

    Args:
        spec: which activations, which target, the weight of the L1 term.
        importance: [instance, n_features].
        x: inputs [instance, batch, n_features].
        W: [instance, n_hidden, n_features].
        b: [instance, n_features].
        D: [instance, n_features, n_hidden], or None for W^T.
        x_in: what the model gets in place of x, where it is attacked; the target stays x.
    """
    h = torch.einsum("ikn,isn->isk", W, x if x_in is None else x_in)
    if spec.relu_hidden:
        h = h.relu()
    y = torch.einsum("ink,isk->isn", W.mT if D is None else D, h) + b[:, None]
    if spec.relu:
        y = y.relu()
    error = y - (x.abs() if spec.absolute else x)
    squared = (importance[:, None] * error.square()).sum(-1)
    return (squared + spec.l1 * h.abs().sum(-1)).mean(-1)


def loss_and_gradients(
    spec: ToySpec,
    importance: Tensor,
    x: Tensor,
    W: Tensor,
    b: Tensor,
    D: Tensor | None = None,
    radius: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """(loss [instance], its gradients by name), in closed form; arguments as for `loss`.

    With `radius` [instance], the inputs are first moved by that length along the gradient of their own loss (Goodfellow
    et al. 2015, in L2): adversarial training.
    """
    target = x.abs() if spec.absolute else x
    if radius is not None:
        x = x + attack(spec, importance, x, radius, W, b, D)
    h, error, g = _forward(spec, importance, x, target, W, b, D)
    loss = (error.square() @ importance[:, :, None]).sum((-1, -2)) / x.shape[1]
    dh = g @ (W.mT if D is None else D)
    if spec.l1:
        loss += spec.l1 * h.abs().sum((-1, -2)) / x.shape[1]
        dh += h.sign() * (spec.l1 / x.shape[1])
    if spec.relu_hidden:
        dh *= h > 0
    dW = dh.mT @ x
    if D is None:
        return loss, {"W": dW.baddbmm_(h.mT, g), "b": g.sum(1)}
    return loss, {"W": dW, "b": g.sum(1), "D": g.mT @ h}


def attack(
    spec: ToySpec, importance: Tensor, x: Tensor, radius: Tensor, W: Tensor, b: Tensor, D: Tensor | None = None
) -> Tensor:
    """The step of length `radius` [instance], for each input, that raises its squared error fastest; 0 where nothing
    does.
    """
    h, _, g = _forward(spec, importance, x, x.abs() if spec.absolute else x, W, b, D)
    dh = g @ (W.mT if D is None else D)
    if spec.relu_hidden:
        dh *= h > 0
    dx = dh @ W
    value: Tensor = dx * (radius[:, None, None] / dx.norm(dim=-1, keepdim=True).clamp(min=1e-20))
    return value


def _forward(
    spec: ToySpec, importance: Tensor, x: Tensor, target: Tensor, W: Tensor, b: Tensor, D: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """(h [instance, batch, m], error x' - t [instance, batch, n], d loss / d pre-activation of x' [instance, batch,
    n]).
    """
    h = x @ W.mT
    if spec.relu_hidden:
        h.relu_()
    y = torch.baddbmm(b[:, None], h, W if D is None else D.mT)
    if spec.relu:
        y.relu_()
    error = y - target
    g = error * (importance * (2 / x.shape[1]))[:, None]
    return h, error, g.mul_(y > 0) if spec.relu else g
