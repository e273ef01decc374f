"""Whose turn it is on a TransformerLens object: one pass at a time, and no hook in a pass of another thread.

A notebook has several threads: its cells run in one, and each panel writes in one of its own. TransformerLens keeps
hooks on the model for everybody, so a cell's `run_with_cache` would hold what a panel computes, and a panel would write
under a cell's `run_with_hooks`. `guard` therefore puts a `Gate` before the object itself:

- `forward`, `run_with_cache` and `run_with_hooks` each have it alone, from beginning to end;
- hooks that TransformerLens takes away again (`hooks()`, `add_hook`) belong to the thread that added them. In that
  thread everything goes through them, this package's verbs included. Other threads wait until they are gone. They wait
  by looking, not by a lock that the hooks hold: hooks that are left behind, by an error, a generator that nobody
  finishes or a thread that has ended, can be removed by anybody, and there is no lock that only a dead thread could
  release;
- hooks for good (`add_perma_hook`, PyTorch's `register_forward_hook`) are part of the model, in every thread.

It is done by giving the object, and its hook points, a class derived from their own (as `torch.nn.utils.parametrize`
does), and not by wrapping bound methods: those would stay bound to the original in a `copy.copy`, and keep the object
alive in a cycle. A copy that shares the hook points shares their gate, a deep copy gets its own, and a pickle knows
nothing of it.
"""

from __future__ import annotations

import copy
import functools
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn

if TYPE_CHECKING:

    class RLock:
        """`threading.RLock`'s class, which the type stubs call final, and Python does not."""

        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
        def release(self) -> None: ...
        def __exit__(self, *error: object) -> None: ...
        def _is_owned(self) -> bool: ...

else:
    RLock = type(threading.RLock())

PATIENCE = 60.0  # seconds that a thread waits for another's hooks before it says so and gives up
LOOK = 0.005  # seconds between two looks

_KEY = "_saewidgets_gate"  # where a guarded object and its hook points keep their gate


@dataclass(eq=False)
class _Hold:
    """Hooks that belong to one thread, while they are there."""

    what: str
    there: Callable[[], bool]
    owner: weakref.ref[threading.Thread] = field(default_factory=lambda: weakref.ref(threading.current_thread()))

    @property
    def own(self) -> bool:
        """Whether this thread added them."""
        return self.owner() is threading.current_thread()

    @property
    def foreign(self) -> bool:
        """Whether a thread that still runs and is not this one added them. What an ended thread left is for everybody."""
        owner = self.owner()
        return owner is not None and owner is not threading.current_thread() and owner.is_alive()


class Gate(RLock):
    """A lock that a thread may take again, and that first waits until no other thread has hooks on the model.

    Example:
        >>> gate = Gate()
        >>> with gate, gate:
        ...     gate.waiting()
        ''
    """

    def __init__(self) -> None:
        self.depth = 0  # forward passes of the object under way, one within the other
        self._held: list[_Hold] = []  # changed with the lock held only
        self._next = threading.Lock()  # held by the one thread that has the lock next

    # `__exit__` is the base class's own, in C: an interrupt cannot come between it and the release.
    def __enter__(self) -> bool:
        """Take the lock. Raises RuntimeError after `PATIENCE` seconds of waiting for another thread's hooks."""
        before = self._times()
        try:
            if before or any(hold.own and hold.there() for hold in list(self._held)):
                self.acquire()  # whoever has hooks on the model now does not queue behind those who wait for their end
            else:
                with self._next:  # or a thread that asks again and again, such as a text's, would be the next each time
                    self.acquire()
                    if self._held:
                        self._wait()
            return True
        except BaseException:  # an interrupt, too, which may come as soon as the lock is taken
            if self._times() > before:
                self.release()
            raise

    # How often this thread has the lock; before Python 3.12, in some versions, only whether it has it.
    _times: ClassVar[Any] = getattr(RLock, "_recursion_count", None) or RLock._is_owned

    def waiting(self, seconds: float = 0.0) -> str:
        """Why this thread may not have the model now, after waiting up to `seconds` for it; "" where it may."""
        end = time.monotonic() + seconds
        while (hold := self._foreign()) is not None:
            if time.monotonic() >= end:
                return _sentence(hold)
            time.sleep(LOOK)
        return ""

    def hold(self, what: str, there: Callable[[], bool]) -> None:
        """This thread has hooks on the model as long as `there()`. Call it with the lock held."""
        self._held.append(_Hold(what, there))

    def _foreign(self) -> _Hold | None:
        return next((hold for hold in list(self._held) if hold.foreign and hold.there()), None)

    def _wait(self) -> None:
        """With the lock held once, before and after."""
        end = time.monotonic() + PATIENCE
        while True:
            self._held = [hold for hold in self._held if hold.there()]
            hold = self._foreign()
            if hold is None:
                return
            if time.monotonic() >= end:
                raise RuntimeError(f"waited {PATIENCE:g} seconds for this model: {_sentence(hold)}")
            self.release()
            try:
                time.sleep(LOOK)
            finally:
                self.acquire()

    def __deepcopy__(self, memo: Any) -> Gate:
        return Gate()


def _sentence(hold: _Hold) -> str:
    owner = hold.owner()
    who = "a cell" if owner is threading.main_thread() else f"thread {owner.name if owner else 'that ended'!r}"
    return (
        f"{who} holds hooks on this model ({hold.what}); they go with the end of its `with model.hooked.hooks(...)` or with "
        "model.hooked.reset_hooks(). Hooks that should act in every thread are added with add_perma_hook"
    )


def guard(hooked: nn.Module) -> Gate:
    """The gate of a TransformerLens object, which is put before it and its hook points where it is not there yet."""
    points = [m for m in hooked.modules() if _is_point(m)]
    points += [p for p in getattr(hooked, "hook_dict", {}).values() if _is_point(p)]
    with _GUARD:
        known = (m.__dict__[_KEY] for m in (hooked, *points) if _KEY in m.__dict__)  # a copy shares its hook points
        gate: Gate = next(known, None) or Gate()
        for module, change in ((hooked, _object), *((point, _point) for point in points)):
            module.__dict__[_KEY] = gate
            if not issubclass(type(module), _Guarded):
                object.__setattr__(module, "__class__", change(type(module)))  # type: ignore[arg-type]
    return gate


_GUARD = threading.Lock()


class _Guarded:
    """What both derived classes share: they copy as they are, and pickle as the class that they derive from."""

    def __copy__(self) -> Any:
        other = object.__new__(type(self))
        other.__setstate__(self.__dict__)  # type: ignore[attr-defined]
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        other = memo[id(self)] = object.__new__(type(self))
        other.__setstate__(copy.deepcopy(self.__dict__, memo))  # type: ignore[attr-defined]
        return other

    def __reduce_ex__(self, protocol: Any) -> Any:
        reduced: Any = super().__reduce_ex__(2)  # whatever the protocol: a new object of a class, and its state
        state = {name: value for name, value in reduced[2].items() if name != _KEY}
        return (object.__new__, (type(self).__mro__[2],), state)


@functools.cache
def _object(kind: type) -> type:
    """A TransformerLens class whose passes and hooks go through the gate."""
    own = {name: _alone(getattr(kind, name)) for name in ("run_with_cache", "run_with_hooks") if hasattr(kind, name)}
    return _derived(kind, own | {"forward": _forward(kind.forward), "hooks": _hooks(kind.hooks)})  # type: ignore[attr-defined]


@functools.cache
def _point(kind: type) -> type:
    """A hook point that remembers who added which hook."""
    return _derived(kind, {"add_hook": _add_hook(kind.add_hook)})  # type: ignore[attr-defined]


def _derived(kind: type, methods: dict[str, Any]) -> type:
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (_Guarded, kind), names | methods)


def _alone(method: Any) -> Any:
    @functools.wraps(method)
    def alone(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self.__dict__[_KEY]:
            return method(self, *args, **kwargs)

    return alone


def _forward(method: Any) -> Any:
    @functools.wraps(method)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        gate = self.__dict__[_KEY]
        with gate:
            gate.depth += 1
            try:
                return method(self, *args, **kwargs)
            finally:
                gate.depth -= 1

    return forward


def _hooks(method: Any) -> Any:
    @functools.wraps(method)
    @contextmanager
    def hooks(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        gate = self.__dict__[_KEY]
        left: list[bool] = []
        with ExitStack() as stack:
            with (
                gate
            ):  # TransformerLens counts its levels for all threads: the next one may begin only when this one is over
                stack.callback(left.append, True)
                gate.hold("hooks()", lambda: not left)
                entered = stack.enter_context(method(self, *args, **kwargs))
            yield entered

    return hooks


def _add_hook(method: Any) -> Any:
    @functools.wraps(method)
    def add_hook(self: Any, *args: Any, **kwargs: Any) -> Any:
        gate = self.__dict__[_KEY]
        with gate:
            before = {id(handle) for handle in (*self.fwd_hooks, *self.bwd_hooks)}
            found = method(self, *args, **kwargs)
            for handle in (*self.fwd_hooks, *self.bwd_hooks):
                if id(handle) not in before and not handle.is_permanent:
                    gate.hold(self.name or "a hook point", functools.partial(_registered, handle.hook))
        return found

    return add_hook


def _registered(handle: Any) -> bool:
    """Whether PyTorch still has the hook of a RemovableHandle."""
    hooks = handle.hooks_dict_ref()
    return hooks is not None and handle.id in hooks


def _is_point(module: Any) -> bool:
    return any(kind.__name__ == "HookPoint" for kind in type(module).__mro__)
