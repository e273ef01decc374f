"""The decoder of a TransformerLens object: its parts and weights, read once, and whether they are still what was read.

A decoder is used only where it was seen to give what TransformerLens gives: `decoder.proof` runs both on the same
tokens and compares logits, residual stream and every site that is edited or read. For another architecture, and while a
hook of the user's own is on the model, it steps aside.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from saewidgets.decoder import Decoder, WeightStamp, fused_of, proven
from saewidgets.models.layouts import laid_out

# Modules whose hooks read and change nothing, in a pass that is not their own.
OWN_HOOKS = ("transformer_lens.model_bridge.", "transformers.utils.", "saewidgets.models.")

# What is known of each TransformerLens object: its decoder, or None where it has none.
_KNOWN: weakref.WeakKeyDictionary[nn.Module, HookedDecoder | None] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


class HookedDecoder(Decoder):
    """The decoder of a TransformerLens object, which knows whether that is still what it was and would do nothing else.

    It holds the weights and never the object, so that neither keeps the other alive.
    """

    def __init__(self, hooked: Any) -> None:
        """Raises AttributeError, KeyError, TypeError or ValueError where the model is not laid out as is known here."""
        self._places = [
            (module._parameters, name, parameter)
            for module in hooked.modules()
            for name, parameter in module._parameters.items()
            if parameter is not None
        ]
        # By weak references, and the children by number: a number is taken again only once its module is gone.
        self._tree = [(weakref.ref(m), tuple(map(id, m._modules.values()))) for m in hooked.modules()]
        self._hooks = [hooks for m in hooked.modules() for hooks in (m._forward_hooks, m._forward_pre_hooks)]
        self._switches = [
            weakref.ref(m) for m in (hooked, getattr(hooked, "original_model", None)) if isinstance(m, nn.Module)
        ]
        with torch.no_grad():
            self._stamp = WeightStamp(p for *_, p in self._places)
            super().__init__(*laid_out(hooked))

    def quiet(self) -> bool:
        """Whether a forward pass is nothing but arithmetic: not in training mode, and no hook on it but those by which
        a TransformerBridge reads for itself.
        """
        if any(m is None or m.training for m in (ref() for ref in self._switches)):
            return False
        for hooks in filter(None, self._hooks):  # the few that are not empty, without a step of Python for the others
            for hook in list(hooks.values()):
                if not getattr(hook, "__module__", "").startswith(OWN_HOOKS):
                    return False
        return not (nn.modules.module._global_forward_hooks or nn.modules.module._global_forward_pre_hooks)

    def current(self) -> bool:
        """Whether the modules and all their weights are those that were laid out. It reads all of them (see
        `WeightStamp`).
        """
        for ref, children in self._tree:
            module = ref()
            if module is None or tuple(map(id, module._modules.values())) != children:
                return False
        return self._stamp.holds(place.get(name) for place, name, _ in self._places)


def decoder_of(
    hooked: nn.Module, forward: Callable[[Tensor], Tensor], read: Callable[[Tensor, list[str]], dict[str, Tensor]]
) -> HookedDecoder | None:
    """The decoder of a model, proven on first use and after every change of its weights, or None where it has none.

    `forward(tokens)` and `read(tokens, hook names)` are the model's own passes. Call it with the model's lock held.
    """
    with _GUARD:
        known = _KNOWN.get(hooked, ...)
    if isinstance(known, HookedDecoder) and known.current():
        return known
    if known is None:
        return None
    try:
        with torch.inference_mode(False):  # what is laid out anew is kept, and a gradient may need it
            decoder: HookedDecoder | None = HookedDecoder(hooked)
    except (AttributeError, TypeError, ValueError, RuntimeError, KeyError):
        decoder = None
    if decoder is not None and not decoder.quiet():
        return None  # not now; another time it may be
    if decoder is not None and not proven(decoder, forward, read):
        decoder = None
    if decoder is not None:
        decoder.fused = fused_of(decoder)
        if decoder.fused is not None and not proven(decoder, forward, read):
            decoder.fused = None
    with _GUARD:
        _KNOWN[hooked] = decoder
    return decoder
