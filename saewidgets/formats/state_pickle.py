"""What the pickle in a `.pt` file says, followed step by step before torch unpickles it.

torch's restricted unpickler runs no code, but it sets aside whatever memory a pickle asks for, puts any object in a
dict, and writes whole objects into its error lines. A state dict needs little of that: names, numbers, texts,
`OrderedDict`, and arrays rebuilt from storages. So the pickle is first gone through with `pickletools`, on values that
are only described, and anything that `torch.save` does not write for a state dict is refused by its name.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any

from saewidgets.files import short

MAX_STEPS = 20_000  # opcodes; a state dict of 64 arrays takes 3,000
MAX_INT = 1 << 63
MAX_VALUES = 16  # in one tuple; the longest is a shape, of 8
STORAGES = {
    f"torch {name}Storage": size
    for size, names in {
        8: ("Double", "Long", "ComplexFloat"),
        4: ("Float", "Int"),
        2: ("Half", "BFloat16", "Short"),
        1: ("Bool", "Byte", "Char"),
        16: ("ComplexDouble",),
    }.items()
    for name in names
}
_DICT = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"
_SIZE = "torch Size"
_CALLED = (_DICT, _TENSOR, _PARAMETER, _SIZE)


class NotAStateDict(ValueError):
    """A pickle that is no state dict's, and what in it is not."""


class _Global(str):
    """The name of a class or function, as "module name"."""


class _Table(dict[str, Any]):
    """A dict, of which only the kind matters here."""


class _Made:
    """Something that a call makes: a storage of so many bytes, or an array."""

    def __init__(self, what: str, n_bytes: int = 0) -> None:
        self.what = what
        self.n_bytes = n_bytes


_MARK = object()


def check_state_pickle(pickle: bytes, stored: Mapping[str, int]) -> None:
    """Raise NotAStateDict unless this is the pickle of a state dict over arrays that are `stored`: bytes by storage
    key.

    Also ValueError and its like, from `pickletools`, on bytes that are no pickle. Neither time nor memory depends on
    what the pickle asks for.
    """
    machine = _Machine(stored)
    for step, (opcode, argument, _at) in enumerate(pickletools.genops(pickle)):
        if step >= MAX_STEPS:
            raise NotAStateDict(f"its pickle takes more than {MAX_STEPS:,} steps")
        machine.step(opcode.name, argument)


class _Machine:
    """A pickle machine whose objects are only descriptions of objects."""

    def __init__(self, stored: Mapping[str, int]) -> None:
        self.stored = stored
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.n_bytes = 0  # of all arrays so far; tied weights are one storage in two of them

    def step(self, name: str, argument: Any) -> None:
        if name in ("PROTO", "STOP"):
            return
        if name in ("BININT", "BININT1", "BININT2", "LONG1"):
            if abs(argument) >= MAX_INT:
                raise NotAStateDict("its pickle holds an integer of more than 64 bits")
            self.stack.append(argument)
        elif name in ("BINUNICODE", "BINFLOAT"):
            self.stack.append(argument)
        elif name in _VALUES:
            self.stack.append(_VALUES[name]())
        elif name == "GLOBAL":
            if argument not in STORAGES and argument not in _CALLED:
                raise NotAStateDict(
                    f"its pickle asks for {short(argument.replace(' ', '.'))}, which no state dict needs"
                )
            self.stack.append(_Global(argument))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            if argument not in self.memo:
                raise NotAStateDict("its pickle takes back what it has not kept")
            self.stack.append(self.memo[argument])
        elif name in _STEPS:
            _STEPS[name](self)
        else:
            raise NotAStateDict(f"its pickle uses {name}, which torch.save does not for a state dict")

    def pop(self, n: int) -> list[Any]:
        """The last n values."""
        if len(self.stack) < n:
            raise NotAStateDict("its pickle takes more from its stack than is there")
        taken = self.stack[len(self.stack) - n :]
        del self.stack[len(self.stack) - n :]
        return taken

    def to_mark(self) -> list[Any]:
        """The values since the last mark."""
        at = next((i for i in range(len(self.stack) - 1, -1, -1) if self.stack[i] is _MARK), -1)
        if at < 0:
            raise NotAStateDict("its pickle has no mark where it needs one")
        taken = self.pop(len(self.stack) - at)
        return taken[1:]

    def tuple_of(self, values: list[Any]) -> None:
        # A tuple of tuples of tuples, each holding the one below twice, would take 2^n steps to hash or to write out.
        nested = any(isinstance(v, tuple) and any(isinstance(w, tuple) for w in v) for v in values)
        if nested or len(values) > MAX_VALUES or _MARK in values:
            raise NotAStateDict("its pickle holds a tuple that no state dict needs")
        self.stack.append(tuple(values))

    def set_items(self, pairs: list[Any]) -> None:
        (table,) = self.stack[-1:] or [None]
        if not isinstance(table, _Table) or len(pairs) % 2:
            raise NotAStateDict("its pickle sets items of something that is no dict")
        for key in pairs[::2]:
            if type(key) is not str:
                kind = "a whole number" if type(key) is int else "something else than text"
                raise NotAStateDict(f"not a state dict: expected arrays by name, found {kind} as a key")

    def storage(self) -> None:
        (told,) = self.pop(1)
        if not (isinstance(told, tuple) and len(told) == 5 and told[0] == "storage"):
            raise NotAStateDict("its pickle refers to something that is no storage")
        _, kind, key, place, numbers = told
        if kind not in STORAGES or type(key) is not str or type(place) is not str or type(numbers) is not int:
            raise NotAStateDict("its pickle describes a storage as torch.save does not")
        if self.stored.get(key) != numbers * STORAGES[kind]:
            raise NotAStateDict(
                f"storage {short(key)} is announced with {numbers:,} numbers of {STORAGES[kind]} bytes, and "
                f"{self.stored.get(key, 0):,} bytes are stored"
            )
        self.stack.append(_Made("storage", self.stored[key]))

    def call(self) -> None:
        function, arguments = self.pop(2)
        kinds = tuple(_kind(a) for a in arguments) if isinstance(arguments, tuple) else None
        if not isinstance(function, _Global) or kinds not in _ARGUMENTS.get(function, ()):
            raise NotAStateDict(f"its pickle calls {short(function)} as torch.save does not")
        if function == _TENSOR:
            self.n_bytes += arguments[0].n_bytes
            if self.n_bytes > 2 * sum(self.stored.values()):
                raise NotAStateDict("its arrays take one storage many times over")
        self.stack.append(
            _Table() if function == _DICT else tuple(arguments[0]) if function == _SIZE else _Made("array")
        )

    def build(self) -> None:
        target, state = self.pop(2)
        if not isinstance(target, _Table) or not isinstance(state, _Table):
            raise NotAStateDict("its pickle sets the state of something that is no OrderedDict")
        self.stack.append(target)

    def append(self, values: list[Any]) -> None:
        if not (self.stack and isinstance(self.stack[-1], list)):
            raise NotAStateDict("its pickle appends to something that is no list")


def _kind(value: Any) -> str:
    """A word for what a value is, as `_ARGUMENTS` lists them."""
    if isinstance(value, tuple):
        return "shape" if all(type(v) is int for v in value) else "tuple"
    return value.what if isinstance(value, _Made) else type(value).__name__


_REBUILT = ("storage", "int", "shape", "shape", "bool", "_Table")  # storage, offset, size, stride, requires_grad, hooks
_ARGUMENTS: dict[str, tuple[tuple[str, ...], ...]] = {
    _DICT: ((),),
    _TENSOR: (_REBUILT,),
    _PARAMETER: (("array", "bool", "_Table"),),
    _SIZE: (("shape",),),
}
_VALUES: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": _Table,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_STEPS: dict[str, Callable[[_Machine], None]] = {
    "TUPLE": lambda m: m.tuple_of(m.to_mark()),
    "TUPLE1": lambda m: m.tuple_of(m.pop(1)),
    "TUPLE2": lambda m: m.tuple_of(m.pop(2)),
    "TUPLE3": lambda m: m.tuple_of(m.pop(3)),
    "SETITEM": lambda m: m.set_items(m.pop(2)),
    "SETITEMS": lambda m: m.set_items(m.to_mark()),
    "APPEND": lambda m: m.append(m.pop(1)),
    "APPENDS": lambda m: m.append(m.to_mark()),
    "BINPERSID": _Machine.storage,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
}
