"""Activations at one site of a model: of the rows of a corpus, and as a seeded, shuffled stream of batches."""

from saewidgets.activations.checks import check_pair, check_site
from saewidgets.activations.harvested import HarvestedRow, HarvestedStore
from saewidgets.activations.measured import OUTLIERS, SAMPLE_TOKENS
from saewidgets.activations.rows import TOKENS_PER_PASS, corpus_rows, harvest, length_sorted, quick_activations
from saewidgets.activations.store import ActivationStore
from saewidgets.activations.streamed import StreamedStore

__all__ = [
    "OUTLIERS",
    "SAMPLE_TOKENS",
    "TOKENS_PER_PASS",
    "ActivationStore",
    "HarvestedRow",
    "HarvestedStore",
    "StreamedStore",
    "check_pair",
    "check_site",
    "corpus_rows",
    "harvest",
    "length_sorted",
    "quick_activations",
]
