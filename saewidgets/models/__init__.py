"""The only door to TransformerLens.

Load a model, tokenize, read activations at a site, edit them for one forward pass, stream a generation, read directions
as logits. `Model` holds a `HookedTransformer` or a `TransformerBridge` (the only class from TransformerLens 4 on) and
behaves the same over either; nothing outside this folder imports transformer_lens, and nothing here does before a model
is asked for.
"""

from saewidgets.decoder import Edit
from saewidgets.models.cached import Cached, cache_folder, cached_models, remove_cached
from saewidgets.models.corpora import CorpusRows, Long, counted_tokens, padded_rows, read_corpus, texts_of
from saewidgets.models.each import continue_each, read_sites
from saewidgets.models.loading import load_model
from saewidgets.models.model import Model
from saewidgets.models.sites import fingerprint, site
from saewidgets.models.smollm2 import fetch_smollm2
from saewidgets.models.texts import Prompt, Tokens

__all__ = [
    "Cached",
    "CorpusRows",
    "Edit",
    "Long",
    "Model",
    "Prompt",
    "Tokens",
    "cache_folder",
    "cached_models",
    "continue_each",
    "counted_tokens",
    "fetch_smollm2",
    "fingerprint",
    "load_model",
    "padded_rows",
    "read_corpus",
    "read_sites",
    "remove_cached",
    "site",
    "texts_of",
]
