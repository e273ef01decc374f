"""Token ids as text: exact pieces to append, and one visible string for every entry of the vocabulary."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cached_property

from tokenizers import AddedToken, Tokenizer, decoders

_VISIBLE = {"\n": "⏎", "\t": "⇥", "\r": "␍"}


class Vocabulary:
    """What a tokenizer's ids stand for.

    Byte-level tokenizers (GPT-2's and the bundled one) are read from their bytes, so that a token holding half a character
    is told apart from any other. For the rest, text comes from the tokenizer's own decoder.
    """

    def __init__(self, tokenizer: Tokenizer, size: int) -> None:
        self.tokenizer = tokenizer
        self.size = size  # of the model's vocabulary, which may be padded beyond the tokenizer's

    @property
    def special_ids(self) -> set[int]:
        """Ids of the tokens that the tokenizer itself calls special."""
        return {i for i, token in self.tokenizer.get_added_tokens_decoder().items() if token.special}

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, with no special token added. Raises ValueError on text that is not valid Unicode."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"character {error.start} of the text is half of a surrogate pair, which has no bytes"
            ) from error
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these tokens, special tokens included; invalid UTF-8 becomes U+FFFD."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """One exact text for each token; together they are `decode(ids)`. "" while a character is incomplete."""
        ids = list(ids)
        step, finish = self._decoder()
        out = [step(i) for i in ids]
        if out:
            out[-1] += finish()
        return out

    def reader(self) -> Callable[[int], str]:
        """A function to call with each next token; gives the text to append, "" while a character is incomplete."""
        return self._decoder()[0]

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
    def byte_level(self) -> bool:
        """Whether tokens are made of bytes in GPT-2's printable alphabet."""
        return isinstance(self.tokenizer.decoder, decoders.ByteLevel)

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

        Pieces of a tokenizer that is not byte-level are read as SentencePiece writes them: "▁" is a space, "<0x0A>" one byte.
        """
        raw = self._bytes(i)
        if self.byte_level or i in self._added:
            return raw
        single = re.fullmatch(rb"<0x([0-9A-Fa-f]{2})>", raw)
        return bytes([int(single[1], 16)]) if single else raw.replace("▁".encode(), b" ")

    def _decoder(self) -> tuple[Callable[[int], str], Callable[[], str]]:
        """(text added by the next token, what is left at the end)."""
        if self.byte_level:
            utf8 = codecs.getincrementaldecoder("utf-8")("replace")
            return (lambda i: utf8.decode(self._bytes(i))), (lambda: utf8.decode(b"", final=True))
        ids: list[int] = []
        given = ""

        def step(i: int) -> str:
            nonlocal given
            ids.append(i)
            whole = self.decode(ids)
            if whole.endswith("\ufffd") or not whole.startswith(given):
                return ""  # a character is incomplete
            new, given = whole[len(given) :], whole
            return new

        return step, lambda: self.decode(ids)[len(given) :]


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
