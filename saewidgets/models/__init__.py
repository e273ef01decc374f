"""The only door to TransformerLens.

Load a model, tokenize, read activations at a site, edit them for one forward pass, stream a generation, read directions as
logits. `Model` holds a `HookedTransformer` or a `TransformerBridge` (the only class from TransformerLens 4 on) and behaves
the same over either; nothing outside this folder imports transformer_lens, and nothing here does before a model is asked for.
"""

from saewidgets.models.corpora import CorpusRows, Long, counted_tokens, read_corpus, texts_of
from saewidgets.models.loading import load_model
from saewidgets.models.model import Edit, Model, fingerprint, site
from saewidgets.models.pushes import pushed_logits
from saewidgets.models.resumed import resumed_logits

__all__ = [
    "CorpusRows",
    "Edit",
    "Long",
    "Model",
    "counted_tokens",
    "fingerprint",
    "load_model",
    "pushed_logits",
    "read_corpus",
    "resumed_logits",
    "site",
    "texts_of",
]
