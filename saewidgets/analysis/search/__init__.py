"""Finding features: one function per way (`ways`), and all of them behind one (`modes`)."""

from saewidgets.analysis.search.by_texts import by_attribution, by_classifier
from saewidgets.analysis.search.effects import by_effect, rank_by_effect
from saewidgets.analysis.search.modes import searcher
from saewidgets.analysis.search.ways import (
    by_concept,
    by_direction,
    by_prompt,
    by_prompts,
    by_text,
    by_token_promoted,
)

__all__ = [
    "by_attribution",
    "by_classifier",
    "by_concept",
    "by_direction",
    "by_effect",
    "by_prompt",
    "by_prompts",
    "by_text",
    "by_token_promoted",
    "rank_by_effect",
    "searcher",
]
