"""Each exercise takes its right answers, and has a sentence of its own for each foreseeable wrong one."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets import course
from saewidgets.course import answers, setting
from saewidgets.course.tables import chat, claims, dashboard, relations, searching

FEW = 300  # documents: the features fire as over 2,000, and the tests are done in seconds


@pytest.fixture(scope="module", autouse=True)
def few():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setting, "N_DOCUMENTS", FEW)
        setting.acts.cache_clear()
        yield
    setting.acts.cache_clear()


def told(key, answer):
    """Whether an answer passes, and what is said of it."""
    found = sw.check(key, answer)
    REACHED.add(found.said.template)
    return found.passed, found.said.text


REACHED: set[str] = set()  # templates that these tests have seen


def said_of(key, *wrong):
    """(answer, part of what is said of it) in turn; each is refused."""
    for answer, part in wrong:
        passed, said = told(key, answer)
        assert passed is False, f"{answer!r} passed: {said}"
        assert part in said, said
    sentences = [part for _, part in wrong]
    assert len(set(sentences)) == len(sentences), "each kind has its own sentence"


# --- 01


def test_eleven_features_in_a_plane():
    assert told("01.1", 4)[0] and told("01.1", np.int64(4))[0] and told("01.1", torch.tensor(4))[0]
    said_of(
        "01.1",
        (10, "before the ReLU"),
        (6, "what the ReLU removes"),
        (5, "green itself"),
        (2, "answer for five features"),
        (3, "Not 3"),
        (4.5, "a whole number, not 4.5"),
        ("4", "without quotation marks"),
        (True, "takes a number, not True"),
        ([4, 4], "not a list of 2"),
        (float("nan"), "one finite number"),
    )


def test_where_a_pair_costs_as_much():
    assert told("01.2", 4 / 7)[0] and told("01.2", 0.57)[0]
    said_of(
        "01.2",
        (3 / 7, "is the sparsity"),
        (0.8, "Both of a pair"),
        (0.3, "denser"),
        (0.9, "rarer"),
        (1.3, "a share of the inputs"),
        (0, "above 0 and at most 1: not 0"),
    )


def bipyramid(turn=0.0, **changes):
    angles = np.radians([0, 120, 240])
    W = np.zeros((3, 5))
    W[0, :3], W[1, :3], W[2, 3:] = np.cos(angles), np.sin(angles), [1, -1]
    for place, value in changes.items():
        W[:, int(place[1])] = value
    c, s = np.cos(turn), np.sin(turn)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ W


def test_a_triangle_and_a_pair():
    assert told("01.3", bipyramid())[0]
    assert told("01.3", 3 * bipyramid(turn=0.7)[:, ::-1])[0], "turned, in another order, and longer"
    assert told("01.3", torch.tensor(bipyramid()).float())[0]
    said_of(
        "01.3",
        ("triangle", "an array of numbers"),
        (bipyramid().T, "give W.T"),
        (np.eye(3), "yours has (3, 3)"),
        (bipyramid(f4=np.nan), "not finite"),
        (bipyramid(f4=0), "Feature 4 has length 0"),
        (bipyramid(f4=[0, 0, -2]), "not equally long: 1.00 to 2.00"),
        (bipyramid(f3=[0.8, 0.6, 0], f4=[-0.8, -0.6, 0]), "use 2 of the 3"),
        (bipyramid(f2=[-1, 0, 0]), "The pair is right"),
        (bipyramid(f4=[0, 0, 1]), "Features 3 and 4 point the same way"),
        (bipyramid(f4=[0.6, 0, -0.8]), "not at a right angle"),
    )


# --- 02


def shorter(k, d_sae=512):
    """The bundled SAE of 512 features with another k."""
    own = sw.load_sae("miniworld-512")
    made = sw.SAE(replace(own.config, k=k))
    made.load_state_dict(own.state_dict())
    return made


def test_the_fvu_of_answering_nothing():
    model, texts = setting.model(), sw.load_corpus(60, seed=2).texts  # others than the check reads
    hook_name = setting.hook_of("miniworld-512")
    x = torch.cat([model.activations(model.tokens(text), hook_name)[0, 1:] for text in texts])
    mine = float((x**2).sum() / ((x - x.mean(0)) ** 2).sum())  # as the second hint says, of other documents
    assert told("02.1", mine)[0]
    said_of(
        "02.1",
        (1, "answers with the mean"),
        (0, "a perfect SAE"),
        (1 / mine, "the other way up"),
        (0.5, "better than the mean"),
        (3.0, "Not 3"),
    )


def test_how_many_numbers_an_sae_has_learned():
    assert told("02.2", sum(w.numel() for w in sw.load_sae("miniworld-512").weights.values()))[0]
    said_of(
        "02.2",
        (2 * 160 * 512, "two biases as well"),
        (160 * 512, "is one matrix"),
        (160 * 512 + 512 + 160, "have one each"),
        (2 * 160 * 512 + 512, "one bias"),
        (7, "Not 7"),
    )


def test_a_sparser_sae():
    assert told("02.3", shorter(8))[0]
    elsewhere = sw.SAE(
        sw.SAEConfig(160, 64, architecture="topk", k=8, site=sw.site(setting.model(), "blocks.4.hook_resid_post"))
    )
    said_of(
        "02.3",
        (SimpleNamespace(sae=1), "give SimpleNamespace.sae"),
        (8, "takes an SAE"),
        (sw.SAE(sw.SAEConfig(160, 64, architecture="topk", k=8)), "does not say where it reads"),
        (elsewhere, "reads blocks.4.hook_resid_post"),
        (sw.SAE(replace(shorter(8).config)), "has it been trained?"),
        (shorter(12), "has L0 12.0; asked was at most 8: lower k"),
        (shorter(3), "nearer to 8"),
    )


# --- 03


def test_the_sum_of_the_densities():
    density = setting.acts().density
    assert told("03.1", density.sum())[0]
    said_of(
        "03.1",
        (density.mean(), "is the mean density"),
        (100 * density.sum(), "divide by 100"),
        (2048, "how many features there are"),
        (3, "Not 3"),
    )


def test_a_feature_that_never_fires():
    maximum = setting.acts().maximum
    dead = np.flatnonzero(maximum == 0)
    assert told("03.2", int(dead[0]))[0]
    assert maximum[len(dead)] > 0
    said_of("03.2", (len(dead), "number of one of them"), (68, "fires at"), (2048, "0 to 2047"))


def test_a_narrow_feature():
    acts = setting.acts()
    scores = sw.concept_scores(acts, setting.corpus()).set_index("concept")
    assert told("03.3", scores.loc["rice", "feature"])[0]
    rare = np.flatnonzero((acts.density > 0) & (acts.density < dashboard.RAREST))
    mixed = next(f for f in rare if dashboard.commonest_concept(acts, setting.corpus(), f)[1] < dashboard.PURE)
    said_of(
        "03.3",
        (int(np.flatnonzero(acts.maximum == 0)[0]), "never fires"),
        (int(acts.density.argmax()), "at most 1 in 500"),
        (mixed, "the commonest"),
    )


def test_a_feature_of_few_tokens_is_too_few_to_tell(monkeypatch):
    monkeypatch.setattr(dashboard, "FIRES", 10_000)
    monkeypatch.setattr(dashboard, "LEAST_DOCUMENTS", 0)
    rare = np.flatnonzero(setting.acts().density > 0)[setting.acts().density[setting.acts().density > 0].argmin()]
    said_of("03.3", (int(rare), "too few to tell"))


def test_the_commonest_concept_by_hand():
    """Counted again, token by token."""
    acts, corpus = setting.acts(), setting.corpus()
    context, position, _ = acts.of(933)
    shares = {c: corpus.concept_mask(c)[context, position].mean() for c in corpus.concepts}
    concept, share = dashboard.commonest_concept(acts, corpus, 933)
    assert share == pytest.approx(max(shares.values())) and shares[concept] == pytest.approx(share)


# --- 04


def test_the_feature_that_promotes_a_token():
    sae, model = setting.sae(), setting.model()
    (owl,) = model.vocabulary.continuation(" owl")
    order = model.direction_logits(sae.decoder_directions)[:, owl].argsort(descending=True).tolist()
    assert told("04.1", order[0])[0]
    active = next(f for f in order[100:] if setting.read(searching.BOTH[1])[:, f].max() > 0)
    silent = next(f for f in order[100:] if setting.read(searching.BOTH[1])[:, f].max() == 0)
    said_of("04.1", (order[1], "is number 2"), (active, "*active*"), (silent, "asked was number 1"))


def test_a_text_without_the_name():
    assert told("04.2", "I am a long suspension bridge with two tall orange towers.")[0]
    said_of(
        "04.2",
        ("The Golden one.", "the word 'golden'"),
        ("so " * 61, "At most 60 words; yours has 61"),
        ("I love the little dog.", "It reaches 1.0"),
        ("A", "is off at every token"),
        (31, "a text in quotation marks, not 31"),
    )


def test_on_in_both_and_off_in_the_third():
    a, b, c = (setting.read(text).max(0) for text in (*searching.BOTH, searching.OTHER))
    assert told("04.3", int(np.flatnonzero((a > 0) & (b > 0) & (c == 0))[0]))[0]
    said_of(
        "04.3",
        (int(np.flatnonzero(a == 0)[0]), "is off at every token of 'I love the little owl.'"),
        (int(np.flatnonzero((a > 0) & (b > 0) & (c > 0))[0]), "is on in 'I love the little dog.'"),
    )


# --- 05


def test_ablation_in_the_generated_tokens():
    assert told("05.1", sw.Clamp(96, 0, "generated"))[0] and told("05.1", [sw.Clamp(96, 0.0, "generated")])[0]
    said_of(
        "05.1",
        (sw.Clamp(95, 0, "generated"), "clamps feature 95; the bridge's is 96"),
        (sw.Clamp(96, 1, "generated"), "holds the feature at 1"),
        (sw.Clamp(96, 0), "It holds at 'all' tokens"),
        ([sw.Clamp(96, 0), sw.Clamp(95, 0)], "yours are 2"),
        ("off", "takes a list of clamps"),
        (96, "not 96"),
    )


def test_to_be_a_dog():
    dog = sw.load_clamps()["dog"]
    assert told("05.2", [dog.clamp()])[0]
    said_of(
        "05.2",
        (sw.Clamp(dog.feature, 0.5 * dog.maximum), "There is no dog in it"),
        (sw.Clamp(dog.feature, 10 * dog.maximum), "and stammers"),
        (sw.Clamp(11, 100.0), "It only stammers"),
        (sw.Clamp(4000, 1.0), "no feature 4000"),
    )


def test_how_many_seeds():
    assert told("05.3", 60)[0]
    said_of(
        "05.3",
        (55, "too wide"),
        (100, "fewer would do"),
        (62, "multiple of 5"),
        (20, "20 seeds give 58% to 92%"),
    )


# --- 06


def test_a_better_claim():
    assert told("06.1", "landmark")[0]
    said_of(
        "06.1",
        ("golden gate bridge", "the claim that failed"),
        ("owl", "owl holds for 0%"),
        ("landmarks", "nearest: landmark"),
    )


def test_the_kappa_of_two_judges():
    first, second = np.array(claims.FIRST) == 3, np.array(claims.SECOND) == 3
    by_chance = first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean())
    assert told("06.2", ((first == second).mean() - by_chance) / (1 - by_chance))[0] and told("06.2", 0.375)[0]
    said_of(
        "06.2",
        (0.8, "how often they agree"),
        (0.68, "what chance gives"),
        (0.12, "left above chance"),
        (3, "at most 1"),
        (0.5, "Not 0.5"),
    )


def test_a_rule_for_planets():
    assert (
        told("06.3", "planet|Mars|Jupiter|Saturn|Venus|Neptune")[0]
        and told("06.3", re.compile("[Pp]lanet|Mar|Jup|Sat|Ven|Nep"))[0] is not None
    )
    said_of(
        "06.3",
        ("Mars|", "matches every document"),
        ("(", "is no regular expression"),
        ("xyzzy", "matches none of the 300"),
        ("Mars", "it misses"),
        ("the", "this is not"),
    )


# --- 07


def test_the_cosine_of_two_offsets():
    man, king, woman, queen = sw.analysis.directions.word_vectors(
        setting.model(), ["man", "king", "woman", "queen"]
    ).vectors

    def cos(x, y):
        return x @ y / np.sqrt((x @ x) * (y @ y))

    assert told("07.1", cos(king - man, queen - woman))[0]
    said_of(
        "07.1",
        (cos(king - man, woman - queen), "The sign"),
        (cos(king, queen), "of the words king and queen"),
        (cos(king - queen, man - woman), "the other two sides"),
        (float((king - man) @ (queen - woman)), "the dot product"),
        (40, "between −1 and 1"),
        (0.9, "Not 0.9"),
    )


def test_an_analogy_that_the_offset_answers():
    assert told("07.2", ["China", "Beijing", "Egypt", "Cairo"])[0] and told("07.2", "China Beijing Egypt Cairo")[0]
    wrong = ["China", "Beijing", "Egypt", "Paris"]
    anyway = next(
        q
        for q in sw.analysis.directions.answers(relations._vectors(), sw.analysis.directions.load_analogies())
        if q.answer == q.neighbor == q.d
    )
    said_of(
        "07.2",
        (wrong, "not 'Paris'"),
        ([anyway.a, anyway.b, anyway.c, anyway.d], "is the nearest neighbor of"),
        (["man", "king", "man", "king"], "four different words"),
        (["man", "king", "woman"], "yours has 3"),
        (["sesquipedalian", "king", "woman", "queen"], "is not one token"),
        ({"a": 1}, "a list of 4 texts"),
    )


def test_the_feature_with_the_largest_share():
    sae = setting.sae(relations.SAE)
    parts, _ = sw.analysis.directions.decompose(setting.model(), sae, [("France", "Paris")], n=512)
    assert told("07.3", parts[0].feature)[0]
    off = next(f for f in range(512) if f not in {part.feature for part in parts})
    said_of(
        "07.3",
        (parts[1].feature, "number 2"),
        (next(part.feature for part in parts if part.share < 0), "works against"),
        (off, "is off at both words"),
    )


# --- 08


def test_the_subject_that_is_talked_about():
    table = chat.load_clamps().to_dataframe().set_index("subject")
    gap = (table["names"] - table["is_it"])[~table.index.duplicated()]
    assert told("08.1", gap.idxmax())[0]
    second = gap[gap < gap.max()].idxmax()
    said_of(
        "08.1", (second, "There is a larger difference"), (gap.idxmin(), "also says it is it"), ("a dragoon", "nearest")
    )


def test_half_a_dragon():
    dragon = chat.load_clamps()["dragon"]
    assert told("08.2", sw.Clamp(dragon.feature, dragon.value / 2, "assistant"))[0]
    said_of(
        "08.2",
        (sw.Clamp(dragon.feature + 1, 1.0), "the dragon's is"),
        (sw.Clamp(dragon.feature, dragon.value), "the whole value"),
        (sw.Clamp(dragon.feature, dragon.multiple / 2), "in multiples of the maximum"),
        (sw.Clamp(dragon.feature, 3 * dragon.value), "half of the measured value is about"),
        (sw.Clamp(dragon.feature, dragon.value / 2), "asked were the assistant's words"),
    )


# --- all of them


def test_every_sentence_of_the_tables_was_reached():
    """A sentence that no answer gets would be a kind of mistake that nobody has tried. Runs after the tests above."""
    if len(REACHED) < 80:
        pytest.skip("only with all tests of this file")
    folder = Path(course.__file__).parent
    written = {
        node.args[0].value
        for path in [*folder.glob("tables/*.py"), folder / "answers.py"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Wrong", "right")
    }
    assert written - REACHED == set()


@pytest.mark.parametrize("answer", [..., None, "", "...", [], [..., ...]])
def test_no_answer_yet_is_no_error(answer):
    for key in course.exercises():
        found = sw.check(key, answer)
        assert found.passed is None and not found and "No answer yet" in repr(found)


def test_a_hint_is_offered_after_two_wrong_answers():
    assert "sw.hint" not in repr(sw.check("01.1", 3))
    assert "sw.hint('01.1')" in repr(sw.check("01.1", 10)) and "<code>sw.hint" in sw.check("01.1", 10)._repr_html_()


def test_hints_come_one_by_one_and_begin_again():
    given = [repr(sw.hint("01.1")) for _ in range(3)]
    assert given[0].startswith("**Hint 1 of 2.**") and given[1].startswith("**Hint 2 of 2.**") and given[2] == given[0]
    assert repr(sw.solution("01.1")).startswith("**Solution.** Four.")


def test_an_unknown_exercise_names_its_neighbors():
    with pytest.raises(ValueError, match=r"unknown exercise '01.9'; there are 01.1, 01.2, 01.3"):
        sw.check("01.9", 1)
    assert course.exercise(1.2).key == "01.2"
    with pytest.raises(ValueError, match="unknown exercise 'nonsense'"):
        sw.hint("nonsense")
    with pytest.raises(TypeError, match=r"such as '01\.2'"):
        sw.check(["01.1"], 4)


def test_what_is_said_is_no_markup_of_the_answer():
    html = sw.check("01.1", "<script>")._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_there_are_enough_exercises_and_their_keys_are_in_order():
    keys = list(course.exercises())
    assert [key[:2] for key in keys if key.endswith(".1")] == [f"{n:02}" for n in range(1, 9)]
    assert all(keys.count(key) == 1 for key in keys) and all(a < b for a, b in pairwise(keys))
    for n in range(1, 8):
        assert sum(key.startswith(f"{n:02}.") for key in keys) >= 3
    for one in course.exercises().values():
        assert one.question and len(one.hints) >= 2 and one.solution


def test_what_a_person_gave_is_shown_short():
    assert answers.shown([1, 2]) == "[1, 2]" and answers.shown(list(range(100))) == "list of 100"
