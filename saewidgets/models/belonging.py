"""Whether an SAE reads a model in the coordinates that it was trained in: the one place where the two are compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from saewidgets.models.hub import official_name
from saewidgets.models.model import Model
from saewidgets.models.sites import fingerprint
from saewidgets.models.smollm2 import NAME as SMOLLM2
from saewidgets.records import ActivationSite

# Embeddings that are apart by less, as a share of their largest value, are copies of one: a number that was rounded to
# bfloat16 is off by 2^-8 of itself at most (by 2^-11 in float16), so two such copies by 2^-7; where TransformerLens
# multiplies Gemma's embedding by sqrt(d_model) in that format, each is rounded twice.
ROUNDING = 2.0**-6

# What is written to the residual stream, and the stream itself. Folding an RMSNorm moves its gain into the weights that
# read the stream, and changes none of it; folding a LayerNorm comes with centering, which does.
_STREAM = re.compile(r"blocks\.\d+\.hook_(resid_(pre|mid|post)|attn_out|mlp_out)|hook_embed")


@dataclass(frozen=True)
class Difference:
    """One thing in which the model is not as the SAE was trained."""

    field: str  # of ActivationSite; "fingerprint" where the embedding is another
    of_sae: Any
    of_model: Any
    cure: str = ""  # what to type; "" where nothing of this model helps

    def __str__(self) -> str:
        return f"{self.field}: {self.of_sae}, not {self.of_model}"


def same_name(a: str, b: str) -> bool:
    """Whether two names are of one model: aliases, letter case, and who stands before the slash make no difference.

    Example:
        >>> same_name("pythia-70m-deduped", "EleutherAI/pythia-70m-deduped"), same_name("pythia-70m", "pythia-70m-deduped")
        (True, False)
    """
    return a == b or _plain(a) == _plain(b)


def _plain(name: str) -> str:
    last = name.rsplit("/", 1)[-1]
    official = SMOLLM2 if last.lower() == "smollm2" else official_name(last) or last
    return official.rsplit("/", 1)[-1].lower()


def embedding_apart(model: Model, recorded: ActivationSite) -> float | None:
    """How far the model's embedding is from the one that a site recorded, as a share of its largest value; None where
    one of the two is not known. At most `ROUNDING` for copies of one embedding, in whatever format, scaled by
    sqrt(d_model) or not.
    """
    a, b = np.array(recorded.fingerprint), np.array(fingerprint(model))
    if not len(a) or len(a) != len(b):
        return None
    root = float(np.sqrt(model.d_model))
    return min(float(np.abs(a * factor - b).max() / max(np.abs(b).max(), 1e-30)) for factor in (1.0, root, 1 / root))


def differences(model: Model, recorded: ActivationSite, *, width: bool = True) -> list[Difference]:
    """What differs between the site that an SAE was trained at and the same hook point of this model; [] where it
    belongs.

    A model is the same under any of its names (`same_name`). Where both embeddings are known they decide, whatever the
    names are; but for a model whose weights were quantized, which has a coarser copy of it. Processed weights are other
    coordinates, but for the residual stream of a model with RMSNorm, which they leave as it is.

    `width=False` does not compare `d_in`, for which the model is run on one token.
    Raises ValueError where the model has that name and not the hook point, with the nearest ones.
    """
    apart = embedding_apart(model, recorded)
    matters = recorded.weight_processing != model.weight_processing and not immaterial(model, recorded.hook_name)
    named = same_name(recorded.model_name, model.name)
    out: list[Difference] = []
    if not named and (apart is None or apart > ROUNDING):
        out.append(Difference("model_name", recorded.model_name, model.name, _load(recorded.model_name, recorded)))
    try:
        d_in = model.activations([0], recorded.hook_name).shape[-1] if width else recorded.d_in
    except ValueError as error:  # the hook is not there
        if named:
            raise
        missing = Difference("hook_name", recorded.hook_name, f"one of {model.name}: {error}")
        return [*out, missing]
    if recorded.d_in != d_in:
        out.append(Difference("d_in", recorded.d_in, d_in))
    if matters:
        cure = _load(model.name, recorded)
        out.append(Difference("weight_processing", recorded.weight_processing, model.weight_processing, cure))
    if recorded.prepend_bos != model.prepend_bos:
        begin = "model.bos_token_id = model.eos_token_id; " if model.bos_token_id is None else ""
        cure = f"{begin}model.prepend_bos = {recorded.prepend_bos}"
        out.append(Difference("prepend_bos", recorded.prepend_bos, model.prepend_bos, cure))
    if named and not out and apart is not None and apart > ROUNDING and not model.quantization:
        cure = (
            f"{_load(model.name, recorded)} at the revision that it was trained on (revision=...), or, to use it all the same, "
            f"sae = {_elsewhere(recorded)}"
        )
        out.append(Difference("fingerprint", "the embedding it was trained with", f"one {apart:.0%} away", cure))
    return out


def immaterial(model: Model, hook_name: str) -> bool:
    """Whether folded norms leave what flows through a hook point as it is: the stream of a model with RMSNorm."""
    return not model.centers and _STREAM.fullmatch(hook_name) is not None


def refusal(recorded: ActivationSite, found: list[Difference]) -> str:
    """The sentence for what differs: each thing with its values, then what to type."""
    cures = list(dict.fromkeys(d.cure for d in found if d.cure))
    if [d.field for d in found] == ["model_name"]:
        cures[-1] += f" (or, if it is that model under another name, sae = {_elsewhere(recorded)})"
    say = f"this SAE was trained in other coordinates (SAE, not model): {'; '.join(map(str, found))}"
    return say + (f"; type {', and '.join(cures)}" if cures else "")


def _load(name: str, recorded: ActivationSite) -> str:
    """The line that loads the model of a name, processed as the SAE expects it."""
    processing = recorded.weight_processing
    bundled = name.lower() in ("miniworld", "smollm2")
    if not bundled and official_name(name) is None:
        name = "..."  # a folder's name without its path, or a name that only its owner knows
    given = "..." if name == "..." else repr(name)
    more = "" if bundled and processing == "none" else f", weight_processing={processing!r}"
    of = f" with the folder or hub name of {recorded.model_name}" if name == "..." else ""
    return f"model = sw.load_model({given}{more}){of}"


def _elsewhere(recorded: ActivationSite) -> str:
    scale = "" if recorded.scale == 1.0 else f", {recorded.scale:.6g}"
    return f"sw.load_sae(..., site=sw.site(model, {recorded.hook_name!r}{scale}))"
