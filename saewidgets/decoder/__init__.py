"""A language model's arithmetic without a model library: on plain tensors, several times as fast, and proven before it
is used.

`Decoder` computes GPT-2's architecture (`DecoderParts` says which parts there are), `Fused` one layer of it in a
compiled call, `DecoderRun` writes texts with it. `proof` compares it with the model's own passes, which come as
functions: nothing here knows a model object. `WeightStamp` sees that weights have changed, `Edit` is a change to the
activations at one site.
"""

from saewidgets.decoder.edit import Edit
from saewidgets.decoder.engine import Decoder, DecoderWeights, LayerWeights, Prefix
from saewidgets.decoder.fused import Fused, fused_of
from saewidgets.decoder.parts import DecoderParts
from saewidgets.decoder.proof import proven, reaches, reads
from saewidgets.decoder.pushes import pushed_continuations
from saewidgets.decoder.run import DecoderRun
from saewidgets.decoder.stamp import WeightStamp

__all__ = [
    "Decoder",
    "DecoderParts",
    "DecoderRun",
    "DecoderWeights",
    "Edit",
    "Fused",
    "LayerWeights",
    "Prefix",
    "WeightStamp",
    "fused_of",
    "proven",
    "pushed_continuations",
    "reaches",
    "reads",
]
