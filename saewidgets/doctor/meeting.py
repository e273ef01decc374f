"""When an SAE meets a model: one short check a pair, and one warning if they do not fit."""

from __future__ import annotations

import threading
import warnings
import weakref
from typing import Any

import torch
from torch import nn

from saewidgets.decoder import WeightStamp
from saewidgets.doctor.examination import examine
from saewidgets.files import printable
from saewidgets.models import Model
from saewidgets.records import Diagnosis
from saewidgets.sae import SAE

N_TOKENS = 256
FEWER = 128  # for an SAE of more weights than this
LARGE = 1 << 23

_Seen = weakref.WeakKeyDictionary[nn.Module, tuple[Any, WeightStamp, Diagnosis]]
_MET: weakref.WeakKeyDictionary[nn.Module, _Seen] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


def meet(model: Model, sae: SAE, text: Any = None, *, progress: bool = True) -> Diagnosis | None:
    """Whether this pair fits as it is read, on 256 tokens at most, kept until a weight or the SAE's config changes.

    It costs one forward pass, up to the SAE's site. Only an SAE that explains next to nothing there (an FVU of 0.9 or
    more), and that has been trained at all, is tried in other ways, as `diagnose` does, with a bar. Warns once, and
    raises nothing, if the pair does not fit, or leaves 40 % of the variance unexplained. None where it cannot be
    checked: a model without a tokenizer and no token rows.

    Example:
        >>> meet(model, sae).sentence()  # doctest: +SKIP
        'fit to the model checked on 256 tokens: FVU 0.054, L0 24'
    """
    hooked = getattr(model, "hooked", None)
    if not isinstance(hooked, nn.Module) or sae.config.is_transcoder:
        return None
    key = _state(model, sae)
    with _GUARD:
        seen = _MET.setdefault(hooked, weakref.WeakKeyDictionary())
        kept = seen.get(sae)
    if kept is not None and kept[0] == key and kept[1].holds(sae.weights.values()):
        return kept[2]
    stamp = WeightStamp(sae.weights.values())  # before it is read: what changes meanwhile is seen the next time
    n_tokens = N_TOKENS if sae.W_enc.numel() <= LARGE else FEWER
    try:
        with torch.inference_mode():
            found = examine(model, sae, text, n_tokens, brief=True, progress=progress)
    except (ValueError, AttributeError):
        return None
    with _GUARD:
        seen[sae] = (key, stamp, found)
    name = printable(sae.name or "this SAE", 200)
    if not found.fits:
        warnings.warn(f"{name} {printable(found.sentence())} sw.diagnose(model, sae) says what to do.", stacklevel=4)
    for doubt in found.findings:
        if found.fits and doubt.topic in ("fit", "outliers") and doubt.action and doubt.fits is None:
            warnings.warn(printable(f"{name} at {found.hook_name}: {doubt.sentence} {doubt.action}."), stacklevel=4)
    return found


def verdict(model: Model, sae: SAE, text: Any = None, *, progress: bool = True) -> str:
    """`meet`, as the sentence that a passport carries; "" where it could not be checked."""
    found = meet(model, sae, text, progress=progress)
    return found.sentence() if found is not None else ""


def _state(model: Model, sae: SAE) -> tuple[Any, ...]:
    """What else than the SAE's weights decides. Of the model's weights what torch counts: to read them all takes longer
    than to look.
    """

    def version(weight: torch.Tensor) -> tuple[int, int]:
        return weight.data_ptr(), 0 if weight.is_inference() else weight._version

    return (sae.config, model.name, model.prepend_bos, *map(version, model.hooked.parameters()))
