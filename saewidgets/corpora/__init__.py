"""Corpora of any size, read as they are needed: texts and token rows of shards, data sets, functions and generators, in
one global, seeded order that any number of processes share. No model is needed here; `models.streams` makes rows of
them.
"""

from saewidgets.corpora.ahead import ahead
from saewidgets.corpora.opening import open_corpus
from saewidgets.corpora.order import Permutation
from saewidgets.corpora.streamed import BEGIN, Position, StreamedCorpus, Text

__all__ = ["BEGIN", "Permutation", "Position", "StreamedCorpus", "Text", "ahead", "open_corpus"]
