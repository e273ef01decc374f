"""Judges on passages whose scores are known by hand; mistakes of known frequency, and what they cost."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest

from saewidgets.analysis.judges import (
    FlippedJudge,
    FunctionJudge,
    LabelJudge,
    LikelihoodJudge,
    PatternJudge,
    planted_judge,
    run_judge,
    words_judge,
)
from saewidgets.miniworld import load_corpus
from saewidgets.records import Passage, Verdict, agreement, altered

# Two texts. The first is split in two rows; "x" is labeled at tokens 2 and 3 of its first row.
ROWS = np.array([[0, 11, 12, 13, 14, 15, 16, 17], [0, 18, 19, 20, 21, -1, -1, -1], [0, 12, 12, 12, -1, -1, -1, -1]])
CORPUS = SimpleNamespace(
    concepts=("x", "y"),
    token_rows=ROWS,
    text_of_row=np.array([0, 0, 1]),
    label_doc=np.array([0, 0, 2]),
    label_pos=np.array([2, 3, 1]),
    label_concept=np.array([0, 0, 1]),
)


def at(row, *columns, first=1):
    ids = tuple(int(i) for i in ROWS[row, first:] if i >= 0)
    return Passage(tuple(f" {i}" for i in ids), ids, tuple(c - first for c in columns), row, first)


@pytest.mark.parametrize(
    ("passage", "score"),
    [
        (at(0, 2), 3),
        (at(0, 3), 3),
        (at(0, 1), 2),  # the token before
        (at(0, 7), 2),  # four after the last labeled one
        (at(1, 1), 1),  # the next row of the same text: six tokens on, its separator counted
        (at(1, 4), 1),
        (at(2, 2), 0),  # another text
        (at(0, 2, 5), 2),  # one of two marks is not more than half
        (at(0, 2, 3, 5), 3),
        (at(0), 3),  # no mark: is it in the passage?
        (at(1), 0),
    ],
)
def test_a_label_judge_follows_the_rubric(passage, score):
    judge = LabelJudge(CORPUS)
    assert [v.score for v in judge("x", [passage])] == [score]


def test_a_single_token_is_the_concepts_where_half_of_its_occurrences_are():
    judge = LabelJudge(CORPUS)
    alone = [Passage(("a",), (i,), (0,)) for i in (12, 13, 14, 999)]
    assert [v.score for v in judge("x", alone)] == [0, 3, 0, 0]  # 12: one of four; 13: one of one
    assert [v.score for v in judge("y", alone)] == [0, 0, 0, 0]  # 12: one of four


def test_a_label_judge_refuses_what_it_does_not_know():
    judge = LabelJudge(CORPUS)
    with pytest.raises(ValueError, match=r"'z'.*x, y"):
        judge("z", [at(0, 2)])
    stranger = Passage((" 11", " 12"), (11, 13), (0,), 0, 1)
    with pytest.raises(ValueError, match="row 0, column 1 is of another corpus"):
        judge("x", [stranger])
    with pytest.raises(TypeError, match=r"load_corpus\(\)"):
        LabelJudge(["a text"])


def test_planted_labels_agree_with_the_corpus_own_mask():
    """Every token of some documents: the distance to the nearest labeled one, found one token at a time."""
    corpus = load_corpus(40, seed=7)
    mask = corpus.concept_mask("animal")
    passages, wanted = [], []
    for row, tokens in enumerate(corpus.token_rows):
        n = int((tokens >= 0).sum())
        own = np.flatnonzero(mask[row])
        for column in range(1, n):
            passages.append(Passage(("?",) * (n - 1), tuple(tokens[1:n].tolist()), (column - 1,), row, 1))
            far = min((abs(column - c) for c in own), default=None)
            wanted.append(0 if far is None else 3 if far == 0 else 2 if far <= 5 else 1)
    assert {0, 1, 2, 3} == set(wanted)
    assert list(run_judge(planted_judge(corpus), "animal", passages).scores) == wanted


def sentence(text, *marked):
    words = text.split(" ")
    tokens = tuple(w if i == 0 else f" {w}" for i, w in enumerate(words))
    return Passage(tokens, tuple(range(len(words))), marked)


LONG = "the pirate sailed over the sea to a far island"


@pytest.mark.parametrize(("mark", "score"), [(1, 3), (0, 2), (6, 2), (7, 1), (9, 1)])
def test_a_pattern_judge_follows_the_rubric(mark, score):
    assert PatternJudge(r"pirat\w+")("pirates", [sentence(LONG, mark)])[0].score == score


def test_a_pattern_that_is_nowhere_and_a_passage_without_marks():
    judge = PatternJudge("pirate")
    assert [v.score for v in judge("", [sentence("a calm sea", 1), sentence(LONG), sentence("a calm sea")])] == [
        0,
        3,
        0,
    ]
    assert "'pirate'" in judge("", [sentence(LONG, 1)])[0].reason
    with pytest.raises(ValueError, match="no regular expression"):
        PatternJudge("(")


def test_a_match_over_several_tokens_marks_each_of_them_and_no_space_before_them():
    passage = Passage(("in", " San", " Fran", "cisco", " now"), (1, 2, 3, 4, 5), ())
    judge = PatternJudge(" San Francisco")  # it begins with the space, which is of no token
    marks = [Passage(passage.tokens, passage.ids, (i,)) for i in range(5)]
    assert [v.score for v in judge("", marks)] == [2, 3, 3, 3, 2]


def test_a_part_of_a_character_is_judged_with_the_character():
    passage = [Passage(("a", "", "漢", "b"), (1, 2, 3, 4), (i,)) for i in range(4)]
    assert [v.score for v in PatternJudge("漢")("", passage)] == [2, 3, 3, 2]
    assert [p.shown() for p in passage[1:3]] == ["a«»漢b", "a«漢»b"]


def test_words_are_whole_and_in_any_case():
    judge = words_judge(["fog", "golden gate"])
    found = judge("", [sentence("The Golden Gate in fog", i) for i in range(5)])
    assert [v.score for v in found] == [2, 3, 3, 2, 3]
    assert judge("", [sentence("a foggy day", 1)])[0].score == 0
    with pytest.raises(TypeError, match="words must be a list"):
        words_judge("fog")
    with pytest.raises(ValueError, match="one word or more"):
        words_judge([])


AT_LARGE = "The quick brown fox jumps over the lazy dog. It was 9 o'clock and the cat sat on the mat. " * 20


@pytest.mark.parametrize(
    ("rule", "text", "other"),
    [
        ("dna", "GATTACAGATTACA", "A CAT"),
        ("base64", "SGVsbG8sIHdvcmxkISBIb3cgYXJlIHlvdT8=", "internationalization"),
        ("hexadecimal", "3f9a0c77be", "facade"),
        ("arabic", "مرحبا", "hello"),
        ("chinese", "你好世界", "hello"),
        ("cyrillic", "привет", "hello"),
        ("greek", "γεια", "hello"),
        ("hebrew", "שלום", "hello"),
        ("japanese", "こんにちは", "hello"),
        ("thai", "สวัสดี", "hello"),
        ("devanagari", "नमस्ते", "hello"),
        ("hangul", "안녕하세요", "hello"),
    ],
)
def test_ready_rules_tell_their_strings(rule, text, other):
    judge = LikelihoodJudge(rule, AT_LARGE)
    yes, no = (Passage(("It", " says", f" {word}"), (1, 2, 3), (2,)) for word in (text, other))
    assert [v.score for v in judge("", [yes, no])] == [3, 0]
    assert judge("", [Passage(yes.tokens, yes.ids, (0,))])[0].score == 2


def test_a_likelihood_ratio_by_hand():
    judge = LikelihoodJudge(lambda c: {"a": 0.5, "b": 0.5}.get(c, 0.0), "aaab" + "c" * 6)
    # P(a) = 3.001/11, P(b) = 1.001/11: one more than ten characters stands below, a thousandth of it above
    assert judge.ratio("ab a") == pytest.approx((2 * np.log(0.5 / (3.001 / 11)) + np.log(0.5 / (1.001 / 11))) / 3)
    assert judge.ratio("ac") == judge.ratio(" ") == -np.inf
    with pytest.raises(ValueError, match=r"'dnaa'.*dna"):
        LikelihoodJudge("dnaa", AT_LARGE)


def test_a_function_of_ones_own_and_what_it_must_return():
    passages = [sentence("A b", i) for i in range(2)]
    by_passage = FunctionJudge(lambda claim, p: p.tokens[p.marked[0]].isupper(), name="capitals")
    assert run_judge(by_passage, "", passages).scores == (3, 0)
    run = run_judge(lambda claim, ps: [None, 2], "", passages, name="two")
    assert (run.scores, run.n_refused, run.name, run.kind) == ((None, 2), 1, "two", "function")
    with pytest.raises(ValueError, match="1 answers on 2 passages"):
        run_judge(lambda claim, ps: [3], "", passages)
    with pytest.raises(ValueError, match=r"on passage 1: a score is 0, 1, 2 or 3.* not 4"):
        run_judge(lambda claim, ps: [3, 4], "", passages)
    with pytest.raises(ValueError, match="gave no list"):
        run_judge(lambda claim, ps: None, "", passages)
    with pytest.raises(TypeError, match="judge"):
        run_judge("planted", "", passages)


def test_what_a_judge_spends_is_the_rise_of_its_counters():
    class Paid:
        spent = {"dollars": 1.0}  # noqa: RUF012

        def __call__(self, claim, passages):
            self.spent["dollars"] += 0.25
            return [Verdict(3)] * len(passages)

    assert run_judge(Paid(), "", [sentence("a", 0)]).spent == {"dollars": 0.25}


def random_scores(n, seed):
    rng = random.Random(seed)
    return [rng.choice([0, 0, 1, 2, 3]) for _ in range(n)]


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.3])
def test_a_judge_that_errs_is_found_out_at_its_rate(probability):
    truth = random_scores(2000, 5)
    judge = FlippedJudge(lambda claim, passages: truth, probability, seed=3)
    scores = run_judge(judge, "", [sentence("a", 0)] * 2000).scores
    found = altered(scores, truth)
    assert found.low <= probability <= found.high
    # With quadratic weights a flipped score is 1, 2 or 3 steps further round: the same mistakes by a second program.
    rng = random.Random(9)
    other = [(s + rng.randrange(1, 4)) % 4 if rng.random() < probability else s for s in truth]
    assert agreement(scores, truth).kappa == pytest.approx(agreement(other, truth).kappa, abs=0.06)


def test_shuffled_scores_give_chance():
    truth = random_scores(2000, 5)
    shuffled = random.Random(1).sample(truth, len(truth))
    found = agreement(shuffled, truth)
    assert found.low < 0 < found.high and abs(found.kappa) < 0.05
    chance = sum((truth.count(s) / 2000) ** 2 for s in range(4))
    assert found.same.low < chance < found.same.high
