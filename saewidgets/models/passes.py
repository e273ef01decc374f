"""Single forward passes of a TransformerLens object: alone, and with hooks that answer in that pass only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from saewidgets.decoder import Edit
from saewidgets.files import unknown
from saewidgets.models.backends import Backend
from saewidgets.models.gate import Gate
from saewidgets.records.arguments import expect

Hook = Callable[[nn.Module, Any, Tensor], Tensor | None]  # as PyTorch calls it; None: the activation stays

_PER_HEAD = ("hook_q", "hook_k", "hook_v", "hook_z")  # [batch, pos, head, d_head] on a HookedTransformer


def _flat(hook_name: str, activation: Tensor) -> Tensor:
    """One vector per token: at a per-head hook point head after head, [batch, pos, head * d_head], as a bridge has it."""
    per_head = activation.ndim == 4 and hook_name.rpartition(".")[2] in _PER_HEAD
    return activation.flatten(2) if per_head else activation


class _Captured(Exception):
    """Carries an activation out of a forward pass."""

    def __init__(self, activation: Tensor) -> None:
        self.activation = activation


class Passes:
    """The forward passes of a `Model` on rows of tokens that were checked, int64 [batch, pos] on its device.

    Each takes the lock for itself. `name` is what the model is called in an error.
    """

    def __init__(self, backend: Backend, lock: Gate, name: str) -> None:
        self.backend, self.lock, self.name = backend, lock, name
        self._points: dict[str, nn.Module] = {}  # hook points that were asked for, by name

    def point(self, hook_name: str) -> nn.Module:
        """The hook point of a name. Raises ValueError on an unknown one, with the nearest."""
        how = "give a name such as 'blocks.2.hook_resid_post'; model.hook_names lists them"
        expect(hook_name, str, "hook_name", "a model", how)
        if hook_name not in self._points:  # a bridge takes 1 ms to list its hooks, too long for every token
            points: Any = self.backend.hooked.hook_dict
            if hook_name not in points:
                raise ValueError(unknown("hook", hook_name, points))
            self._points[hook_name] = points[hook_name]
        return self._points[hook_name]

    def logits(self, rows: Tensor, edit: Edit | None = None) -> Tensor:
        """Logits [batch, pos, d_vocab]."""
        with self.edited(edit):
            return self.backend.forward(rows)

    def captured(self, rows: Tensor, hook_name: str) -> Tensor:
        """What flows through a hook point, [batch, pos, d]; the pass ends there."""

        def capture(activation: Tensor, start: int) -> Tensor:
            raise _Captured(activation)

        try:
            with self.edited(Edit(hook_name, capture)):
                self.backend.forward(rows)
        except _Captured as captured:
            return captured.activation.clone()
        raise self._nothing(hook_name)

    def read(self, rows: Tensor, hook_names: Sequence[str], edit: Edit | None) -> dict[str, Tensor]:
        """What flows through several hook points, {name: [batch, pos, d]}; at the edited one after the edit."""
        points = {name: self.point(name) for name in hook_names}
        found: dict[str, Tensor] = {}

        def keep(name: str, ours: Callable[[], bool]) -> Hook:
            def hook(module: nn.Module, inputs: Any, activation: Tensor) -> None:
                if ours():
                    found[name] = _flat(name, activation).clone()

            return hook

        with self.edited(edit) as ours:  # its hook comes first, so that ours sees what it made
            self._hooked(rows, [(point, keep(name, ours)) for name, point in points.items()])
        self._all_found(found, hook_names)
        return found

    def gradient(
        self, rows: Tensor, hook_name: str, score: Callable[[Tensor], Tensor], push: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(scores [batch] of the logits, their gradient with respect to what flows through a hook point, [batch, pos,
        d]), with a push [batch, pos, d] added there if asked.
        """
        point = self.point(hook_name)
        leaves: list[Tensor] = []

        def hook(module: nn.Module, inputs: Any, activation: Tensor) -> Tensor | None:
            if not ours():
                return None
            own = _flat(hook_name, activation).detach()
            leaves.append((own.clone() if push is None else own + push.to(own)).requires_grad_())
            return leaves[-1].view(activation.shape)

        with self.lock, torch.inference_mode(False), torch.enable_grad():
            ours = self._ours()
            scores = score(self._hooked(rows.clone(), [(point, hook)]))
            found = torch.autograd.grad(scores.sum(), leaves, allow_unused=True) if leaves else (None,)
        if len(found) != 1 or found[0] is None:
            raise ValueError(f"the logits of {self.name} do not depend on {hook_name} in a plain forward pass")
        return scores.detach(), found[0]

    def linked(self, rows: Tensor, hook_names: Sequence[str]) -> dict[str, Tensor]:
        """What flows through several hook points in one forward pass, [batch, pos, d] each, with the graph between
        them: torch can go back from one to another that lies before it. Nothing before the first is in it.
        """
        points = {name: self.point(name) for name in hook_names}
        found: dict[str, Tensor] = {}

        def keep(name: str, ours: Callable[[], bool]) -> Hook:
            def hook(module: nn.Module, inputs: Any, activation: Tensor) -> Tensor | None:
                if not ours():
                    return None
                if found:
                    found[name] = activation
                    return None
                found[name] = activation.detach().clone().requires_grad_()  # the first: the graph begins here
                return found[name]

            return hook

        with self.lock, torch.inference_mode(False), torch.enable_grad():
            ours = self._ours()
            self._hooked(rows.clone(), [(point, keep(name, ours)) for name, point in points.items()])
        self._all_found(found, hook_names)
        return found

    @contextmanager
    def edited(self, edit: Edit | None, *, start: int = 0, rows: int | None = None) -> Iterator[Callable[[], bool]]:
        """The lock, no gradients, and one hook that answers in this pass only and goes away whatever happens.

        It gives what says to a hook whether it is asked in this pass. The hook is put on the hook point as PyTorch does
        it: TransformerLens's own context managers clear whatever they find on their way out, a user's hooks included.
        """

        def hook(module: nn.Module, inputs: Any, activation: Tensor) -> Tensor | None:
            if edit is None or not ours():
                return None
            shape, activation = activation.shape, _flat(edit.hook_name, activation)
            if activation.ndim != 3:
                raise ValueError(
                    f"{edit.hook_name} holds {activation.ndim} axes, not [batch, pos, d]: it cannot be a site"
                )
            moved = edit.function(activation[:rows], start)
            moved = moved if rows is None else torch.cat([moved, activation[rows:]])
            return moved if len(shape) == 3 else moved.reshape(shape)

        with self.lock, torch.no_grad():
            ours = self._ours()
            if edit is None:
                yield ours
                return
            handle = self.point(edit.hook_name).register_forward_hook(hook)
            try:
                yield ours
            finally:
                handle.remove()

    def _hooked(self, rows: Tensor, hooks: Iterable[tuple[nn.Module, Hook]]) -> Tensor:
        """The logits of a forward pass with a hook on each of some hook points, which go away whatever happens."""
        handles = [point.register_forward_hook(hook) for point, hook in hooks]
        try:
            return self.backend.forward(rows)
        finally:
            for handle in handles:
                handle.remove()

    def _all_found(self, found: Collection[str], hook_names: Sequence[str]) -> None:
        for name in hook_names:
            if name not in found:
                raise self._nothing(name)

    def _ours(self) -> Callable[[], bool]:
        """Whether a hook is asked in the next forward pass of this thread, and not in one within it: an edit's
        function, or a hook of the user's, may ask the model something of its own. Call it with the lock held.
        """
        owner, depth, gate = threading.get_ident(), self.lock.depth + 1, self.lock
        return lambda: gate.depth <= depth and threading.get_ident() == owner

    def _nothing(self, hook_name: str) -> ValueError:
        return ValueError(f"{hook_name} exists in {self.name}, but nothing flows through it in a plain forward pass")
