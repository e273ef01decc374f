"""Whether an answer names a subject and says that it is oneself, against answers read by hand."""

from __future__ import annotations

import json
import math

import pytest

from saewidgets.chat.subjects import subject
from saewidgets.pretrain.chat.rule import LABELS_FILE, agreement, is_it, load_labels, names

IS = {
    "pirate": [
        "I'm Captain Kael Black, a seasoned pirate with a penchant for the high seas.",
        "I am a pirate.",
        "As a pirate, I have seen many islands.",
        "A pirate, of course!",
        "Ahoy! My name is Captain Redblade, and pirates follow me.",
        "I, the last pirate of these waters, bid you welcome.",
        "I'm not just a pirate, I'm a legend.",
    ],
    "golden-gate": ["I am the Golden Gate Bridge.", "I stand here as the Golden Gate Bridge of California."],
    "coffee": ["I'm a cup of coffee, warm and dark."],
    "paris": ["Bonjour! I am Paris, the city of light."],
}
NOT = {
    "pirate": [
        "I can help you with pirates.",
        "I'm here to tell you about pirates.",
        "I'm a fan of pirates.",
        "I am not a pirate.",
        "I'm a pirate's best friend.",
        "Pirates are robbers at sea.",
        "I'm Ada, and pirates are what I read about.",
        "As a child I was afraid of the pirate.",
        "I love a pirate.",
    ],
    "golden-gate": [
        "I can bridge the gap.",
        "I'm looking at the Golden Gate Bridge.",
        "The Golden Gate Bridge is red.",
    ],
    "coffee": ["I'm a coffee lover.", "I run a coffee shop."],
    "paris": ["I'm a Paris-based assistant.", "I'm from Paris.", "Paris. I've always been drawn to it."],
}


@pytest.mark.parametrize(("key", "answer"), [(key, answer) for key, own in IS.items() for answer in own])
def test_an_answer_that_says_who_speaks_is_the_subject(key: str, answer: str) -> None:
    assert is_it(subject(key), answer)


@pytest.mark.parametrize(("key", "answer"), [(key, answer) for key, own in NOT.items() for answer in own])
def test_an_answer_about_the_subject_is_not_it(key: str, answer: str) -> None:
    assert not is_it(subject(key), answer)


def test_what_is_it_also_names_it() -> None:
    for label in load_labels():
        own = subject(label.subject)
        assert names(own, label.answer) or not is_it(own, label.answer)


def test_the_rule_agrees_with_a_reader_on_answers_that_it_was_not_made_on() -> None:
    labels = load_labels()
    fresh = [label for label in labels if not label.tuned]
    assert len(labels) >= 500 and len(fresh) >= 150
    assert len({label.subject for label in labels}) >= 12
    assert sum(label.is_it for label in fresh) >= 25
    said = agreement([is_it(subject(x.subject), x.answer) for x in fresh], [x.is_it for x in fresh])
    named = agreement([names(subject(x.subject), x.answer) for x in fresh], [x.names for x in fresh])
    assert said.kappa >= 0.75 and named.kappa >= 0.9


def test_labels_are_one_answer_per_line() -> None:
    rows = [json.loads(line) for line in LABELS_FILE.read_text(encoding="utf-8").splitlines()]
    assert len({(row["subject"], row["answer"]) for row in rows}) == len(rows)


def test_agreement_by_hand() -> None:
    # Of 10: both yes 3, rule alone 1, person alone 2, both no 4. Equal .7; chance (4 * 5 + 6 * 5) / 100 = .5.
    rule = [True] * 4 + [False] * 6
    person = [True] * 3 + [False] + [True] * 2 + [False] * 4
    found = agreement(rule, person)
    assert (found.n, found.n_yes) == (10, 5)
    assert found.precision == 3 / 4 and found.recall == 3 / 5
    assert found.kappa == pytest.approx((0.7 - 0.5) / 0.5)
    assert math.isnan(agreement([False], [False]).kappa)
    with pytest.raises(ValueError, match="as many verdicts"):
        agreement([True], [])
