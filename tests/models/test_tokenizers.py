"""Tokenizers of any family and any file: all of a text, nothing else, the same each time; or a LoadError."""

from __future__ import annotations

import base64
import json
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from saewidgets.files import LoadError
from saewidgets.models import Model, load_model, site
from saewidgets.models.tokenizers import guarded, own_copy, read_tokenizer
from saewidgets.models.vocabulary import Vocabulary
from saewidgets.sae import SAE, SAEConfig
from saewidgets.steering import Steerer

TEXT = "The bridge over the bay is red and the fog is cold."
PADDING = {
    "strategy": {"Fixed": 16},
    "direction": "Right",
    "pad_to_multiple_of": None,
    "pad_id": 3,
    "pad_type_id": 0,
    "pad_token": "a",
}
TRUNCATION = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}


def changed(tiny_folder, tmp_path, change):
    """A copy of the tiny model with another tokenizer.json."""
    folder = tmp_path / "m"
    shutil.copytree(tiny_folder, folder)
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    return folder


# -- all of a text, nothing else ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.update(truncation=TRUNCATION),
        lambda t: t.update(padding=PADDING),
        lambda t: t.update(padding=PADDING | {"strategy": {"Fixed": 10**9}}),
        lambda t: t.update(truncation=TRUNCATION | {"max_length": 2, "stride": 5}),
        lambda t: t["model"].update(dropout=0.9),
    ],
    ids=["truncation", "padding", "endless padding", "stride", "dropout"],
)
def test_what_a_file_says_about_length_and_chance_changes_no_text(tiny_folder, tiny_model, tmp_path, change):
    model = load_model(changed(tiny_folder, tmp_path, change))
    expected = tiny_model.tokens(TEXT).tolist()
    assert len(expected) > 12
    assert all(model.tokens(TEXT).tolist() == expected for _ in range(20))


def test_what_others_set_on_their_tokenizer_changes_no_text(tiny_folder):
    hooked = load_model(tiny_folder).hooked
    before, expected = Model.wrap(hooked), load_model(tiny_folder).tokens(TEXT).tolist()
    theirs = hooked.tokenizer.backend_tokenizer
    theirs.enable_truncation(3)
    theirs.enable_padding(length=40, pad_id=5)
    theirs.model.dropout = 0.9
    hooked.tokenizer.padding_side = "left"
    later = Model.wrap(hooked)
    for _ in range(10):
        assert before.tokens(TEXT).tolist() == later.tokens(TEXT).tolist() == expected
    assert theirs.truncation["max_length"] == 3 and theirs.padding["length"] == 40  # theirs is as they left it
    assert theirs.model.dropout == pytest.approx(0.9) and hooked.tokenizer.padding_side == "left"
    hooked.tokenizer.pad_token = "the"  # which would be called special, and no longer counted
    assert before.special_token_ids == {0}


def test_a_copy_is_another_object():
    tokenizer = family("legacy")
    tokenizer.enable_truncation(2)
    copy = own_copy(tokenizer)
    assert copy.truncation is None and tokenizer.truncation["max_length"] == 2
    tokenizer.add_tokens(["zzz"])
    assert copy.token_to_id("zzz") is None


# -- leading spaces ----------------------------------------------------------------------------------------------------

WORDS = ["t", "h", "e", "c", "a", "s", "o", "n", "he", "the", "▁the", "at", "cat", "▁cat", "sat", "▁sat", "on", "▁on"]
PIECES = ["<unk>", "<s>", "</s>", *[f"<0x{b:02X}>" for b in range(256)], "▁", *WORDS, ".", "▁s"]
MERGES = ["h e", "t he", "▁ the", "a t", "c at", "▁ cat", "s at", "▁ sat", "o n", "▁ on", "▁ s"]


def family(kind: str, bytes_too: bool = True) -> Tokenizer:
    """A small tokenizer built as those of Llama 2 and TinyLlama ("legacy"), or of later Mistral and Llama 2
    ("metaspace").
    """
    pieces = [p if bytes_too else p.replace("<0x", "▁w").replace(">", "") if p.startswith("<0x") else p for p in PIECES]
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    data = {
        "version": "1.0",
        "added_tokens": [{"id": i, "content": PIECES[i]} | special for i in range(3)],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {piece: i for i, piece in enumerate(pieces)},
            "merges": MERGES,
        },
    }
    if kind == "metaspace":
        meta = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
        data |= {"normalizer": None, "pre_tokenizer": meta}
        data["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, meta]}
    return Tokenizer.from_str(json.dumps(data))


@pytest.fixture(params=["legacy", "metaspace"])
def spaced(request) -> Vocabulary:
    return Vocabulary(family(request.param), 320)


def test_the_first_written_word_keeps_its_space(spaced):
    """By hand: ▁the ▁cat ▁sat ▁on, of which the last two are written."""
    ids = spaced.encode("the cat sat on")
    assert [PIECES[i] for i in ids] == ["▁the", "▁cat", "▁sat", "▁on"]
    assert spaced.pieces(ids) == ["the", " cat", " sat", " on"]  # of a whole text, as before
    assert spaced.pieces(ids[2:], after=ids[:2]) == [" sat", " on"]
    read = spaced.reader(after=[1, *ids[:2]])  # a beginning-of-text token is not text
    assert [read(i) for i in ids[2:]] == [" sat", " on"]
    read = spaced.reader(after=[1])  # nothing was written before: the decoder takes the space off
    assert [read(i) for i in ids[:2]] == ["the", " cat"]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["legacy", "metaspace"]), st.text(st.sampled_from("thecatson .é☃\n▁"), max_size=90), st.data())
def test_a_prompt_and_its_pieces_are_the_decoded_whole(kind, text, data):
    vocabulary = Vocabulary(family(kind), 320)
    ids = vocabulary.encode(text)
    cuts = [n for n in range(len(ids) + 1) if not vocabulary.decode(ids[:n]).endswith("\ufffd")]
    at = data.draw(st.sampled_from(cuts))
    whole = vocabulary.decode(ids)
    written = vocabulary.pieces(ids[at:], after=[1, *ids[:at]])
    assert vocabulary.decode(ids[:at]) + "".join(written) == whole
    assert "".join(vocabulary.pieces(ids)) == whole
    read, streamed = vocabulary.reader(after=ids[:at]), vocabulary.decode(ids[:at])
    for i in ids[at:]:
        streamed += read(i)
        assert whole.startswith(streamed)  # what a stream shows is never taken back


def test_half_a_character_before_is_completed(tiny_model):
    ids = tiny_model.tokens("é☃", prepend_bos=False).tolist()
    assert tiny_model.token_text(ids[3:], after=ids[:3]) == ["", "☃"]


def test_a_text_that_continues_another_has_no_space_of_its_own(spaced):
    named = lambda ids: [PIECES[i] for i in ids]  # noqa: E731
    assert named(spaced.encode(" cat")) in (["▁", "▁cat"], ["▁cat"])
    assert named(spaced.continuation(" cat")) == ["▁cat"]
    assert named(spaced.continuation("cat")) == ["cat"]
    assert spaced.continuation("") == []
    for text in ("the cat", " sat on", "é ☃", ".\n the"):
        before = spaced.encode("the cat.")
        ids = before + spaced.continuation(text)
        assert spaced.decode(ids) == "the cat." + text


@pytest.mark.parametrize("kind", ["legacy", "metaspace"])
def test_a_steerer_writes_with_its_spaces(tiny_model, kind):
    """Every text that a model with such a tokenizer writes, clamped or not, reads on from its prompt."""
    model = Model(tiny_model.hooked, name="tiny", vocabulary=Vocabulary(family(kind, bytes_too=False), 320))
    model.bos_token_id, model.eos_token_id, model.prepend_bos = 1, 2, True
    steer = Steerer(model, SAE(SAEConfig(32, 16, "topk", k=2, site=site(model, "blocks.0.hook_resid_post"))))
    prompt = "the cat sat on"
    for seed in range(8):
        found = steer.generate(prompt, n_tokens=6, seed=seed)
        ids = [t.id for t in found.tokens]
        whole = model.vocabulary.decode([*model.tokens(prompt)[1:].tolist(), *ids])
        assert prompt + found.text == whole and " w" in found.text
    own = steer.perplexity(prompt, " the cat")
    direct = model.logprobs(model.tokens(prompt), [[PIECES.index("▁the"), PIECES.index("▁cat")]])[0]
    assert own == pytest.approx(float(torch.exp(-torch.tensor(direct).mean())), rel=1e-4)
    assert model.one_token(" cat") == PIECES.index("▁cat") and model.one_token("cat") == PIECES.index("cat")


# -- a file that nobody vouches for ------------------------------------------------------------------------------------


def first(t):
    return next(iter(t["model"]["vocab"]))


def added(**fields):
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": 288, "content": "<x>"} | usual | fields


def doubled(n, part="normalizers", kind="Sequence"):
    step = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    return {"type": kind, part: [step] * n}


FAULTS = {
    "a large id": (lambda t: t["model"]["vocab"].update({first(t): 2**31}), "has id 2147483648"),
    "an id beyond the model": (lambda t: t["model"]["vocab"].update({first(t): 320}), "tokens 0 to 319"),
    "an id that is true": (lambda t: t["model"]["vocab"].update({first(t): True}), "has id True"),
    "an id twice": (lambda t: t["model"]["vocab"].update({"zzz": 5}), "have one id"),
    "an added id of a kind": (lambda t: t["added_tokens"].append(added(id=2.0)), "'<x>' has id 2.0"),
    "an added id that is not had": (lambda t: t["added_tokens"].append(added(id=310)), "is read as 288"),
    "an added token without text": (lambda t: t["added_tokens"].append(added(content="")), "has no text"),
    "doubling": (lambda t: t.update(normalizer=doubled(40)), "times as long"),
    "doubling back": (lambda t: t.update(decoder=doubled(40, "decoders")), "times as long"),
    "doubling by bytes": (
        lambda t: t.update(normalizer={"type": "Sequence", "normalizers": [{"type": "ByteLevel"}] * 40}),
        "times",
    ),
    "many steps": (
        lambda t: t.update(normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}] * 999}),
        "more than 64",
    ),
    "a long replacement": (
        lambda t: t.update(normalizer={"type": "Replace", "pattern": {"Regex": "."}, "content": "b" * 9999}),
        "times as long",
    ),
    "a broken charsmap": (
        lambda t: t.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        "charsmap is broken",
    ),
    "a charsmap that is no text": (
        lambda t: t.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "é"}),
        "not base64",
    ),
    "no unknown token": (
        lambda t: t.update(model={"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"zz": 0}}),
        "unknown token '\\[UNK\\]' is not in",
    ),
    "no unknown id": (
        lambda t: t.update(model={"type": "Unigram", "unk_id": None, "vocab": [["a", -1.0]]}),
        "not a tokenizer",
    ),
    "too many pieces": (
        lambda t: t.update(model={"type": "Unigram", "unk_id": 0, "vocab": [[str(i), -1.0] for i in range(321)]}),
        "321 pieces",
    ),
    "a long prefix": (lambda t: t["model"].update(continuing_subword_prefix="#" * 99), "continuing_subword_prefix"),
    "much to strip": (
        lambda t: t.update(decoder={"type": "Strip", "content": " ", "start": 0, "stop": 10**9}),
        "takes 1000000000",
    ),
    "no model": (lambda t: t.update(model=[]), "its model is \\[\\]"),
    "a model of no kind": (lambda t: t["model"].update(type="Magic"), "cannot be read"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_cannot_be_used_is_a_load_error(tiny_folder, tmp_path, fault):
    change, message = FAULTS[fault]
    folder = changed(tiny_folder, tmp_path, change)
    with pytest.raises(LoadError, match=message):
        read_tokenizer(folder / "tokenizer.json", 320)
    with pytest.raises(LoadError, match=message):
        load_model(folder)


def test_a_sound_charsmap_and_added_token_are_read(tiny_folder, tmp_path):
    def change(t):
        t["added_tokens"].append(added())
        t["normalizer"] = doubled(3)

    folder = changed(tiny_folder, tmp_path, change)
    assert read_tokenizer(folder / "tokenizer.json", 320).encode("a<x>").ids[-1] == 288
    assert len(load_model(folder).tokens("a")) > 2  # eight of them


def test_an_added_token_that_the_model_does_not_have_is_plain_text(tiny_folder, tiny_model, tmp_path):
    """As of a padding token that somebody added without making the model larger."""
    folder = changed(tiny_folder, tmp_path, lambda t: t["added_tokens"].append(added(id=320, content="<pad>")))
    with pytest.warns(UserWarning, match="'<pad>' lies beyond the model's 320 tokens"):
        model = load_model(folder)
    assert model.tokens("a<pad>").tolist() == tiny_model.tokens("a<pad>").tolist()


def test_a_panic_is_an_error_like_any_other(tmp_path, tiny_folder, capfd):
    """What the Rust library cannot do is a BaseException there, which would end a notebook's cell or a loop over
    folders.
    """
    broken = base64.b64encode((4).to_bytes(4, "little") + b"\xff" * 8).decode()
    folder = changed(
        tiny_folder,
        tmp_path,
        lambda t: t.update(normalizer={"type": "Precompiled", "precompiled_charsmap": broken}),
    )
    try:
        load_model(folder).tokens("a")
    except LoadError:
        pass

    class PanicException(BaseException):
        pass

    def panics():
        raise PanicException("index out of bounds")

    def stops():
        raise KeyboardInterrupt

    with pytest.raises(ValueError, match="the tokenizer cannot read this text: index out of bounds"):
        guarded(panics, "read this text")
    with pytest.raises(KeyboardInterrupt):  # and nothing else is caught
        guarded(stops, "read this text")


def test_an_expression_without_end_is_said_when_it_is_met(tiny_folder, tmp_path):
    slow = {"type": "Split", "pattern": {"Regex": "(q+)+$"}, "behavior": "Isolated", "invert": False}
    folder = changed(
        tiny_folder,
        tmp_path,
        lambda t: t.update(pre_tokenizer={"type": "Sequence", "pretokenizers": [slow, t["pre_tokenizer"]]}),
    )
    model = load_model(folder)
    assert model.tokens("The cat").tolist()[0] == 0
    with pytest.raises(ValueError, match="the tokenizer cannot read this text"):
        model.tokens("q" * 60 + "b")


# -- the beginning-of-text token, and what is no text ----------------------------------------------------------------


def test_a_text_that_begins_with_the_beginning_has_it_once(tiny_model):
    plain = tiny_model.tokens("Hi").tolist()
    assert plain[0] == 0 and 0 not in plain[1:]
    assert tiny_model.tokens("<|endoftext|>Hi").tolist() == plain
    assert tiny_model.tokens("<|endoftext|>Hi", prepend_bos=True).tolist() == plain
    assert tiny_model.tokens("<|endoftext|>Hi", prepend_bos=False).tolist() == plain  # its own
    assert tiny_model.tokens(tiny_model.vocabulary.decode(plain)).tolist() == plain
    assert tiny_model.tokens("<|endoftext|><|endoftext|>Hi").tolist() == [0, *plain]  # two were written
    assert tiny_model.tokens("").tolist() == tiny_model.tokens("<|endoftext|>").tolist() == [0]


@pytest.mark.parametrize("kind", ["legacy", "metaspace"])
def test_after_the_beginning_a_text_is_tokenized_as_a_text(tiny_model, kind):
    model = Model(tiny_model.hooked, name="tiny", vocabulary=Vocabulary(family(kind), 320))
    model.bos_token_id, model.prepend_bos = 1, True
    assert model.tokens("<s>the cat").tolist() == model.tokens("the cat").tolist()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.tokens(b"abc"), TypeError, "not bytes: give text.decode"),
        (lambda m: m.tokens(["abc"]), TypeError, "not list"),
        (lambda m: m.tokens(None), TypeError, "not NoneType"),
        (lambda m: m.logits([[-1, -1, 5, 6]]), ValueError, "pad on the right"),
        (lambda m: m.activations([[5, -1, 6]], "blocks.0.hook_resid_post"), ValueError, "pad on the right"),
        (lambda m: m.stream([5, 6, -1], n_tokens=1), ValueError, "ends with padding"),
        (lambda m: m.logits([1.5, 2.0]), ValueError, "whole numbers, not float32"),
        (lambda m: m.logits("The cat"), TypeError, "give token ids, not text"),
        (lambda m: m.token_text(torch.tensor([1.0])), ValueError, "whole numbers"),
        (lambda m: m.tokens("\0" * 80), ValueError, "the context of tiny is 64 tokens; take 17 off"),
    ],
)
def test_what_is_no_text_or_no_token_is_refused(tiny_model, call, error, message):
    with pytest.raises(error, match=message):
        call(tiny_model)
