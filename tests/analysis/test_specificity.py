"""Specificity, sensitivity and the field's scores of features that are made right, wrong, or right when strong."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from saewidgets.analysis.judges import (
    FlippedJudge,
    FunctionJudge,
    LanguageWriter,
    PlantedWriter,
    detection,
    field_scores,
    fuzzing,
    intruder,
    logit_judgment,
    new_text_sensitivity,
    new_texts,
    planted_judge,
    saebench,
    span_sensitivity,
    specificity,
    written_label,
)
from saewidgets.analysis.judges.windows import Windows
from saewidgets.files import LoadError
from saewidgets.miniworld import load_corpus
from saewidgets.models import load_model, site
from saewidgets.records import FeatureActivations, Grading, Passage, Specificity, altered
from saewidgets.sae import SAE, SAEConfig

CONCEPT = "animal"
RIGHT, NOISE, STRONG, DEAD = range(4)  # on the concept; anywhere; on it where strong; never


@pytest.fixture(scope="module")
def corpus():
    return load_corpus(300, seed=7)


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def sae(model):
    return SAE(SAEConfig(160, 4, "topk", k=1, site=site(model, "blocks.2.hook_resid_post"), seed=2))


@pytest.fixture(scope="module")
def acts(corpus):
    """Activations made by hand: no model has read this corpus."""
    rng = np.random.default_rng(0)
    counted = (corpus.token_rows >= 0) & (np.arange(corpus.token_rows.shape[1]) > 0)
    mask = corpus.concept_mask(CONCEPT) & counted
    noise = counted & (rng.random(counted.shape) < 0.1)
    dense = np.zeros((4, *counted.shape), np.float32)
    dense[RIGHT][mask] = rng.uniform(0.5, 1, mask.sum())
    dense[NOISE][noise] = rng.uniform(0.01, 1, noise.sum())
    dense[STRONG][mask] = rng.uniform(0, 1, mask.sum())
    weak = noise & ~mask
    dense[STRONG][weak] = rng.uniform(0, 0.5, weak.sum())
    dense[STRONG][tuple(np.argwhere(mask)[0])] = 1
    feature, row, column = np.nonzero(dense)
    return FeatureActivations(
        tokens=corpus.token_rows,
        context=row.astype(np.int32),
        position=column.astype(np.int32),
        value=dense[feature, row, column],
        start=np.searchsorted(feature, np.arange(5)),
        counted=counted,
        corpus=corpus.name,
    )


@pytest.fixture(scope="module", autouse=True)
def quiet(unexamined):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def told(model, sae, acts, feature, **options):
    return specificity(model, sae, acts, feature, CONCEPT, **{"scores": False, "progress": False, **options})


def test_a_right_feature_is_specific_at_every_strength(model, sae, acts, corpus):
    found = told(model, sae, acts, RIGHT, judges=planted_judge(corpus))
    table = found.table()
    assert (
        table["active"].tolist()[:4] == [0, 0, 0, 0] and table["n"].tolist() == table["active"].clip(upper=100).tolist()
    )
    assert (table.loc[5:, "s3"] == 1).all() and table.loc[0, ["s3", "s0"]].isna().all()
    assert found.specific()[0] == 1
    assert sum(found.counts) == (corpus.concept_mask(CONCEPT) & acts.counted).sum()


def test_a_noise_feature_is_not_and_its_shares_are_the_corpus_own(model, sae, acts, corpus):
    found = told(model, sae, acts, NOISE, judges=planted_judge(corpus), per_interval=10_000)
    judge = planted_judge(corpus)
    row, column, value = acts.of(NOISE)
    share = judge.labels(CONCEPT).mask[row, column].mean()  # every activation was drawn, so this is exact
    assert found.specific()[0] == pytest.approx(share) and share < 0.1
    edges = np.linspace(0, value.max(), 11)
    assert found.counts == tuple(np.histogram(value.astype(np.float64), edges)[0])
    assert found.edges == pytest.approx(tuple(edges))


def test_a_feature_that_is_right_where_strong_climbs_with_its_strength(model, sae, acts, corpus):
    found = told(model, sae, acts, STRONG, judges=planted_judge(corpus))
    shares = found.table()["s3"]
    assert (shares[5:] == 1).all() and (shares[:5] < 0.8).all()
    value, low, high = found.specific()
    mask = corpus.concept_mask(CONCEPT)
    row, column, _ = acts.of(STRONG)
    assert low < mask[row, column].mean() < high and low < value < high
    assert found.specific(above=found.maximum / 2)[0] == 1
    assert found.specific(at_least=0)[0] == 1


def test_a_persons_sheet_is_a_judge_of_the_activations_it_was_drawn_from(model, sae, acts, corpus):
    """Drawn from the record with little text, asked again with whole rows; a person who errs at every fourth is found."""
    found = told(model, sae, acts, STRONG, corpus=corpus, per_interval=12)
    truth = {(e.context, e.position + e.peak): s for e, s in zip(found.examples, found.run_of().scores, strict=True)}
    sheet = Grading.of(CONCEPT, found, n=60, name="me", seed=5)
    right = [truth[p.context, p.position + p.marked[0]] for p in sheet.passages]
    for i, score in enumerate(right[:56]):
        sheet = sheet.answered((score + 2) % 4 if i % 4 == 0 else score, 1.5)
    again = told(model, sae, acts, STRONG, judges=[sheet], corpus=corpus, per_interval=12)
    run = again.run_of("me")
    assert (run.kind, run.seconds, run.n_refused) == ("person", 84.0, len(found.examples) - 56)
    off = altered(run.scores, again.run_of("planted labels").scores)
    assert off.value == pytest.approx(14 / 56) and off.n == 56
    with pytest.raises(ValueError, match="'me' has not graded: give corpus=corpus"):
        told(model, sae, acts, STRONG, judges=[sheet], scores=True)
    with pytest.raises(ValueError, match="has graded the claim 'animal', not 'owl'"):
        specificity(model, sae, acts, STRONG, "owl", [sheet], corpus=corpus)


def test_the_weighted_interval_is_jeffreys_where_there_is_one_interval(model, sae, acts, corpus):
    """By a grid: the 2.5 and 97.5 percentiles of Beta(hits + 1/2, misses + 1/2)."""
    found = told(model, sae, acts, STRONG, judges=planted_judge(corpus), n_intervals=1, per_interval=80)
    hits = found.run_of().scores.count(3)
    p = np.linspace(0, 1, 20_001)[1:-1]
    density = p ** (hits - 0.5) * (1 - p) ** (80 - hits - 0.5)
    below = np.cumsum(density) / density.sum()
    value, low, high = found.specific()
    assert value == hits / 80
    assert low == pytest.approx(p[np.searchsorted(below, 0.025)], abs=0.01)
    assert high == pytest.approx(p[np.searchsorted(below, 0.975)], abs=0.01)


def test_judges_see_neither_activation_nor_its_order(model, sae, acts, corpus):
    seen = []

    def spy(claim, passages):
        seen.extend(passages)
        return [3] * len(passages)

    found = told(model, sae, acts, NOISE, judges=spy)
    dense = acts.dense(NOISE)
    value = np.array([dense[p.context, p.position + p.marked[0]] for p in seen])
    assert sorted(value) == pytest.approx(sorted(e.maximum for e in found.examples))
    assert abs(np.corrcoef(value, np.arange(len(value)))[0, 1]) < 0.15
    assert all("".join(p.tokens) == corpus.texts[p.context] for p in seen[:20])  # the whole text, exactly


def test_answers_come_back_to_the_examples_they_are_about(model, sae, acts, corpus):
    by_token = FunctionJudge(lambda claim, p: len(p.tokens[p.marked[0]]) % 4, name="length")
    found = told(model, sae, acts, NOISE, judges=by_token)
    texts = [model.token_text([e.token_ids[e.peak]])[0] for e in found.examples]
    assert found.run_of().scores == tuple(len(t) % 4 for t in texts)


def test_a_flipped_judge_is_found_out_on_real_examples(model, sae, acts, corpus):
    judge = planted_judge(corpus)
    found = told(model, sae, acts, NOISE, judges=[judge, FlippedJudge(judge, 0.2, seed=1)])
    first, flipped = found.judges
    share = altered(flipped.scores, first.scores)
    assert share.n > 900 and share.low <= 0.2 <= share.high
    (row,) = found.agreement().to_dict("records")
    assert row["judge"] == flipped.name and row["same"] == 1 - share.value and row["low"] < row["kappa"] < row["high"]


def test_less_context_is_shown_where_it_is_asked_for(model, sae, acts):
    seen = []
    told(model, sae, acts, RIGHT, judges=lambda c, ps: seen.extend(ps) or [0] * len(ps), context=2, window=1)
    assert max(len(p.tokens) for p in seen) == 5


def test_it_is_refused_before_any_work(model, sae, acts, corpus):
    judge = planted_judge(corpus)
    with pytest.raises(ValueError, match="nobody is there to judge"):
        told(model, sae, acts, RIGHT)
    with pytest.raises(ValueError, match="never active"):
        told(model, sae, acts, DEAD, corpus=corpus)
    with pytest.raises(ValueError, match=r"'animl'.*animal"):
        specificity(model, sae, acts, RIGHT, "animl", corpus=corpus)
    with pytest.raises(ValueError, match="two judges are called"):
        told(model, sae, acts, RIGHT, judges=[judge, judge])
    with pytest.raises(ValueError, match="another corpus"):
        told(model, sae, acts, RIGHT, corpus=load_corpus(40, seed=7))
    with pytest.raises(TypeError, match="judges"):
        told(model, sae, acts, RIGHT, judges=["planted"])
    with pytest.raises(IndexError, match="0 to 3"):
        told(model, sae, acts, 4, judges=judge)
    with pytest.raises(ValueError, match="per_interval"):
        told(model, sae, acts, RIGHT, judges=judge, per_interval=0)


def test_the_record_opens_again(model, sae, acts, corpus, tmp_path):
    found = specificity(model, sae, acts, STRONG, CONCEPT, corpus=corpus, per_interval=20, progress=False)
    found.save(tmp_path / "found.json")
    again = Specificity.load(tmp_path / "found.json")
    assert again == found and again.table().equals(found.table())
    assert [s.name for s in found.sensitivity] == ["spans", "new texts"]
    (tmp_path / "bad.json").write_text((tmp_path / "found.json").read_text().replace('"maximum":', '"maxim":', 1))
    with pytest.raises(LoadError, match="maxim"):
        Specificity.load(tmp_path / "bad.json")
    data = found.to_dict()
    data["judges"][0]["scores"][0] = 4
    with pytest.raises(ValueError, match="not 4"):
        Specificity.from_dict(data)


# -- sensitivity -------------------------------------------------------------------------------------------------------


def test_recall_over_spans_by_a_walk_over_the_tokens(acts, corpus):
    mask = corpus.concept_mask(CONCEPT) & acts.counted
    dense = acts.dense(STRONG)
    maxima, run = [], []
    for row in range(len(mask)):
        for column in range(mask.shape[1]):
            if mask[row, column]:
                run.append(dense[row, column])
            elif run:
                maxima.append(max(run))
                run = []
        if run:
            maxima.append(max(run))
            run = []
    found = span_sensitivity(acts, STRONG, corpus, CONCEPT)
    assert found.maxima == pytest.approx(tuple(maxima))
    assert found.recall(0.5).hits == sum(m > 0.5 for m in maxima) and found.recall(0.5).n == len(maxima)
    assert span_sensitivity(acts, RIGHT, corpus, CONCEPT).recall().value == 1
    few = span_sensitivity(acts, STRONG, corpus, CONCEPT, most=10)
    assert len(few.maxima) == 10 and set(few.maxima) <= set(found.maxima) and "drawn from" in few.what


def test_new_texts_have_the_concept_and_are_new(model, sae, corpus):
    texts = new_texts("owl", n=20)
    assert len(texts) == 20 and texts.concept_mask("owl").any(1).all()
    assert not set(texts.texts) & set(corpus.texts)
    assert new_texts("owl", n=5).texts == texts.texts[:5]
    assert new_texts("owl", n=5, seed=1).texts != texts.texts[:5]
    with pytest.raises(ValueError, match=r"'owll'.*owl"):
        new_texts("owll")
    found = new_text_sensitivity(model, sae, 1, "owl", n=6)
    import torch

    for text, maximum in zip(texts.texts[:6], found.maxima, strict=True):  # one text at a time
        x = model.activations(model.tokens(text), sae.config.site.hook_name)[0, 1:]
        with torch.inference_mode():
            assert maximum == pytest.approx(float(sae.encode(x)[:, 1].max()), abs=1e-4)


# -- the field's scores ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [detection, fuzzing, intruder, saebench])
def test_a_right_feature_gets_all_and_a_noise_feature_chance(model, acts, corpus, score):
    judge = planted_judge(corpus)
    right = score(model, acts, RIGHT, CONCEPT, judge)
    assert right.value == 1 and right.low < 1 and right.n_refused == 0
    assert right.chance == (0.2 if score is intruder else 0.5)
    noise = score(model, acts, NOISE, CONCEPT, judge)
    assert noise.value < 0.75  # all but two of SAEBench's 14 are told by "no"
    coin = FunctionJudge(lambda claim, p: 3 * (hash((p.context, p.position)) % 2), name="coin")
    if score is not intruder:
        assert score(model, acts, RIGHT, CONCEPT, coin).value < 0.8


def test_detection_by_hand_of_a_judge_who_always_says_yes(model, acts):
    yes = FunctionJudge(lambda claim, p: 3, name="yes")
    found = detection(model, acts, NOISE, CONCEPT, yes)
    assert found.value == 0.5 and found.n == 100
    assert saebench(model, acts, NOISE, CONCEPT, yes).value == 4 / 14
    assert intruder(model, acts, NOISE, CONCEPT, yes).n_refused == 50  # all alike: no answer
    refuses = FunctionJudge(lambda claim, p: None, name="silent")
    silent = detection(model, acts, NOISE, CONCEPT, refuses)
    assert silent.value == 0 and silent.n_refused == 100


def test_windows_have_their_peak_at_three_quarters_and_quiet_ones_have_none(model, acts):
    windows = Windows(model, acts, NOISE, width=12)
    dense = acts.dense(NOISE)
    assert [w.maximum for w in windows.active] == sorted((w.maximum for w in windows.active), reverse=True)
    assert len(windows.active) == len(set(acts.of(NOISE)[0].tolist()))  # one per row
    for w in windows.active:
        assert w.values[w.peak] == w.maximum == dense[w.context].max()
        end = int((acts.tokens[w.context] >= 0).sum())
        assert w.peak == 9 or w.first == 1 or w.first + len(w.values) == end
    for w in windows.quiet(30):
        assert not dense[w.context, w.first : w.first + len(w.values)].any() and len(w.values) > 0
    assert len({w.context for w in windows.spread(50)}) == 50


def test_fuzzing_marks_what_is_strong(model, acts):
    seen = []
    fuzzing(model, acts, RIGHT, CONCEPT, lambda c, ps: seen.extend(ps) or [0] * len(ps))
    dense = acts.dense(RIGHT)
    strong = 0.3 * dense.max()
    for p in seen:
        values = dense[p.context, p.position : p.position + len(p.tokens)]
        if values.any():
            assert p.marked == tuple(np.flatnonzero(values >= strong))
    sizes = [len(p.marked) for p in seen if dense[p.context, [p.position + i for i in p.marked]].any()]
    random_sizes = {len(p.marked) for p in seen if not dense[p.context, p.position : p.position + len(p.tokens)].any()}
    assert random_sizes == {math.ceil(sum(sizes) / len(sizes))}


def test_logits_by_a_judge_who_knows_the_ranks(model, sae):
    effect = model.direction_logits(sae.decoder_directions[1:2])[0]
    order = [i for i in effect.argsort(descending=True).tolist() if i not in model.special_token_ids]
    top = set(order[10:60])
    knows = FunctionJudge(lambda claim, p: p.ids[0] in top, name="knows")
    found = logit_judgment(model, sae, 1, CONCEPT, knows)
    assert (found.value, found.n) == (1.0, 100)
    wrong = FunctionJudge(lambda claim, p: p.ids[0] not in top, name="wrong")
    assert logit_judgment(model, sae, 1, CONCEPT, wrong).value == 0
    assert logit_judgment(model, sae, 1, CONCEPT, FunctionJudge(lambda c, p: 3, name="yes")).value == 0.5


def test_all_scores_together_leave_out_what_cannot_be_had(model, sae, acts, corpus):
    names = [s.name for s in field_scores(model, sae, acts, RIGHT, CONCEPT, planted_judge(corpus))]
    assert names == ["detection", "fuzzing", "intruder", "SAEBench", "logits"]
    with pytest.raises(ValueError, match="feature 3 has 0 active"):
        detection(model, acts, DEAD, CONCEPT, planted_judge(corpus))
    assert [s.name for s in field_scores(model, sae, acts, DEAD, CONCEPT, planted_judge(corpus))] == ["logits"]


# -- labels ------------------------------------------------------------------------------------------------------------


def test_a_label_is_written_from_some_texts_and_scored_on_others(model, acts, corpus):
    shown, judged = [], []
    writer, judge = PlantedWriter(corpus), planted_judge(corpus)

    def write(passages, strengths):
        shown.extend(passages)
        assert len(strengths) == len(passages) == 40 and min(strengths) >= 1 and max(strengths) == 10
        return writer(passages, strengths)

    def score(claim, passages):
        judged.extend(passages)
        return judge(claim, passages)

    found = written_label(model, acts, RIGHT, write, score)
    assert found.label == CONCEPT and found.n_shown == 40
    assert found.detection.value == found.fuzzing.value == 1
    assert not {p.context for p in shown} & {p.context for p in judged}
    wrong = written_label(model, acts, RIGHT, lambda passages, strengths: "number", judge)
    assert wrong.detection.value < 0.7  # a wrong label is told


def test_a_writer_that_says_nothing_is_refused(model, acts, corpus):
    judge = planted_judge(corpus)
    for label in ("", "  ", None):
        with pytest.raises(ValueError, match="not a label"):
            written_label(model, acts, RIGHT, lambda passages, strengths: label, judge)  # noqa: B023
    with pytest.raises(ValueError, match="never active"):
        written_label(model, acts, DEAD, PlantedWriter(corpus), judge)
    with pytest.raises(TypeError, match="writer"):
        written_label(model, acts, RIGHT, "animal", judge)


def test_a_language_model_sees_marks_and_strengths():
    prompts = []
    writer = LanguageWriter(lambda prompt: prompts.append(prompt) or '"owls"\n')
    assert writer([Passage(("An", " owl"), (1, 2), (1,)), Passage(("owl",), (2,), (0,))], [9, 3]) == "owls"
    assert "strength 9 of 10):\nAn «owl»" in prompts[0] and "strength 3 of 10):\n«owl»" in prompts[0]
