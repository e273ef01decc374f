"""The template language, by small worlds whose every output can be listed by hand."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saewidgets.miniworld.grammar import Writer, compile_template


def write(source, *, person=3, rules=None, attributes=None, seed=0, bound=None):
    compiled = {name: [compile_template(t) for t in templates] for name, templates in (rules or {}).items()}

    def attribute(entity, name):
        return [compile_template(t) for t in (attributes or {})[entity, name]]

    writer = Writer(
        compiled, attribute, lambda kind, rng: (kind + "_1", 0.25), random.Random(seed), person, bound or {}
    )
    writer.write(compile_template(source))
    return writer.document("kind", "")


def test_plain_text_and_escapes_come_out_as_they_are():
    assert write(r"a \[b\] \<c\> \{d\} x > 0").text == "a [b] <c> {d} x > 0"


def test_a_mark_covers_its_text_and_nothing_else():
    document = write("the [cat,plural|cats] ran")
    (start, end, concepts), text = document.spans[0], document.text
    assert (text[start:end], concepts, len(document.spans)) == ("cats", ("cat", "plural"), 1)


def test_marks_nest():
    document = write("the [bridge|[orange|orange] bridge]")
    found = {concepts: document.text[start:end] for start, end, concepts in document.spans}
    assert found == {("orange",): "orange", ("bridge",): "orange bridge"}


def test_the_person_of_the_document_picks_the_form():
    assert write("{I am|It is} tall", person=1).text == "I am tall"
    assert write("{I am|It is} tall", person=3).text == "It is tall"


def test_a_capital_goes_to_the_first_letter_inside_a_mark():
    document = write("{^x} sat", attributes={("cat", "name"): ["a [cat|cat]"]}, bound={"x": "cat"})
    assert document.text == "A cat sat"


def test_a_drawn_entity_is_the_same_one_until_the_end_of_the_document():
    attributes = {("animal_1", "name"): ["an owl"], ("animal_1", "form"): ["it has wings"]}
    assert write("{o=animal}{o}: {o.form}", attributes=attributes).text == "an owl: it has wings"


def test_nats_add_up_the_choices():
    # two alternatives, a draw of probability 1/4, a rule of three templates: ln 2 + ln 4 + ln 3
    attributes = {("animal_1", "name"): ["an owl"]}
    document = write("<a|b>{o=animal}{rule}", rules={"rule": ["x", "y", "z"]}, attributes=attributes)
    assert document.nats == pytest.approx(math.log(2 * 4 * 3))


def test_a_document_repeats_a_template_only_when_it_has_used_them_all():
    for seed in range(20):
        text = write("{rule}{rule}{rule}", rules={"rule": ["x", "y", "z"]}, seed=seed).text
        assert sorted(text) == ["x", "y", "z"]


@pytest.mark.parametrize("source", ["[cat cats", "[cat|cats", "<a|b", "{rule", "{I|It"])
def test_an_unfinished_template_is_refused_and_shown(source):
    with pytest.raises(ValueError, match=r"template"):
        compile_template(source)


@given(st.text(alphabet="ab <>[]{}|\\", max_size=30))
def test_any_text_survives_when_its_special_characters_are_escaped(text):
    escaped = "".join("\\" + c if c in "[]<>{}|\\" else c for c in text)
    assert write(escaped).text == text
