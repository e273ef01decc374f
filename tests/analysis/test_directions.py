"""Directions between words: vectors by hand, counting in loops, the published example of SemEval's scoring in small,
and a planted world in which every relation is one.
"""

from __future__ import annotations

import math
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets.analysis.directions import (
    answers,
    decompose,
    directions,
    gold_ratings,
    load_analogies,
    maxdiff_score,
    parallelism,
    read_analogies,
    read_semeval,
    relation_ratings,
    score_analogies,
    semeval_scores,
    word_vectors,
)
from saewidgets.analysis.directions.offsets import plane
from saewidgets.analysis.directions.semeval import MaxDiff
from saewidgets.analysis.ranks import spearman
from saewidgets.files import LoadError
from saewidgets.records import Analogy, AnalogySet, DirectionsData, WordVectors

# -- files ------------------------------------------------------------------------------------------------------------


def written(folder, text):
    path = folder / "questions.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_published_form_is_read(tmp_path):
    google = read_analogies(written(tmp_path, ": capital\nRome Italy Paris France\n\n: family\nboy girl he she\n"))
    assert google.name == "questions" and google.sections == ("capital", "family")
    assert google.questions[1] == Analogy("family", "boy", "girl", "he", "she")
    pairs = read_analogies(written(tmp_path, ": a\nx1 y1\nx2 y2\nx3 y3\n: b\nRome Italy Paris France\n"))
    assert len(pairs.section("a")) == 6 and Analogy("a", "x3", "y3", "x1", "y1") in pairs.questions
    assert len(pairs.section("b")) == 1 and pairs.pairs("a") == (("x1", "y1"), ("x2", "y2"), ("x3", "y3"))
    table = read_analogies(written(tmp_path, "category\ta\tb\tc\td\nJJ_JJR\tgood\tbetter\trough\trougher\n"))
    assert table.questions == (Analogy("JJ_JJR", "good", "better", "rough", "rougher"),)
    plain = read_analogies(written(tmp_path, "good\tbetter\trough\trougher\n"))
    assert plain.sections == ("all",)


def test_the_categories_of_the_msr_set_follow_from_its_order(tmp_path):
    msr = read_analogies(written(tmp_path, "a b c d\n" * 8000))
    sections = [q.section for q in msr.questions]
    assert sections[:7] == ["JJ_JJR", "JJR_JJ", "JJ_JJS", "JJS_JJ", "JJS_JJR", "JJR_JJS", "JJ_JJR"]
    assert (sections[3000], sections[3001], sections[4000], sections[5002]) == (
        "NN_NNS",
        "NNS_NN",
        "NN_NNPOS",
        "VB_VBZ",
    )
    assert len(msr.sections) == 16 and all(sections.count(name) == 500 for name in msr.sections)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no question"),
        (": a\nx y z\n", "line 2 has 3 words, not 2 or 4: 'x y z'"),
        ("a b c d\na b c\n", "line 2 has 3 words, not 4"),
        (": only\nx y\n", "needs two of them"),
        (":\nx y\n", "line 1 begins a section without a name"),
        ("category\ta\tb\tc\td\nJJ\tgood\tbetter\n", "line 2 has 3 columns"),
    ],
)
def test_a_file_of_no_known_form_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises(LoadError, match=said):
        read_analogies(written(tmp_path, text))
    with pytest.raises(LoadError):
        read_analogies(tmp_path / "none.txt")


# -- analogies --------------------------------------------------------------------------------------------------------

NOUNS = ("man", "king", "uncle", "boy", "actor", "waiter")


def planted(noise=0.0, seed=0):
    """Vectors in which a pair's second word is the first plus one direction, and eight words with no part in it."""
    rng = np.random.default_rng(seed)
    first = np.linalg.qr(rng.normal(size=(24, 24)))[0][: len(NOUNS) + 1]
    step = first[-1] * 0.8
    second = first[:-1] + step + noise * rng.normal(size=first[:-1].shape)
    others = rng.normal(size=(8, 24))
    words = (*NOUNS, *(f"{noun}+" for noun in NOUNS), *(f"other{i}" for i in range(8)))
    vectors = np.concatenate([first[:-1] * np.linspace(0.5, 3, len(NOUNS))[:, None], second, others])
    return WordVectors(words, vectors.astype(np.float32), "planted")


PAIRS = [(noun, f"{noun}+") for noun in NOUNS]
QUESTIONS = AnalogySet(
    "planted",
    (
        *(Analogy("one", *p, *q) for p in PAIRS for q in PAIRS if p != q),
        Analogy("one", "man", "man+", "boy", "lacking"),
    ),
)


def test_a_planted_relation_is_answered_and_shuffled_vectors_are_at_chance():
    vectors = planted()
    found = score_analogies(answers(vectors, QUESTIONS))
    assert found["n"] == 30 and found["correct"] == 30 and found["chance"] == pytest.approx(1 / 6)
    right = []
    for seed in range(30):
        order = np.random.default_rng(seed).permutation(len(vectors.words))
        shuffled = WordVectors(vectors.words, vectors.vectors[order], "shuffled")
        right.append(score_analogies(answers(shuffled, QUESTIONS))["correct"] / 30)
    assert np.mean(right) == pytest.approx(1 / 17, abs=0.05)  # 20 words, three left out


def test_answers_ranks_and_baselines_are_those_of_a_loop():
    vectors = planted(noise=0.25, seed=4)
    x = {w: v / np.linalg.norm(v) for w, v in zip(vectors.words, vectors.vectors.astype(float), strict=True)}

    def order(y, out):
        return sorted((w for w in x if w not in out), key=lambda w: -(x[w] @ y / np.linalg.norm(y)))

    found = answers(vectors, QUESTIONS)
    assert 0 < score_analogies(found)["correct"] < 30  # or the test would see little
    for one in found:
        y, out = x[one.b] - x[one.a] + x[one.c], (one.a, one.b, one.c)
        assert one.answer == order(y, out)[0] and one.kept == order(y, ())[0]
        assert one.neighbor == order(x[one.c], out)[0] and one.rank == order(y, out).index(one.d)


def test_chance_is_the_mean_over_shufflings_of_the_answers():
    found = answers(planted(noise=0.4, seed=2), QUESTIONS)
    said, meant = [one.answer for one in found], [one.d for one in found]
    rng = np.random.default_rng(0)
    shuffled = [np.mean([a == b for a, b in zip(rng.permutation(said), meant, strict=True)]) for _ in range(4000)]
    assert score_analogies(found)["chance"] == pytest.approx(np.mean(shuffled), abs=0.01)


# -- offsets ----------------------------------------------------------------------------------------------------------


def test_parallelism_is_the_mean_over_twos_of_pairs_and_its_null_is_lower():
    vectors = planted(noise=0.15, seed=3)
    x = {w: v / np.linalg.norm(v) for w, v in zip(vectors.words, vectors.vectors.astype(float), strict=True)}
    offsets = [x[b] - x[a] for a, b in PAIRS]
    cosines = [o @ p / np.linalg.norm(o) / np.linalg.norm(p) for o, p in combinations(offsets, 2)]
    found = parallelism(vectors, [*PAIRS, ("man", "lacking")], n_shuffles=300)
    assert found.n == 6 and found.mean == pytest.approx(np.mean(cosines), abs=1e-6)
    assert found.null < found.mean and found.p == pytest.approx(1 / 301, abs=0.02)
    lengths = [np.linalg.norm(v) for v in vectors.vectors[:12]]
    raw = vectors.vectors
    assert found.length == pytest.approx(
        np.linalg.norm(raw[6:12] - raw[:6], axis=1).mean() / np.mean(lengths), rel=1e-5
    )
    assert math.isnan(parallelism(vectors, PAIRS[:1]).mean)


def test_p_of_pairs_without_a_relation_is_not_small():
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        none = WordVectors(planted().words, rng.normal(size=(20, 24)).astype(np.float32), "none")
        found.append(parallelism(none, PAIRS, n_shuffles=99, seed=seed).p)
    assert np.mean(np.array(found) <= 0.2) < 0.35 and 0.35 < np.mean(found) < 0.65


def test_the_plane_is_that_of_the_principal_axes():
    vectors = planted(noise=0.1)
    places, explained = plane(vectors, PAIRS)
    x = vectors.vectors[:12] / np.linalg.norm(vectors.vectors[:12], axis=1, keepdims=True)
    values = np.linalg.eigvalsh(np.cov(x.T.astype(float)))
    assert explained == pytest.approx(values[-2:].sum() / values.sum(), rel=1e-4)
    at = np.array(places)  # [pair, 2, 2]
    flat = at.reshape(-1, 2)
    np.testing.assert_allclose(sorted(flat.var(0, ddof=1)), values[-2:], rtol=1e-3)
    assert (at[:, 1] - at[:, 0]).mean(0)[0] > 0 and plane(vectors, PAIRS[:1])[1] != plane(vectors, PAIRS[:1])[1]


# -- in a model -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair():
    return sw.load_model(), sw.load_sae("miniworld-512")


def test_vectors_are_rows_of_the_embedding_or_what_flows_at_the_word(pair):
    model, sae = pair
    words = ["king", "queen", "sesquipedalian"]
    rows = word_vectors(model, words)
    assert rows.words == ("king", "queen") and rows.skipped == ("sesquipedalian",)
    W_E = model.hooked.W_E.detach()
    torch.testing.assert_close(
        torch.from_numpy(rows.vectors), W_E[[model.one_token(" king"), model.one_token(" queen")]]
    )
    hook_name = sae.config.site.hook_name
    inside = word_vectors(model, words, hook_name, template="This is the {} of it")
    tokens = model.tokens("This is the queen")
    torch.testing.assert_close(
        torch.from_numpy(inside.vectors[1]), model.activations(tokens, hook_name)[0, -1], atol=1e-4, rtol=1e-4
    )
    with pytest.raises(ValueError, match=r"template must hold \{\} once"):
        word_vectors(model, words, hook_name, template="no place")
    with pytest.raises(ValueError, match="none of the 1 words is one token of miniworld"):
        word_vectors(model, ["sesquipedalian"])


def test_the_parts_of_an_offset_add_up_and_a_feature_s_share_is_its_own(pair):
    model, sae = pair
    pairs = [("man", "woman"), ("king", "queen"), ("boy", "sesquipedalian")]
    features, error = decompose(model, sae, pairs, n=512, labels={features_of(pair)[0]: "known"})
    assert sum(f.share for f in features) + error == pytest.approx(1, abs=1e-5)
    hook_name = sae.config.site.hook_name
    x = [[model.activations(model.tokens(f" {w}"), hook_name)[0, -1].detach() for w in p] for p in pairs[:2]]
    offset = sum(b - a for a, b in x) / 2
    first = features[0]
    acts = [[float(sae.encode(v[None]).detach()[0, first.feature]) for v in p] for p in x]
    change = np.mean([b - a for a, b in acts])
    share = change * float(sae.decoder_directions[first.feature] @ offset / (offset @ offset))
    assert first.share == pytest.approx(share, rel=1e-3) and first.after - first.before == pytest.approx(
        change, abs=1e-3
    )
    left = offset - sum((f.after - f.before) * sae.decoder_directions[f.feature] for f in features)
    assert error == pytest.approx(float(left @ offset / (offset @ offset)), abs=1e-4)
    assert first.label == "known"


def features_of(pair):
    return [f.feature for f in decompose(*pair, [("man", "woman"), ("king", "queen")])[0]]


@pytest.fixture(scope="module")
def data(pair):
    questions = load_analogies()
    own = AnalogySet(questions.name, (*questions.questions, Analogy("gender", "man", "woman", "duke", "duchess")))
    return directions(pair[0], own, pair[1], n_shuffles=40, progress=False)


def test_the_whole_lab_counts_what_it_skips_and_beats_its_null(data, pair):
    assert [space.name for space in data.spaces] == ["hook_embed", pair[1].config.site.hook_name]
    assert data.n_questions == len(load_analogies()) + 1 and set(data.skipped_words) == {"duke", "duchess"}
    table = data.to_dataframe().set_index(["space", "relation"])
    gender = table.loc[("hook_embed", "gender")]
    assert (gender["n"], gender["skipped"]) == (110, 1) and gender["of_all"] == pytest.approx(
        gender["accuracy"] * 110 / 111
    )
    capital = table.loc[("hook_embed", "capital")]
    assert (
        capital["accuracy"] > 3 * capital["chance"]
        and capital["neighbor"] == 0
        and capital["parallel"] > capital["null"]
    )
    assert math.isnan(capital["error"]) and 0 < table.loc[(pair[1].config.site.hook_name, "capital"), "error"] < 1
    one = data["hook_embed"]["gender"]
    assert len(one.pairs) == 11 and all(answer.a in load_analogies().words for answer in one.answers)
    with pytest.raises(KeyError, match="relation"):
        data["hook_embed"]["gendre"]


def test_a_lab_opens_as_it_was_saved(data, tmp_path):
    data.save(tmp_path / "d.json")
    again = DirectionsData.load(tmp_path / "d.json")
    assert again.to_dict() == data.to_dict() and math.isnan(again["hook_embed"]["gender"].error)


def test_a_question_set_of_another_language_is_refused(pair):
    with pytest.raises(ValueError, match="no question of none can be asked"):
        directions(
            pair[0],
            AnalogySet("none", (Analogy("x", "aaaab", "bbbbc", "ccccd", "dddde"),)),
            candidates=load_analogies().words,
        )


# -- SemEval ----------------------------------------------------------------------------------------------------------

FOUR = (("tree", "oak"), ("oak", "tree"), ("car", "van"), ("dog", "pet"))
GIVEN = [
    MaxDiff(FOUR, FOUR[1], FOUR[0]),
    MaxDiff(FOUR, FOUR[3], FOUR[0]),
    MaxDiff(FOUR, FOUR[1], FOUR[2]),
    MaxDiff(FOUR[1:] + FOUR[:1], FOUR[3], None),  # another order is another question; no choice of the most
]


def test_gold_ratings_and_maxdiff_by_hand():
    gold = gold_ratings(GIVEN)
    assert gold == {FOUR[0]: 50.0, FOUR[1]: -50.0, FOUR[2]: 25.0, FOUR[3]: -50.0}
    ratings = {FOUR[0]: 0.9, FOUR[1]: 0.1, FOUR[2]: 0.5, FOUR[3]: 0.2}
    # The first question: least oak:tree has 2 votes, most tree:oak 2; the second: least dog:pet, most nobody's.
    assert maxdiff_score([FOUR, FOUR[1:] + FOUR[:1]], GIVEN, ratings) == (1, 2, 2)
    turned = {pair: -value for pair, value in ratings.items()}
    assert maxdiff_score([FOUR], GIVEN, turned) == (0, 0, 1)
    tied = [MaxDiff(FOUR, FOUR[0], FOUR[1]), MaxDiff(FOUR, FOUR[2], FOUR[3])]
    assert maxdiff_score([FOUR], tied, {**ratings, FOUR[2]: 0.0, FOUR[3]: 1.0}) == (
        1,
        1,
        1,
    )  # of equal votes both are right


def test_relation_ratings_are_mean_cosines_with_the_paradigms():
    vectors = planted(noise=0.2)
    found = relation_ratings(vectors, [*PAIRS[:2], ("man", "lacking")], [PAIRS[2], ("lacking", "man")])
    x = {w: v / np.linalg.norm(v) for w, v in zip(vectors.words, vectors.vectors.astype(float), strict=True)}
    offset = {p: (x[p[1]] - x[p[0]]) / np.linalg.norm(x[p[1]] - x[p[0]]) for p in PAIRS[:3]}
    assert found == {PAIRS[2]: pytest.approx(np.mean([offset[PAIRS[2]] @ offset[p] for p in PAIRS[:2]]), abs=1e-6)}
    assert relation_ratings(vectors, [("lacking", "man")], PAIRS) == {}


def package(folder):
    """A package of one relation in the published form."""
    (folder / "subcategories-paradigms.txt").write_text(
        "1, a, CLASS, Other: (noun:noun), x:y, z: w\n2, b, GENDER, Male:Female (noun:noun), man:man+, king: king+ uncle:uncle+\n"
    )
    pairs = [f"{a}:{b}" for a, b in (*PAIRS[3:], ("other0", "other1"), ("lacking", "word"))]
    four, line = ", ".join(f'"{p}"' for p in pairs[:4]).replace(", ", ","), "\t".join(f'"{p}"' for p in pairs[:4])
    for name in ("Phase1Answers", "Phase2Questions", "Phase2Answers"):
        (folder / "Testing" / name).mkdir(parents=True)
    (folder / "Testing/Phase1Answers/Phase1Answers-2b.txt").write_text("".join(f'"{p}"\n' for p in pairs))
    (folder / "Testing/Phase2Questions/Phase2Questions-2b.txt").write_text(f"{four}\n")
    answer = f'{line}\t"other0:other1"\t"boy:boy+"\t"X is Y"\n'
    (folder / "Testing/Phase2Answers/Phase2Answers-2b.txt").write_text(
        f'# pair1\tpair2\n{answer}{answer}{line}\t"actor:actor+"\t""\t"X"\n'
    )
    return folder


def test_a_package_is_read_and_scored(tmp_path):
    (relation,) = read_semeval(package(tmp_path))
    assert (relation.code, relation.name) == ("2b", "Male:Female (noun:noun)")
    assert relation.paradigms == (("man", "man+"), ("king", "king+"), ("uncle", "uncle+"))
    assert len(relation.pairs) == 5 and len(relation.answers) == 3 and relation.answers[2].most is None
    row = semeval_scores(planted(), [relation]).iloc[0]
    assert (row["pairs"], row["rated"], row["paradigms"]) == (4, 4, 3)  # the fifth pair is in no question
    assert row["maxdiff"] == 0.5 or row["maxdiff"] == 1.0
    gold = gold_ratings(relation.answers)
    rated = relation_ratings(planted(), relation.paradigms, relation.pairs)
    assert row["spearman"] == pytest.approx(spearman([rated[p] for p in gold], list(gold.values())))
    with pytest.raises(LoadError, match="no relation in it has its files in Training"):
        read_semeval(tmp_path, "Training")
    with pytest.raises(ValueError, match="split"):
        read_semeval(tmp_path, "testing")
    (tmp_path / "Testing/Phase1Answers/Phase1Answers-2b.txt").write_text('"no colon"\n')
    with pytest.raises(LoadError, match="is not a pair of words"):
        read_semeval(tmp_path)


def test_ranks_share_ties():
    x, y = [1.0, 2.0, 2.0, 5.0], [3.0, 1.0, 4.0, 4.0]
    ranks = np.corrcoef([1, 2.5, 2.5, 4], [2, 1, 3.5, 3.5])[0, 1]
    assert spearman(x, y) == pytest.approx(ranks) and math.isnan(spearman([1.0, 1.0], [1.0, 2.0]))


def test_wrong_kinds_are_refused_with_what_to_give():
    with pytest.raises(TypeError, match=r"word_vectors\(model, words\)"):
        answers(SimpleNamespace(), QUESTIONS)
    with pytest.raises(TypeError, match=r"two words each, such as \('man', 'king'\)"):
        parallelism(planted(), ["man king"])
    with pytest.raises(TypeError, match="path"):
        read_analogies(None)
    with pytest.raises(ValueError, match="an answer needs a choice, and 2 words"):
        answers(WordVectors(("a", "b"), np.eye(2, dtype=np.float32), "two"), QUESTIONS)
