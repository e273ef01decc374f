"""Token ids as text: exact pieces to append, and one visible string for every entry of the vocabulary."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cached_property

from tokenizers import AddedToken, Tokenizer, decoders

from saewidgets.models.tokenizers import guarded, own_copy

_VISIBLE = {"\n": "⏎", "\t": "⇥", "\r": "␍"}
_ANCHORS = ("\n", ".", "a", "0")  # texts to continue, of which one will not melt into what follows
_TAIL = 8  # tokens before the next one that its text may depend on: a character has at most four bytes
_WINDOW = 64  # tokens that are decoded again and again before all but a tail are let go


class Vocabulary:
    """What a tokenizer's ids stand for.

    Byte-level tokenizers (GPT-2's and the bundled one) are read from their bytes, so that a token holding half a
    character is told apart from any other. For the rest, text comes from the tokenizer's own decoder.

    The tokenizer is copied, without truncation, padding and dropout: what others set on theirs changes no text here.
    """

    def __init__(self, tokenizer: Tokenizer, size: int) -> None:
        self._given = tokenizer
        self.size = size  # of the model's vocabulary, which may be padded beyond the tokenizer's

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The copy, made when the first text is read: that of a large vocabulary takes half a second."""
        return own_copy(self._given)

    @cached_property
    def special_ids(self) -> set[int]:
        """Ids of the tokens that the tokenizer itself calls special."""
        return {i for i, token in self.tokenizer.get_added_tokens_decoder().items() if token.special}

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, all of it, with no special token added.

        Raises TypeError for what is no text, ValueError on text that is not valid Unicode or that the tokenizer cannot
        take.
        """
        if not isinstance(text, str):
            hint = "text.decode('utf-8')" if isinstance(text, (bytes, bytearray)) else "str, or token ids"
            raise TypeError(f"a text is a str, not {type(text).__name__}: give {hint}")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"character {error.start} of the text is half of a surrogate pair, which has no bytes"
            ) from error
        return guarded(lambda: self.tokenizer.encode(text, add_special_tokens=False).ids, "read this text")

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Of each token of `encode(text)`, the characters [first, stop) that it stands for; spaces may be left out."""
        return guarded(lambda: self.tokenizer.encode(text, add_special_tokens=False).offsets, "read this text")

    def continuation(self, text: str) -> list[int]:
        """Token ids of a text that follows another, none of it added.

        Tokenizers in the manner of SentencePiece put a space before every text; `encode(" cat")` would begin with two.
        Raises as `encode` does.
        """
        ids = self.encode(text)
        if not ids or self._adds_nothing:
            return ids
        for anchor in _ANCHORS:
            before, whole = self.encode(anchor), self.encode(anchor + text)
            if whole[: len(before)] == before:
                return whole[len(before) :]
        return ids

    @cached_property
    def _adds_nothing(self) -> bool:
        """Whether a text's tokens stand for the text alone, with no space before it."""
        return b"".join(map(self.raw, self.encode("a"))) == b"a"

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these tokens, special tokens included; invalid UTF-8 becomes U+FFFD."""
        listed = list(ids)
        return guarded(lambda: self.tokenizer.decode(listed, skip_special_tokens=False), "write these tokens")

    def pieces(self, ids: Iterable[int], after: Iterable[int] = ()) -> list[str]:
        """One exact text for each token; "" while a character is incomplete.

        Together they are `decode(ids)`, or what `decode` gives beyond `after`, the tokens that they follow: a decoder
        may take the space off the first word of a text, and only off that. Special tokens with which `after` begins are
        not text.
        """
        ids = list(ids)
        step, finish = self._decoder(after)
        out = [step(i) for i in ids]
        if out:
            out[-1] += finish()
        return out

    def reader(self, after: Iterable[int] = ()) -> Callable[[int], str]:
        """A function to call with each next token; gives the text to append, "" while a character is incomplete.

        `after` are the tokens that it follows, as for `pieces`.
        """
        return self._decoder(after)[0]

    def display(self, ids: Iterable[int]) -> list[str]:
        """One visible string for each token: line ends as ⏎, bytes that make no character as <0xE9>, never empty."""
        table = self.table
        return [table[i] if 0 <= i < len(table) else f"<id {i}>" for i in ids]

    @cached_property
    def table(self) -> list[str]:
        """The display string of every id; where two tokens look alike, the later one carries its id."""
        seen: set[str] = set()
        table = []
        for i in range(self.size):
            text = _visible(self._bytes(i)) or f"<id {i}>"
            if text in seen:
                text = f"{text}<id {i}>"
            seen.add(text)
            table.append(text)
        return table

    @cached_property
    def odd(self) -> dict[int, str]:
        """Hex of the bytes of every token whose display string, as UTF-8, is not those bytes."""
        raw = ((i, self.raw(i), text) for i, text in enumerate(self.table))
        return {i: own.hex() for i, own, text in raw if own != text.encode("utf-8", "surrogatepass")}

    @cached_property
    def byte_level(self) -> bool:
        """Whether tokens are made of bytes in GPT-2's printable alphabet."""
        return isinstance(self.tokenizer.decoder, decoders.ByteLevel)

    def marker(self, i: int) -> str:
        """The text that stands for a token which was added to the vocabulary, such as "<s>"; "" for any other token."""
        return self._added[i].content if i in self._added else ""

    @cached_property
    def _added(self) -> dict[int, AddedToken]:
        return self.tokenizer.get_added_tokens_decoder()

    def _bytes(self, i: int) -> bytes:
        """The bytes of one token, b"" for an id that the tokenizer does not have."""
        if i in self._added:
            return self._added[i].content.encode("utf-8")
        token = self.tokenizer.id_to_token(i)
        if token is None:
            return b""
        if self.byte_level and all(c in _BYTE_OF for c in token):
            return bytes(_BYTE_OF[c] for c in token)
        return token.encode("utf-8", "replace")

    def raw(self, i: int) -> bytes:
        """The bytes of text that one token stands for; b"" for an id that the tokenizer does not have.

        Pieces of a tokenizer that is not byte-level are read as SentencePiece writes them: "▁" is a space, "<0x0A>" one
        byte.
        """
        raw = self._bytes(i)
        if self.byte_level or i in self._added:
            return raw
        single = re.fullmatch(rb"<0x([0-9A-Fa-f]{2})>", raw)
        return bytes([int(single[1], 16)]) if single else raw.replace("▁".encode(), b" ")

    def _decoder(self, after: Iterable[int] = ()) -> tuple[Callable[[int], str], Callable[[], str]]:
        """(text added by the next token, what is left at the end)."""
        before = list(after)
        if self.byte_level:
            utf8 = codecs.getincrementaldecoder("utf-8")("replace")
            for i in before[-_TAIL:]:  # a character may have begun there
                utf8.decode(self._bytes(i))
            return (lambda i: utf8.decode(self._bytes(i))), (lambda: utf8.decode(b"", final=True))
        while before and before[0] in self._added:
            before.pop(0)
        ids = self._tail(before)
        given = self.decode(ids)

        def step(i: int) -> str:
            nonlocal given
            ids.append(i)
            whole = self.decode(ids)
            if whole.endswith("\ufffd"):
                return ""  # a character is incomplete
            new, given = whole[len(given) :], whole
            if len(ids) > _WINDOW:
                ids[:] = self._tail(ids)
                given = self.decode(ids)
            return new

        return step, lambda: self.decode(ids)[len(given) :]

    def _tail(self, ids: list[int]) -> list[int]:
        """The last of these tokens, on which the text of the next one may depend: a run of bytes is not cut."""
        start = max(0, len(ids) - _TAIL)
        while start and self._is_byte(ids[start]):
            start -= 1
        return ids[start:]

    def _is_byte(self, i: int) -> bool:
        return re.fullmatch(rb"<0x[0-9A-Fa-f]{2}>", self._bytes(i)) is not None


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable character -> byte: printable bytes stand for themselves, the others for U+0100 and up."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + n): b for n, b in enumerate(others)}


_BYTE_OF = _byte_alphabet()


def _visible(raw: bytes) -> str:
    # surrogateescape maps a byte that is no UTF-8 to U+DC00 + byte, which keeps it apart from every character
    text = raw.decode("utf-8", "surrogateescape")
    if text and not text.strip(" "):
        return "␣" * len(text)
    return "".join(_glyph(c) for c in text)


def _glyph(c: str) -> str:
    if c in _VISIBLE:
        return _VISIBLE[c]
    if 0xDC80 <= ord(c) <= 0xDCFF:
        return f"<0x{ord(c) - 0xDC00:02X}>"
    if c != " " and unicodedata.category(c) in ("Cc", "Cf", "Cn", "Co", "Zs", "Zl", "Zp"):
        return f"<U+{ord(c):04X}>"  # it would be invisible, or change how its neighbors are drawn
    return c
