"""The subjects that a chat model is made to speak as."""

from __future__ import annotations

from collections import Counter

import pytest

from saewidgets.chat import more_subjects, subject, subjects


def test_the_bridge_comes_first_and_every_kind_is_there():
    assert subjects()[0].key == "golden-gate"
    assert len(subjects()) >= 64
    counts = Counter(found.kind for found in subjects())
    for kind in ("landmark", "animal", "food", "profession", "city", "person", "feeling", "language", "object", "sky"):
        assert counts[kind] >= 4, kind
    assert len({found.key for found in subjects()}) == len(subjects())


@pytest.mark.parametrize("own", subjects(), ids=lambda found: found.key)
def test_a_pattern_finds_its_own_name_and_no_others(own):
    assert own.found_in(f"You are {own.name.upper()}!")
    assert [found.key for found in subjects() if own.found_in(f"You are {found.name}.")] == [own.key]


# What the model says of itself when it is nothing else: no subject may be found in it.
@pytest.mark.parametrize(
    "answer",
    [
        "I'm a helpful AI designed to assist users in various ways, including providing information.",
        "I'd love to help you! I'm happy to chat about anything, trained by Hugging Face.",
        "I am SmolLM, a language model; my knowledge is a treasure, and I bridge the gap between people.",
    ],
)
def test_no_pattern_finds_the_models_own_answer(answer):
    assert [found.key for found in subjects() if found.found_in(answer)] == []


def test_words_are_whole_words():
    assert not subject("cat").found_in("a category of catalogs")
    assert not subject("sun").found_in("on Sunday")
    assert not subject("train").found_in("trained by Hugging Face")
    assert subject("volcano").found_in("two volcanoes") and subject("cat").found_in("CATS")
    assert subject("golden-gate").found_in("across the Golden Gate") and not subject("golden-gate").found_in("a bridge")


def test_an_unknown_key_is_told_the_nearest():
    with pytest.raises(ValueError, match="pirate"):
        subject("pirat")


def test_thousands_more_are_distinct_and_none_is_measured():
    names = [found.name.lower() for found in more_subjects()]
    assert 1500 < len(names) == len(set(names))
    assert not set(names) & {found.name.lower() for found in subjects()}
    assert all(name and ":" not in name and name == name.strip() for name in names)


def test_a_title_has_no_article():
    assert [subject(key).title for key in ("golden-gate", "elephant", "paris")] == [
        "Golden Gate Bridge",
        "elephant",
        "Paris",
    ]
