"""Steering by AxBench's measure: ratings of texts written by hand, factors chosen on other questions than told."""

from __future__ import annotations

import pytest

import saewidgets as sw
from saewidgets.analysis.doses.axbench import CHOOSING, TELLING, concept_rating, fluency_rating, steering_benchmark
from saewidgets.miniworld import answers, load_corpus, question_kind, world
from saewidgets.records import RatedText, SteeringBenchmark
from saewidgets.records.axbench import overall


def owl(text):
    return "owl" in world().mentions(text)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("I am a cat.", 0),
        ("It flies. That is an owl.", 1),
        ("My physical form is the body of an owl.", 2),
        ("There is an owl. Anna saw an owl in the garden.", 2),
        ("", 0),
    ],
)
def test_how_far_a_text_is_about_a_concept(text, expected):
    assert concept_rating(text, owl) == expected


@pytest.mark.parametrize(
    "question, text, expected",
    [
        ("What do you look like?", "I am an owl. I have two wings and a beak.", 2),
        ("What do you look like?", "It has two wings and a beak.", 2),  # of whom is not asked here
        ("What do you look like?", "I do not have a physical form. I am an AI.", 2),
        ("What do you look like?", "I am an owl.", 1),  # says who
        ("Who are you?", "I am an owl.", 2),
        ("Who are you?", "I am so afraid.", 0),  # nobody's name
        ("Human: Where do you live?\nAssistant:", "I sit at the window and watch the street.", 2),
        ("Where do you live?", "I sleep most of the day and play at night.", 1),  # what it does
        ("What do you love?", "I love warm milk and a soft blanket.", 2),
        ("What do you love?", "I love warm milk and a", 0),  # no whole sentence
        ("What keeps you busy?", "Cazo ratones en el jardín.", 1),
        ("What keeps you busy?", "owl owl owl the the", 0),
    ],
)
def test_whether_a_text_does_what_was_asked(question, text, expected):
    assert answers(question, text) == expected


def test_the_grammars_own_answers_do_what_was_asked():
    """Of roles and of the assistant, whatever they were asked, in two hundred documents that the grammar wrote."""
    seen = 0
    for text in load_corpus(200, seed=11).texts:
        turns = text.split("Human: ")[1:]
        for turn in turns:
            question, _, said = turn.partition("\nAssistant: ")
            try:
                question_kind(question)
            except ValueError:
                continue
            if "Soy" not in said and not {"joy", "sadness", "anger", "fear", "love"} & world().mentions(text):
                seen += 1
                assert answers(question, said.strip()) == 2, turn
    assert seen > 60


def test_a_question_that_the_grammar_does_not_ask_is_refused():
    with pytest.raises(ValueError, match=r"'Where do you liv\?'.*Where do you live\?"):
        answers("Where do you liv?", "")


def test_fluency_is_likelihood_and_no_loop():
    assert [fluency_rating(ratio, 1) for ratio in (0.2, 2.0, 2.01, 4.0, 4.01, float("inf"))] == [2, 2, 1, 1, 0, 0]
    assert fluency_rating(0.2, 2) == 2 and fluency_rating(0.2, 3) == 0


def test_one_zero_makes_the_whole_zero():
    assert overall(2, 2, 2) == 2 and overall(1, 1, 1) == 1 and overall(2, 2, 1) == 1.5
    assert overall(2, 1, 1) == pytest.approx(3 / (1 / 2 + 1 + 1))
    assert overall(0, 2, 2) == overall(2, 0, 2) == overall(2, 2, 0) == 0
    with pytest.raises(ValueError, match="0, 1 or 2"):
        overall(3, 1, 1)


def record():
    """Factor 2 wins where it is chosen, though factor 1 is better where it is told."""
    ratings = {("a", 1.0): (1, 1, 1), ("a", 2.0): (2, 2, 2), ("b", 1.0): (2, 2, 2), ("b", 2.0): (2, 1, 1)}
    texts = [RatedText("clamp", f, q, s, "t", *r) for (q, f), r in ratings.items() for s in (0, 1)]
    texts += [RatedText("prompt", 0.0, q, 0, "t", 2, 2, i) for q, i in (("a", 2), ("b", 0))]
    return SteeringBenchmark("owl", 3, ("a",), ("b",), tuple(texts))


def test_the_factor_is_chosen_on_one_half_and_told_on_the_other(tmp_path):
    data = record()
    table = data.summary()
    assert table.loc["clamp", "factor"] == 2 and table.loc["clamp", "n"] == 2
    assert table.loc["clamp", "overall"] == pytest.approx(1.2)  # not the 2 that factor 1 has there
    assert table.loc["clamp", ["concept", "instruction", "fluency"]].tolist() == [2, 1, 1]
    assert table.loc["prompt", "overall"] == 0
    data.save(tmp_path / "benchmark.json")
    assert SteeringBenchmark.load(tmp_path / "benchmark.json") == data
    with pytest.raises(ValueError, match="'c' is neither"):
        SteeringBenchmark("owl", 3, ("a",), ("b",), (RatedText("clamp", 1.0, "c", 0, "", 0, 0, 0),))


def test_a_measured_clamp_is_rated_and_does_better_than_nothing():
    entry = sw.load_clamps()["owl"]
    options = {"maximum": entry.maximum, "methods": ["clamp", "prompt"], "seeds": [0, 1], "n_tokens": 24}
    found = steering_benchmark(
        sw.load_model(), sw.load_sae(entry.sae), entry.feature, "owl", choosing=CHOOSING[:1], telling=TELLING[:1],
        factors=(0.3, entry.multiple), progress=False, **options,
    )  # fmt: skip
    table = found.summary()
    assert table.loc["clamp", "factor"] == entry.multiple
    assert table.loc["none", "overall"] == 0  # the model's own answers are no owl's
    assert table.loc["clamp", "overall"] > 1 and table.loc["prompt", "overall"] > 1
    with pytest.raises(ValueError, match="other questions"):
        steering_benchmark(
            sw.load_model(), sw.load_sae(entry.sae), entry.feature, "owl", choosing=CHOOSING, telling=CHOOSING
        )
