"""A tokenizer of the package's own: read from a file that nobody vouches for, or copied from an object that others
hold.

Both come without truncation, padding and dropout. transformers writes the first two into tokenizer.json after a call
with `truncation=True`, and into the object, too; a text would lose its end, or gain padding that the model reads and
continues.
"""

from __future__ import annotations

import base64
import json
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tokenizers import Tokenizer

from saewidgets.files import LoadError, read_json, short

MAX_TOKENIZER = 64 << 20  # bytes of a tokenizer.json: that of a vocabulary of 256,000 is 34 MB
MAX_STEPS = 64  # normalizers, pre-tokenizers or decoders in one chain
MAX_GROWTH = 1 << 10  # times its length that a text may become on the way to the model's pieces, or back
MAX_AFFIX = 64  # characters of a prefix or suffix of pieces
TRIAL = "The cat sat.\n\té漢☃ 7'\u0000"  # what every tokenizer must be able to read

T = TypeVar("T")


class Unreadable(ValueError):
    """A text or a token that the tokenizer cannot take."""


def guarded(call: Callable[[], T], what: str) -> T:
    """What `call` gives. Raises Unreadable for whatever the tokenizers library raises, its panics included.

    A panic of Rust code is a BaseException, which no `except Exception` would catch.
    """
    try:
        return call()
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unreadable(f"the tokenizer cannot {what}: {first:.200}") from error


def own_copy(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer as an object of its own, with neither truncation, padding nor dropout; `tokenizer` stays as it
    is.
    """
    copy = guarded(lambda: Tokenizer.from_str(tokenizer.to_str()), "be copied")
    copy.no_truncation()
    copy.no_padding()
    if getattr(copy.model, "dropout", None) is not None:
        copy.model.dropout = None
    if getattr(copy.model, "alpha", None) is not None:  # Unigram's way of drawing one of several readings
        copy.model.alpha = copy.model.nbest_size = None
    return copy


def read_tokenizer(path: str | os.PathLike[str], vocab_size: int) -> Tokenizer:
    """The tokenizer of a tokenizer.json, for a model of `vocab_size` tokens; without truncation, padding and dropout.

    The library would end the process, or never return, on some of what such a file may say. So the JSON is checked
    first: every id within the vocabulary and standing once, the unknown token among them, few steps, none of which
    makes a text much longer.

    Raises LoadError, and nothing else.

    Example:
        >>> read_tokenizer("folder/tokenizer.json", 50257)  # doctest: +SKIP
    """
    path = os.fspath(path)
    data = read_json(path, max_bytes=MAX_TOKENIZER)
    data["truncation"] = data["padding"] = None
    try:
        _check_model(data.get("model"), vocab_size)
        added, beyond = _added_tokens(data, vocab_size)
        for part in ("normalizer", "pre_tokenizer", "decoder"):
            _check_steps(part, data.get(part))
        _check_growth(data)
    except ValueError as error:
        raise LoadError(path, f"not a tokenizer: {error}") from error
    for key in ("dropout", "alpha", "nbest_size"):
        data["model"].pop(key, None)
    try:
        tokenizer = guarded(lambda: Tokenizer.from_str(json.dumps(data)), "be read")
        guarded(lambda: tokenizer.decode(tokenizer.encode(TRIAL, add_special_tokens=False).ids), "read a plain text")
    except Unreadable as error:
        raise LoadError(path, f"not a tokenizer: {error}") from error
    for content, i in added.items():
        found = tokenizer.token_to_id(content)
        if found != i:
            raise LoadError(path, f"the added token {short(content)} has id {i}, but is read as {found}")
    if beyond:  # as of a padding token that somebody added without room for it in the model
        warnings.warn(
            f"{path}: {', '.join(map(short, beyond[:3]))}{', ...' if len(beyond) > 3 else ''} lies beyond the model's "
            f"{vocab_size:,} tokens, and is read as any other text",
            stacklevel=2,
        )
    return tokenizer


def _check_model(model: Any, vocab_size: int) -> None:
    """Raise ValueError unless the vocabulary is one of a model of `vocab_size` tokens."""
    if not isinstance(model, dict):
        raise ValueError(f"its model is {short(model)}, not an object")
    vocab: Any = model.get("vocab")
    unigram = isinstance(vocab, list)  # of [piece, score]; everywhere else {piece: id}
    if unigram:
        if not all(isinstance(e, list) and len(e) == 2 and isinstance(e[0], str) for e in vocab):
            raise ValueError("its vocabulary is a list, but not of pairs of a piece and a score")
        if len(vocab) > vocab_size:
            raise ValueError(f"{len(vocab):,} pieces, and the model has {vocab_size:,} tokens")
    elif isinstance(vocab, dict):
        for piece, i in vocab.items():
            _check_id(piece, i, vocab_size)
        if len(set(vocab.values())) != len(vocab):  # the library would read such an id as either, by chance
            raise ValueError("two pieces of its vocabulary have one id")
    else:
        raise ValueError("it has no vocabulary")
    unknown = model.get("unk_token")
    if unknown is not None and not unigram and unknown not in vocab:
        raise ValueError(f"its unknown token {short(unknown)} is not in the vocabulary")
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        affix = model.get(key)
        if affix is not None and not (isinstance(affix, str) and len(affix) <= MAX_AFFIX):
            raise ValueError(f"{key} is {short(affix)}, not a text of at most {MAX_AFFIX} characters")


def _check_id(piece: Any, i: Any, vocab_size: int) -> None:
    if type(i) is not int or not 0 <= i < vocab_size:
        raise ValueError(f"{short(piece)} has id {short(i)}, and the model has tokens 0 to {vocab_size - 1:,}")


def _added_tokens(data: dict[str, Any], vocab_size: int) -> tuple[dict[str, int], list[str]]:
    """({text: id} of the tokens added to the vocabulary, texts of those that the model does not have). The latter leave
    `data`.
    """
    listed = data.get("added_tokens") or []
    if not isinstance(listed, list) or not all(isinstance(t, dict) for t in listed):
        raise ValueError("added_tokens is not a list of objects")
    for token in listed:
        content, i = token.get("content"), token.get("id")
        if not isinstance(content, str) or not content:
            raise ValueError(f"an added token has no text: {short(token)}")
        if type(i) is not int or i < 0:
            raise ValueError(f"the added token {short(content)} has id {short(i)}")
    data["added_tokens"] = [t for t in listed if t["id"] < vocab_size]
    beyond = [t["content"] for t in listed if t["id"] >= vocab_size]
    return {t["content"]: t["id"] for t in data["added_tokens"]}, beyond


def _steps(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a chain of steps that has a type, sequences and what stands in them."""
    if isinstance(node, dict):
        if "type" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            if isinstance(child, (dict, list)):
                yield from _steps(child)


def _check_steps(part: str, node: Any) -> None:
    for n, step in enumerate(_steps(node)):
        if n >= MAX_STEPS:
            raise ValueError(f"its {part} has more than {MAX_STEPS} steps")
        if step.get("type") == "Precompiled":
            _charsmap(step.get("precompiled_charsmap"))
        if step.get("type") == "Strip":
            for key in ("start", "stop"):
                count = step.get(key, 0)
                if type(count) is not int or not 0 <= count <= MAX_AFFIX:
                    raise ValueError(f"Strip takes {short(count)} characters off, which is not 0 to {MAX_AFFIX}")


def _check_growth(data: dict[str, Any]) -> None:
    """Raise ValueError where the steps, one after the other, may make a text more than MAX_GROWTH times as long."""
    for way in (("normalizer", "pre_tokenizer"), ("decoder",)):
        growth = 1.0
        for step in (step for part in way for step in _steps(data.get(part))):
            growth *= _growth(step)
            if growth > MAX_GROWTH:
                raise ValueError(f"the steps of its {way[0]} may make a text more than {MAX_GROWTH:,} times as long")


def _growth(step: dict[str, Any]) -> float:
    """Bytes that one step may make of one byte, where it can do so again and again."""
    kind = step.get("type")
    if kind == "ByteLevel":
        return 2.0  # a byte that does not print stands as two
    if kind == "Precompiled":
        return float(max(1, max(map(len, _charsmap(step.get("precompiled_charsmap")).split(b"\0")))))
    if kind == "Prepend":
        return 1.0 + len(str(step.get("prepend", "")).encode("utf-8", "replace"))  # at least one byte is there already
    if kind == "Replace":
        pattern, content = step.get("pattern"), step.get("content")
        if not isinstance(pattern, dict) or not isinstance(content, str):
            raise ValueError(f"Replace has no pattern and content: {short(step)}")
        size = len(content.encode("utf-8", "replace"))
        fixed = pattern.get("String")
        if isinstance(fixed, str) and fixed:
            return max(1.0, size / len(fixed.encode("utf-8", "replace")))
        return 1.0 + size  # an expression may match one byte, or none between two
    return 1.0


def _charsmap(text: Any) -> bytes:
    """The replacements of a compiled map of characters, each ended by a zero: what stands after its tree."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (TypeError, ValueError) as error:
        raise ValueError("its precompiled_charsmap is not base64") from error
    size = int.from_bytes(raw[:4], "little")
    if len(raw) < 8 or size < 4 or size % 4 or size > len(raw) - 4:
        raise ValueError("its precompiled_charsmap is broken")
    return raw[4 + size :]
