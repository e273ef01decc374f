"""The features on one text: which are active, what they do to its next token and its loss, and the two layers token by
token.
"""

from saewidgets.analysis.prompts.activations import prompt_activations
from saewidgets.analysis.prompts.attribution import attribution
from saewidgets.analysis.prompts.parts import token_parts
from saewidgets.analysis.prompts.prober import prober

__all__ = [
    "attribution",
    "prober",
    "prompt_activations",
    "token_parts",
]
