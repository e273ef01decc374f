"""Finding features: one function per way (`ways`), and all of them behind one (`modes`)."""

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
    "by_concept",
    "by_direction",
    "by_prompt",
    "by_prompts",
    "by_text",
    "by_token_promoted",
    "searcher",
]
