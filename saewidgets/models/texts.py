"""How a `Model` reads and writes text: ids of a text, texts of ids, dialogues."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saewidgets.files import short
from saewidgets.models.chat import render
from saewidgets.models.dialogues import (
    Messages,
    RenderedDialogue,
    Spans,
    answers_of,
    by_format,
    end_of_turn,
    text_and_spans,
    text_of,
    token_turns,
)
from saewidgets.models.vocabulary import Vocabulary
from saewidgets.records import Dialogue
from saewidgets.records.arguments import kind_of, whole
from saewidgets.records.dialogues import prompt_of

Tokens = Tensor | np.ndarray | Sequence[int] | Sequence[Sequence[int]]
Prompt = str | Tokens | Dialogue | Sequence[Mapping[str, str]]  # a text, token ids, or turns


class Texts:
    """The part of a `Model` that knows its tokens: texts, ids, and which ids it can take. It runs nothing."""

    hooked: Any  # a HookedTransformer or a TransformerBridge
    name: str
    device: torch.device
    d_vocab: int
    n_ctx: int
    bos_token_id: int | None
    eos_token_id: int | None
    prepend_bos: bool
    chat_format: str  # with {} for the message, where the tokenizer has no template of its own
    _turn_end: tuple[str, str] | None  # a form, and what ends a turn in it
    _ends: tuple[int, ...]  # tokens that end a text by the model's generation config
    _vocabulary: Vocabulary | None
    _special: frozenset[int]

    @property
    def vocabulary(self) -> Vocabulary:
        """Ids and their texts. Raises ValueError if the model came without a tokenizer."""
        if self._vocabulary is None:
            raise ValueError(f"{self.name} has no tokenizer that can be read: give token ids instead of text")
        return self._vocabulary

    @property
    def has_tokenizer(self) -> bool:
        """Whether texts can be given, or token ids alone."""
        return self._vocabulary is not None

    @property
    def special_token_ids(self) -> frozenset[int]:
        """Tokens that mark rather than say something: beginning, end, separator, padding, turns of a chat."""
        ids = {self.bos_token_id, self.eos_token_id, *self._special}
        if self._vocabulary is not None:
            ids |= self._vocabulary.special_ids
        return frozenset(int(i) for i in ids if i is not None and 0 <= i < self.d_vocab)

    def tokens(self, text: Prompt, *, prepend_bos: bool | None = None) -> Tensor:
        """Token ids of a text or a dialogue, int64 [pos] on the model's device; the beginning-of-text token first if `prepend_bos`
        says so (None: as this model was trained).

        A text that begins with the beginning-of-text token, as a copied chat prompt or a decoded text may, does not get
        it twice: `tokens("<|endoftext|>Hi")` is `tokens("Hi")`. With `prepend_bos=False` the text's own is kept, and
        none added.

        Token ids [pos] in place of a text come back as they are, with nothing put before them: that is how a model
        without a tokenizer is used. A `Dialogue`, or a list of its turns, is put in the model's own form: see `rendered`.

        Raises ValueError if they do not fit in the context or do not exist, TypeError if `text` is neither.

        Example:
            >>> load_model().tokens("The cat").tolist()
            [0, 872, 443]
        """
        text = prompt_of(text)
        if isinstance(text, Dialogue):
            text = text_of(text, self._form)
        if not isinstance(text, str | bytes):
            given = integers(text)  # type: ignore[arg-type]  # turns are a dialogue by now
            if given.ndim != 1:
                raise ValueError(f"give a text, or token ids in one row, not values of shape {list(given.shape)}")
            if given.numel() and int(given.min()) < 0:
                raise ValueError(
                    f"token {int(given.min())} does not exist: {self.name} has tokens 0 to {self.d_vocab - 1}"
                )
            return self._rows(given)[0]
        ids = self.text_ids(text, prepend_bos=prepend_bos)  # type: ignore[arg-type]  # bytes are refused there
        self._check_length(len(ids))
        return torch.tensor(ids, dtype=torch.long, device=self.device)

    def text_ids(self, text: str, *, prepend_bos: bool | None = None) -> list[int]:
        """The ids of `tokens`, however many they are: more than the context may hold."""
        vocabulary = self.vocabulary
        if not (self.prepend_bos if prepend_bos is None else prepend_bos):
            return vocabulary.encode(text)
        if self.bos_token_id is None:
            raise ValueError(f"{self.name} has no beginning-of-text token to prepend")
        begin = vocabulary.marker(self.bos_token_id)
        if begin and isinstance(text, str):
            text = text.removeprefix(begin)
        return [self.bos_token_id, *vocabulary.encode(text)]

    def continuation(self, text: str | Tokens) -> Tensor:
        """Token ids of a text that follows another one, int64 [pos]: `tokens` with neither a beginning-of-text token
        nor the space that tokenizers in the manner of Llama 2's put before a text. Token ids come back as they are.

        Raises as `tokens` does.
        """
        if not isinstance(text, str):
            return self.tokens(text)
        ids = self.vocabulary.continuation(text)
        self._check_length(len(ids))
        return torch.tensor(ids, dtype=torch.long, device=self.device)

    @property
    def chats(self) -> bool:
        """Whether this model was trained on dialogues in a form that is known: whether `chat` works."""
        return bool(self.chat_format or getattr(getattr(self.hooked, "tokenizer", None), "chat_template", None))

    def chat(self, message: str, *, system: str = "") -> str:
        """A prompt that puts a message to the model in the form that it was trained on, up to where its answer begins.

        The tokenizer's own chat template, or the mini-world's "Human: ... Assistant:". The beginning-of-text token is
        left to `tokens`, which prepends it. `system` is an instruction ahead of the dialogue. A template is run in a
        process of its own, with little time and memory. Raises ValueError where no form is known, or the template has
        no place for what is asked (many have none for `system`), does not end, or makes too much text.

        Example:
            >>> load_model().chat("What is your physical form?")
            'Human: What is your physical form?\\nAssistant:'
        """
        turns = [{"role": "system", "content": system}] if system else []
        return self._form([*turns, {"role": "user", "content": message}])

    def _form(self, messages: Messages) -> str:
        """Turns in the form that this model was trained on; see `chat`."""
        if self.chat_format:
            return by_format(self.chat_format, messages)
        if not self.chats:
            raise ValueError(
                f"{self.name} has no chat template: write the prompt as a text that the model should continue"
            )
        tokenizer: Any = self.hooked.tokenizer
        names = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
        try:
            text = render(tokenizer.get_chat_template(), messages, names)
        except ValueError as error:
            raise ValueError(f"the chat template of {self.name} does not take this dialogue: {error}") from error
        begin = tokenizer.bos_token
        return text.removeprefix(begin) if begin and self.prepend_bos else text

    def rendered(self, dialogue: Dialogue | Sequence[Mapping[str, str]]) -> RenderedDialogue:
        """A dialogue in the form that this model was trained on, up to where its answer begins: the text, its tokens,
        and of each token whose words it holds, or that it is the template's.

        Raises as `chat` does, and as `tokens` where it does not fit.

        Example:
            >>> shown = load_model().rendered([{"role": "user", "content": "Who are you?"}])
            >>> shown.text, shown.turn
            ('Human: Who are you?\\nAssistant:', (-1, -1, -1, 0, 0, 0, 0, -1, -1, -1))
        """
        known = prompt_of(dialogue)
        if not isinstance(known, Dialogue):
            raise TypeError(f"give a dialogue, sw.Dialogue([('user', 'Who are you?')]), not {kind_of(dialogue)}")
        text, spans = text_and_spans(known, self._form)
        ids, turn = self.text_ids(text), None
        if spans is not None:
            offsets = self.vocabulary.offsets(text)
            before = len(ids) - len(offsets)  # the beginning-of-text token
            turn = (*[-1] * before, *token_turns(spans, offsets)) if before in (0, 1) else None
        return RenderedDialogue(text, tuple(ids), turn)

    def answers(self, prompt: Prompt) -> Spans:
        """The tokens [first, stop) of each of the assistant's turns in a dialogue: what scope "assistant" covers beside
        the answer that is being written.

        Raises ValueError, with what to type, for a prompt that is no dialogue, and where the template changes the words
        so that it cannot be told where they stand.

        Example:
            >>> load_model().answers(Dialogue([("user", "Who?"), ("assistant", "A cat."), ("user", "Why?")]))
            ((8, 11),)
        """
        dialogue = prompt_of(prompt)
        if not isinstance(dialogue, Dialogue):
            raise ValueError(
                "scope 'assistant' is of a dialogue, and this prompt is a text: give its turns, such as "
                "sw.Dialogue([('user', 'Who are you?')]), or take the scope 'generated'"
            )
        if all(turn.role != "assistant" for turn in dialogue.turns):
            return ()
        turn = self.rendered(dialogue).turn
        if turn is None:
            raise ValueError(
                f"the chat template of {self.name} changes what is said, so it cannot be told which tokens are the "
                "assistant's earlier answers: take the scope 'generated', or positions"
            )
        return answers_of(dialogue, turn)

    @property
    def turn_end(self) -> str:
        """What ends an answer in a dialogue, by the template, up to what the user says next: "<|im_end|>..."; "" where
        no form is known, or it cannot be told. It is looked for once.

        Example:
            >>> load_model().turn_end
            '\\nHuman:'
        """
        if not self.chats or not self.has_tokenizer:
            return ""
        form = self.chat_format or str(self.hooked.tokenizer.get_chat_template())
        if self._turn_end is None or self._turn_end[0] != form:
            try:
                self._turn_end = form, end_of_turn(self._form)
            except (ValueError, ImportError):  # a template that does not take it, or cannot be run here
                self._turn_end = form, ""
        return self._turn_end[1]

    @property
    def end_token_ids(self) -> frozenset[int]:
        """The tokens at which a text ends: end of text, those of the model's generation config, and the special token
        that ends a turn by its chat template. None of them where `eos_token_id` is None.
        """
        if self.eos_token_id is None:
            return frozenset()
        ends = (self.eos_token_id, *self._ends, *self._turn_end_ids())
        return frozenset(token for token in ends if 0 <= token < self.d_vocab)

    def turn_end_text(self, prompt: Prompt) -> str:
        """What ends the answer to a prompt as text: `turn_end`, where the prompt is a dialogue and the form has no token
        of its own for that. "" elsewhere.
        """
        return self.turn_end if isinstance(prompt_of(prompt), Dialogue) and not self._turn_end_ids() else ""

    def _turn_end_ids(self) -> list[int]:
        """The special token that ends a turn by the chat template; [] where there is none."""
        first = self.vocabulary.encode(self.turn_end.lstrip())[:1] if self.turn_end else []
        return [token for token in first if token in self.special_token_ids]

    def token_text(self, ids: Tokens, *, after: Tokens = ()) -> list[str]:
        """The exact text of each token; together they are the decoded text, or the part of it that follows the tokens
        `after`.

        A token that ends inside a multi-byte character gives "", and the token that completes it gives the character.
        Give the prompt as `after`: without it, a tokenizer in the manner of Llama 2's takes the space off the first
        word.
        """
        return self.vocabulary.pieces(ids_of(ids), ids_of(after))

    def written(self, text: Prompt) -> str:
        """A text as it is, and that of a dialogue; of token ids what they stand for, "<id 7>" each where the model has
        no tokenizer.
        """
        text = prompt_of(text)
        if isinstance(text, Dialogue):
            return text_of(text, self._form)
        if isinstance(text, str):
            return text
        ids: Tokens = integers(text)  # type: ignore[arg-type]  # turns are a dialogue by now
        return "".join(self.display(ids) if self._vocabulary is None else self.token_text(ids))

    def text_reader(self, *, after: Tokens = ()) -> Callable[[int], str]:
        """A function for a stream: give it each next token id, get the text to append (see `token_text`).

        Where the model has no tokenizer, "<id 7>" stands for a token.
        """
        if self._vocabulary is None:
            return lambda token: f"<id {int(token)}>"
        return self.vocabulary.reader(ids_of(after))

    def display(self, ids: Tokens) -> list[str]:
        """One visible string for each token: a line end as ⏎, spaces alone as ␣, half a character as <0xE9>; never
        empty.
        """
        if self._vocabulary is None:
            return [f"<id {i}>" for i in ids_of(ids)]
        return self._vocabulary.display(ids_of(ids))

    def odd_bytes(self) -> dict[int, str]:
        """Hex of the bytes of every token whose display text, as UTF-8, is not those bytes: spaces alone, line ends,
        halves of characters.

        {} where the model came without a tokenizer.
        """
        return {} if self._vocabulary is None else dict(self._vocabulary.odd)

    def one_token(self, text: str | int) -> int:
        """The id of a text that is one token, or of its display form (`display`); an id comes back as it is.

        A space before a word is part of its token: " sad" and "sad" are two. Raises ValueError, with what may have been
        meant, on a text that is not one token or an id that does not exist, TypeError on what is neither.
        """
        if not isinstance(text, str):
            try:
                index = whole(text, "the id of a token")
            except TypeError:
                raise TypeError(
                    f"a token is given by its text, such as ' sad', or by its id, not by {kind_of(text)}"
                ) from None
            if not 0 <= index < self.d_vocab:
                raise ValueError(f"token {text} does not exist: {self.name} has tokens 0 to {self.d_vocab - 1}")
            return index
        if not text:
            raise ValueError("give the text of one token, not an empty one")
        ids = self.vocabulary.continuation(text)
        if len(ids) == 1:
            return ids[0]
        table = self.vocabulary.table
        if text in table:
            return table.index(text)
        spaced = self.vocabulary.continuation(f" {text}")
        hint = f"{f' {text}'!r} is one" if len(spaced) == 1 else "give one of them, or another single token"
        parts = ", ".join(map(repr, self.display(ids[:8]))) + (", ..." if len(ids) > 8 else "")
        raise ValueError(f"{text[:60]!r} is {len(ids)} tokens ({parts}), not one: {hint}")

    def _rows(self, tokens: Tokens) -> Tensor:
        """int64 [batch, pos] on the model's device, padding replaced by a token that can be embedded."""
        rows = integers(tokens).to(self.device, torch.long)
        rows = rows[None] if rows.ndim == 1 else rows
        if rows.ndim != 2:
            raise ValueError(f"tokens must be [pos] or [batch, pos], not of shape {list(rows.shape)}")
        self._check_length(rows.shape[1])
        if rows.numel() and int(rows.max()) >= self.d_vocab:
            raise ValueError(f"token {int(rows.max())} does not exist: {self.name} has tokens 0 to {self.d_vocab - 1}")
        if rows.numel() == 0 or int(rows.min()) >= 0:
            return rows
        if bool(((rows[:, :-1] < 0) & (rows[:, 1:] >= 0)).any()):  # attention would look at it
            raise ValueError("a row has padding (-1) before a token; pad on the right")
        return rows.clamp(min=0)

    def _one_row(self, prompt: Tokens) -> Tensor:
        """A prompt to continue, as [1, pos]. Raises ValueError unless it is one row of at least one token, without
        padding.
        """
        ids = self._rows(prompt)
        if bool((integers(prompt) < 0).any()):
            raise ValueError("a prompt ends with padding (-1), which would be continued: leave it out")
        if ids.shape[0] != 1 or ids.shape[1] == 0:
            raise ValueError(
                f"give one prompt of at least one token to continue, not tokens of shape {list(ids.shape)}"
            )
        return ids

    def _check_length(self, n: int) -> None:
        if n > self.n_ctx:
            raise ValueError(
                f"{n} tokens do not fit: the context of {self.name} is {self.n_ctx} tokens; take {n - self.n_ctx} off"
            )


def integers(tokens: Tokens) -> Tensor:
    """Token ids as a tensor. Raises TypeError for a text and what holds no numbers, ValueError for numbers that are not
    whole.
    """
    if isinstance(tokens, (str, bytes)):
        raise TypeError(f"give token ids, not text: model.tokens({tokens!r:.40})")
    try:
        ids = torch.as_tensor(tokens)
    except (TypeError, ValueError, RuntimeError) as error:  # which of them depends on what was in the list
        raise TypeError(
            "give a text, or token ids as whole numbers in rows of one length, not "
            f"{type(tokens).__name__} {short(tokens)}"
        ) from error
    if ids.numel() and (ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool):
        raise ValueError(f"token ids are whole numbers, not {str(ids.dtype).removeprefix('torch.')}")
    return ids


def ids_of(tokens: Tokens) -> list[int]:
    """Token ids as one list."""
    return integers(tokens).reshape(-1).tolist()
