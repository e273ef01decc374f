"""A stand-in for a GPU, where there is none: tensors on a device of their own, which the CPU computes.

What goes wrong on a GPU and nowhere else is, most of the time, where a tensor lies: two of them on different devices,
NumPy asked to read one, and a host that waits for the device at every step. A `Placed` tensor says that it is on the
device "gpu", has its numbers in a tensor on the CPU, and is refused by torch or by `Device` for what a GPU refuses.
`Device.waits` lists each operation whose result the host had to wait for. Memory, speed and the kernels that are for
CUDA alone are not stood in for.

`install()` changes torch for the whole process: call it in one that does nothing else.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

NAME = "gpu"
aten = torch.ops.aten

# The shape or value of their result is known to the device alone.
WAITS = {
    aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default, aten.bincount.default,
    aten.equal.default, aten.repeat_interleave.Tensor, aten._unique2.default, aten.unique_dim.default,
}  # fmt: skip
# These take an index or a source that lies on the CPU, as they do for CUDA.
MIXED = {aten.copy_.default, aten.index.Tensor, aten.index_put_.default, aten._index_put_impl_.default}


def install() -> None:
    """Make "gpu" a device that torch knows: guards, a module, autocast (which casts nothing)."""
    from torch.utils import backend_registration as backends

    class Module(backends._DummyBackendModule):  # type: ignore[misc]
        def get_amp_supported_dtype(self) -> list[torch.dtype]:
            return [torch.bfloat16, torch.float16]

        def current_device(self) -> int:
            return 0

    backends._setup_privateuseone_for_python_backend(NAME, backend_module=Module())
    library = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")
    library.fallback(torch.library.fallthrough_kernel)
    _KEPT.append(library)
    own = torch.Generator

    class Generator:  # the device's random numbers are the CPU's
        def __new__(cls, device: Any = "cpu") -> Any:
            return own("cpu" if torch.device(device).type == NAME else device)

    torch.Generator = Generator  # type: ignore[misc]
    torch.tensor, torch.as_tensor = _moved(torch.tensor), _moved(torch.as_tensor)  # they copy without asking a mode


def _moved(make: Any) -> Any:
    def moved(data: Any, *args: Any, device: Any = None, **more: Any) -> torch.Tensor:
        if device is None or torch.device(device).type != NAME:
            return make(data, *args, device=device, **more)
        found: torch.Tensor = make(data, *args, **more).to(device)
        return found

    return moved


_KEPT: list[Any] = []  # a library's registrations go with it


class Placed(torch.Tensor):
    """A tensor that says it is on the device, over one on the CPU that has its numbers."""

    inner: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Placed:
        made: Placed = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
        )
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _dispatched(func, args, kwargs or {}, [])

    def tolist(self) -> Any:
        """One wait, as for any tensor on a GPU."""
        if Device.now is not None:
            Device.now.waits.append("tolist")
        return self.inner.tolist()

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"Placed({self.inner!r})"


class Device(TorchDispatchMode):
    """While it is entered, tensors can be made on the device."""

    now: Device | None = None

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __enter__(self) -> Device:
        self._depth = getattr(self, "_depth", 0) + 1
        Device.now = self
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._depth -= 1
        Device.now = self if self._depth else None
        super().__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.is_inference_mode_enabled() and func._can_decompose():  # it comes whole, and not in its parts
            with self, torch.inference_mode(False), torch.no_grad():
                return func.decompose(*args, **(kwargs or {}))
        return _dispatched(func, args, kwargs or {}, self.waits)


def _dispatched(func: Any, args: Any, kwargs: dict[str, Any], waits: list[str]) -> Any:
    flat = pytree.tree_leaves((args, kwargs))
    tensors = [t for t in flat if isinstance(t, torch.Tensor)]
    placed = [t for t in tensors if isinstance(t, Placed)]
    plain = [t for t in tensors if not isinstance(t, Placed) and t.ndim]
    here = bool(placed)  # whether the result is on the device
    if kwargs.get("device") is not None:
        here = torch.device(kwargs["device"]).type == NAME
        if placed and not here:
            waits.append(str(func))
        kwargs = {**kwargs, "device": torch.device("cpu") if here else kwargs["device"]}
        kwargs.pop("pin_memory", None)
    elif placed and plain and func not in MIXED:
        raise RuntimeError(
            f"Expected all tensors to be on the same device: {func} got {[list(t.shape) for t in plain]} on the CPU"
        )
    if placed and func in WAITS:
        waits.append(str(func))
    if func is aten.copy_.default and isinstance(args[1], Placed) and not isinstance(args[0], Placed):
        waits.append(str(func))
        here = False
    if func in (aten.index.Tensor, aten.index_put_.default, aten._index_put_impl_.default) and placed:
        if not isinstance(args[0], Placed):
            raise RuntimeError("indices should be either on CPU or on the same device as the indexed tensor (CPU)")
        if any(t is not None and t.dtype in (torch.bool, torch.uint8) for t in args[1]):
            waits.append(f"{func} by truth values")
    own = {id(t.inner): t for t in placed}
    bare = pytree.tree_map_only(Placed, lambda t: t.inner, (args, kwargs))
    with torch.inference_mode(False), torch.no_grad():  # in which mode one is, is the affair of the tensors outside
        out = func(*bare[0], **bare[1])
        if not here:
            return out
        return pytree.tree_map_only(torch.Tensor, lambda t: own[id(t)] if id(t) in own else Placed(t), out)
