"""Many prompts of one message each in the form that a chat model was trained on."""

from __future__ import annotations

from torch import Tensor

from saewidgets.models.model import Model


class Prompts:
    """`Model.chat` for many messages: the model's chat template, which runs in a process of its own, is run once with a
    system prompt and once without, and the words are put in their places.

    Example:
        >>> prompts = Prompts(load_model())
        >>> prompts.text("Who are you?")
        'Human: Who are you?\\nAssistant:'
        >>> prompts("Who are you?").tolist() == load_model().tokens("Human: Who are you?\\nAssistant:").tolist()
        True
    """

    SYSTEM, USER = "\u2063system\u2063", "\u2063user\u2063"  # no text has these

    def __init__(self, model: Model) -> None:
        self.model = model
        self._forms: dict[bool, str] = {}

    def text(self, user: str, system: str = "") -> str:
        """The prompt as text, up to where the answer begins; "" is the template's own system prompt."""
        form = bool(system)
        if form not in self._forms:
            self._forms[form] = self.model.chat(self.USER, system=self.SYSTEM if form else "")
        return self._forms[form].replace(self.SYSTEM, system).replace(self.USER, user.strip())

    def __call__(self, user: str, system: str = "") -> Tensor:
        """The prompt's tokens, int64 [pos], as `Model.tokens` gives them."""
        return self.model.tokens(self.text(user, system))
