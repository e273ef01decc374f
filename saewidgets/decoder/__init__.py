"""A language model's arithmetic without a model library: on plain tensors, several times as fast, and proven before it
is used.

`Decoder` computes the architectures whose parts `DecoderParts` can say, a `Layer` at a time, `Fused` one layer of GPT-2
in a compiled call and `FusedParts` one of the others in a dozen, `DecoderRun` writes texts with it. `proof` compares it
with the model's own passes, which come as functions: nothing here knows a model object. `WeightStamp` sees that weights
have changed, `Edit` is a change to the activations at one site.
"""

from saewidgets.decoder.edit import Edit
from saewidgets.decoder.engine import Decoder, Prefix
from saewidgets.decoder.fused import Fused, fused_of
from saewidgets.decoder.fused_parts import FusedParts
from saewidgets.decoder.gradients import differentiable_logits
from saewidgets.decoder.graphs import GraphRun, run_of
from saewidgets.decoder.layer import Layer
from saewidgets.decoder.parts import DecoderParts
from saewidgets.decoder.positions import Rotary
from saewidgets.decoder.products import joined
from saewidgets.decoder.proof import proven, reaches, reads
from saewidgets.decoder.pushes import pushed_continuations, resumed_text
from saewidgets.decoder.run import DecoderRun
from saewidgets.decoder.stamp import WeightStamp
from saewidgets.decoder.weights import DecoderWeights, LayerWeights, Linear, Norm

__all__ = [
    "Decoder",
    "DecoderParts",
    "DecoderRun",
    "DecoderWeights",
    "Edit",
    "Fused",
    "FusedParts",
    "GraphRun",
    "Layer",
    "LayerWeights",
    "Linear",
    "Norm",
    "Prefix",
    "Rotary",
    "WeightStamp",
    "differentiable_logits",
    "fused_of",
    "joined",
    "proven",
    "pushed_continuations",
    "reaches",
    "reads",
    "resumed_text",
    "run_of",
]
