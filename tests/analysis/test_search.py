"""Every way of finding features against brute force over the same model and SAE; text search against records by hand."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import sample_records
import torch
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

import saewidgets as sw
from saewidgets.activations import ActivationStore
from saewidgets.analysis import search
from saewidgets.analysis.features import dashboard_data, feature_activations
from saewidgets.analysis.quality import concept_scores
from saewidgets.miniworld import Corpus
from saewidgets.models import site
from saewidgets.records import (
    ActivationSite,
    DashboardData,
    ExampleSearch,
    FeatureActivations,
    FeatureData,
    FeatureExample,
    Histogram,
    Passport,
)
from saewidgets.records.search import COLUMNS, compile_pattern, matches
from saewidgets.records.tables import sayable
from saewidgets.sae import SAE, SAEConfig

HOOK = "blocks.0.hook_resid_post"
TEXTS = ["The bridge over the bay", "is red", "and the fog is cold. The fog is over the bay.", "Bay", "cold cold cold"]
TEXT = "The fog over the red bridge is cold"


@pytest.fixture(scope="module", params=["topk", "relu"])
def sae(request, tiny_model):
    store = ActivationStore(tiny_model, site(tiny_model, HOOK), TEXTS)
    sae = SAE(SAEConfig(32, 48, request.param, k=4, site=store.site, seed=1), name="tiny")
    with torch.no_grad():
        sae.b_enc.copy_(-torch.arange(48.0) / 24)
        if request.param == "relu":
            sae.W_enc.mul_(10)
            sae.b_enc.sub_(0.3)
        sae.b_enc[7] = -100.0
        sae.W_dec.mul_(torch.linspace(0.5, 2, 48)[:, None])
    return sae


@pytest.fixture(scope="module")
def acts(tiny_model, sae):
    return feature_activations(tiny_model, sae, TEXTS)


@pytest.fixture(scope="module")
def data(tiny_model, sae, acts):
    return dashboard_data(tiny_model, sae, acts, n_top=4, window=4, labels={3: "three"})


def dense(model, sae, text):
    """float64 [pos, d_sae], the beginning of the text at 0."""
    a = sae.encode(model.activations(model.tokens(text), HOOK)[0]).detach().double().numpy()
    a[0] = 0.0
    return a


def pairs(frame):
    return list(zip(frame["feature"].tolist(), frame["score"].tolist(), strict=True))


def ranked(score):
    """[(feature, score)] from {feature: score}: the best first, then the lower feature."""
    return sorted(score.items(), key=lambda item: (-item[1], item[0]))


def close(found, expected):
    assert dict(found) == pytest.approx(dict(expected), rel=1e-4, abs=1e-5)
    scores = [s for _, s in found]
    assert scores == sorted(scores, reverse=True)


# -- what a row says -------------------------------------------------------------------------------------------------


def test_a_row_says_what_the_corpus_says(tiny_model, sae, acts):
    frame = search.by_prompt(tiny_model, sae, TEXT, 3, acts, labels={f: f"label {f}" for f in range(48)})
    assert tuple(frame.columns) == COLUMNS and len(frame)
    for row in frame.itertuples():
        context, position, value = acts.of(row.feature)
        assert row.label == f"label {row.feature}"
        assert row.density == pytest.approx(len(value) / acts.n_tokens)
        assert row.maximum == pytest.approx(value.max(initial=0.0))
        strongest = sorted(range(len(value)), key=lambda i: -value[i])
        texts = tiny_model.display([int(acts.tokens[context[i], position[i]]) for i in strongest])
        assert row.tokens == tuple(dict.fromkeys(texts))[:5]
        counts = [0] * 20
        for v in value.tolist():
            counts[min(19, int(v * 20 / float(value.max())))] += 1
        assert row.histogram == tuple(counts)


def test_without_a_corpus_a_row_says_so(tiny_model, sae):
    row = search.by_direction(tiny_model, sae, 3, n=1).iloc[0]
    assert math.isnan(row["density"]) and math.isnan(row["maximum"]) and row["tokens"] == () == row["histogram"]


def test_no_more_rows_than_asked_for_and_ties_by_feature(tiny_model, sae):
    whole = search.by_direction(tiny_model, sae, 3)
    assert len(whole) == 47  # itself is left out
    assert search.by_direction(tiny_model, sae, 3, n=5).equals(whole.head(5))
    assert search.by_direction(tiny_model, sae, 3, n=0).columns.tolist() == list(COLUMNS)
    twins = SAE(sae.config)
    with torch.no_grad():
        twins.W_dec[20:30] = twins.W_dec[20]
    best = search.by_direction(tiny_model, twins, twins.W_dec[20].detach(), n=10)
    assert best["feature"].tolist() == list(range(20, 30))


# -- one way at a time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [3, -1, 0])
def test_by_prompt_lists_the_features_of_one_token(tiny_model, sae, acts, position):
    a = dense(tiny_model, sae, TEXT)[position]
    expected = {f: a[f] for f in a.nonzero()[0].tolist()}
    close(pairs(search.by_prompt(tiny_model, sae, TEXT, position)), expected)
    shares = {f: v / acts.maximum[f] for f, v in expected.items() if acts.maximum[f] > 0}
    close(pairs(search.by_prompt(tiny_model, sae, TEXT, position, acts, relative=True)), shares)


def test_by_prompt_refuses_what_it_cannot_answer(tiny_model, sae):
    n = len(tiny_model.tokens(TEXT))
    for wrong in (n, -n - 1):
        with pytest.raises(IndexError, match=f"tokens 0 to {n - 1}"):
            search.by_prompt(tiny_model, sae, TEXT, wrong)
    with pytest.raises(ValueError, match="needs the corpus maxima"):
        search.by_prompt(tiny_model, sae, TEXT, relative=True)


@pytest.mark.parametrize(("at_least", "at_most"), [(0.0, 0.0), (0.5, 0.0), (0.2, 0.8), (100.0, 0.0)])
@pytest.mark.parametrize("negative", [[], ["Bay", "is cold"]])
def test_by_prompts_is_an_and_and_a_not(tiny_model, sae, negative, at_least, at_most):
    positive = ["The fog over the bay", "the red bridge over the bay"]
    frame = search.by_prompts(tiny_model, sae, positive, negative, at_least=at_least, at_most=at_most)
    expected, worst = {}, {}
    for f in range(48):
        on = [dense(tiny_model, sae, t)[:, f].max() for t in positive]
        off = [dense(tiny_model, sae, t)[:, f].max() for t in negative]
        if all(v > at_least for v in on) and all(v <= at_most for v in off):
            expected[f], worst[f] = min(on), max(off, default=0.0)
    close(pairs(frame), expected)
    assert dict(zip(frame["feature"], frame["negative"], strict=True)) == pytest.approx(worst, rel=1e-4, abs=1e-5)
    assert (at_least == 100.0) == frame.empty


def test_by_prompts_takes_one_text_as_one_text(tiny_model, sae):
    one = search.by_prompts(tiny_model, sae, "The fog", "Bay")
    assert one.equals(search.by_prompts(tiny_model, sae, ["The fog"], ["Bay"]))


def test_by_prompts_refuses_what_it_cannot_answer(tiny_model, sae):
    for positive, negative, options, sentence in (
        ([], ["red"], {}, "at least one positive text"),
        (["red", ""], [], {}, "one of the texts is empty"),
        (["red"], [""], {}, "one of the texts is empty"),
        (["red"], [], {"at_least": -1.0}, "at_least must be a finite number of 0 or more, not -1"),
        (["red"], [], {"at_most": math.nan}, "at_most must be"),
        (["\ud800"], [], {}, "surrogate"),
    ):
        with pytest.raises(ValueError, match=sentence):
            search.by_prompts(tiny_model, sae, positive, negative, **options)


def test_by_prompts_reads_every_piece_of_a_long_text(tiny_model, sae):
    """By a second method: its pieces as texts of their own, of which the largest activation counts, and no piece for
    another text.
    """
    long = "The fog is cold and the bridge over the bay is red. " * 10
    room = tiny_model.n_ctx - 1
    begin, *ids = tiny_model.text_ids(long)
    pieces = [[begin, *ids[i : i + room]] for i in range(0, len(ids), room)]
    assert len(pieces) > 1
    strongest = np.max([dense(tiny_model, sae, piece).max(0) for piece in pieces], axis=0)  # [d_sae]
    bay = dense(tiny_model, sae, "Bay").max(0)
    for positive, negative, on, off in ((long, "Bay", strongest, bay), ("Bay", long, bay, strongest)):
        with pytest.warns(UserWarning, match="1 of 2 texts split"):
            frame = search.by_prompts(tiny_model, sae, positive, negative, n=48)
        close(pairs(frame), {f: on[f] for f in range(48) if on[f] > 0 and off[f] <= 0})


def cosines(sae, vector):
    W = sae.W_dec.detach().double().numpy()
    return {f: float(W[f] @ vector / math.sqrt(W[f] @ W[f]) / math.sqrt(vector @ vector)) for f in range(48)}


def test_by_direction_ranks_by_cosine(tiny_model, sae, acts):
    of_feature = cosines(sae, sae.W_dec[3].detach().double().numpy())
    alive = {f: c for f, c in of_feature.items() if f != 3 and len(acts.of(f)[2])}
    close(pairs(search.by_direction(tiny_model, sae, 3, acts)), alive)
    close(pairs(search.by_direction(tiny_model, sae, np.int64(3))), {f: c for f, c in of_feature.items() if f != 3})
    vector = np.random.default_rng(0).normal(size=32)
    for own in (vector, vector.tolist(), torch.from_numpy(vector), 1e-20 * vector):
        close(pairs(search.by_direction(tiny_model, sae, own)), cosines(sae, vector))


def test_by_direction_refuses_what_points_nowhere(tiny_model, sae):
    for wrong in (48, -1):
        with pytest.raises(IndexError, match="features 0 to 47"):
            search.by_direction(tiny_model, sae, wrong)
    for vector, sentence in (
        ([0.0] * 32, "points nowhere"),
        ([math.nan] * 32, "points nowhere"),
        ([math.inf] + [0.0] * 31, "points nowhere"),
        ([1.0] * 31, "is 32 numbers"),
        (np.ones((1, 32)), "is 32 numbers"),
        (True, "is 32 numbers"),
    ):
        with pytest.raises(ValueError, match=sentence):
            search.by_direction(tiny_model, sae, vector)


def test_by_token_promoted_ranks_by_the_logit_that_a_unit_adds(tiny_model, sae, acts):
    token = tiny_model.one_token(" bridge")
    hooked = tiny_model.hooked
    d = sae.W_dec.detach().double() / sae.scale
    d = (d - d.mean(-1, keepdim=True)) * hooked.ln_final.w.detach().double()
    logits = d @ hooked.unembed.W_U.detach().double()
    effect = (logits[:, token] - logits.mean(-1)).tolist()
    close(pairs(search.by_token_promoted(tiny_model, sae, " bridge")), dict(enumerate(effect)))
    alive = {f: v for f, v in enumerate(effect) if len(acts.of(f)[2])}
    assert 7 not in alive
    close(pairs(search.by_token_promoted(tiny_model, sae, token, acts)), alive)
    with pytest.raises(ValueError, match="' bridge' is one"):
        search.by_token_promoted(tiny_model, sae, "bridge")


def labeled(acts, mask, concepts=("fog", "other", "nothing")):
    """A corpus over the same tokens whose concept 0 is `mask`; concept 1 is every counted token, 2 none."""
    doc, pos = np.nonzero(mask)
    doc1, pos1 = np.nonzero(acts.counted)
    return Corpus(
        name="by hand",
        texts=tuple(TEXTS),
        kinds=("",) * 5,
        subjects=("",) * 5,
        token_rows=acts.tokens,
        label_doc=np.concatenate([doc, doc1]).astype(np.int32),
        label_pos=np.concatenate([pos, pos1]).astype(np.int32),
        label_concept=np.repeat([0, 1], [len(doc), len(doc1)]).astype(np.int32),
        concepts=concepts,
        nats=0.0,
    )


def test_by_concept_ranks_by_auroc_counted_pair_by_pair(tiny_model, sae, acts):
    mask = acts.counted & (np.random.default_rng(0).random(acts.tokens.shape) < 0.3)
    mask[0, 0] = True  # the beginning of the text does not count, whatever its label
    frame = search.by_concept(tiny_model, acts, labeled(acts, mask), "fog")
    own = mask & acts.counted
    expected = {}
    for f in range(48):
        a = acts.dense(f)
        inside, outside = a[own], a[acts.counted & ~own]
        if (inside > 0).any():
            wins = [(x > y) + 0.5 * (x == y) for x in inside for y in outside]
            expected[f] = sum(wins) / len(wins)
            row = frame.set_index("feature").loc[f]
            assert row["precision"] == pytest.approx((inside > 0).sum() / (a[acts.counted] > 0).sum())
            assert row["recall"] == pytest.approx((inside > 0).mean())
    close(pairs(frame), expected)
    best = concept_scores(acts, labeled(acts, mask)).set_index("concept").loc["fog"]
    assert best["auroc"] == pytest.approx(frame["score"].iloc[0])


def test_by_concept_refuses_what_it_cannot_answer(tiny_model, acts):
    corpus = labeled(acts, acts.counted)
    with pytest.raises(ValueError, match="unknown concept 'fogg'; nearest: fog"):
        search.by_concept(tiny_model, acts, corpus, "fogg")
    for empty in ("other", "nothing"):
        with pytest.raises(ValueError, match=f"'{empty}', or all do"):
            search.by_concept(tiny_model, acts, corpus, empty)
    elsewhere = FeatureActivations(
        acts.tokens + (acts.tokens > 0), acts.context, acts.position, acts.value, acts.start, acts.counted
    )
    mask = acts.counted & (np.arange(acts.tokens.shape[1]) == 1)
    with pytest.raises(ValueError, match="another corpus"):
        search.by_concept(tiny_model, elsewhere, labeled(acts, mask), "fog")


# -- text ------------------------------------------------------------------------------------------------------------


def example(*tokens, peak=0, interval=-1):
    return FeatureExample(tokens, tuple(range(len(tokens))), (1.0,) * len(tokens), peak, 0, 0, interval)


def board(**examples):
    features = {}
    for i, own in enumerate(examples.values()):
        features[i] = FeatureData(i, 2.0, 0.5, tuple(own), (), Histogram((0.0, 1.0, 2.0), (3, 4)), (), (), ())
    return DashboardData(Passport(ActivationSite("m", "h", 4), "c", 9, 10, "relu"), features)


BOARD = board(
    zero=[example("Golden", " Gate", " Bridge", peak=2), example(" golden", " retriever", peak=1)],
    one=[example("a", "⏎", "gold", peak=2), example("(x", ")", peak=0)],
    two=[example("nothing")],
)


@pytest.mark.parametrize(
    ("pattern", "options", "expected"),
    [
        ("golden", {}, [(0, 2, 0)]),
        ("GOLD", {}, [(0, 2, 0), (1, 1, 1)]),
        ("Golden", {"case": True}, [(0, 1, 0)]),
        ("n Gate B", {}, [(0, 1, 1)]),  # over token borders
        ("(x)", {}, [(1, 1, 1)]),  # not a group
        ("(x)", {"regex": True}, [(1, 1, 1)]),
        (r"gold(en)? (gate|retriever)", {"regex": True}, [(0, 2, 1)]),
        (r"^gold", {"regex": True}, [(0, 1, 0)]),
        ("\ngold", {}, [(1, 1, 1)]),  # ⏎ is a line end
        ("z*", {"regex": True}, []),  # a match of nothing is none
        ("quux", {}, []),
    ],
)
def test_text_is_found_over_token_borders(pattern, options, expected):
    frame = search.by_text(BOARD, pattern, **options)
    found = list(zip(frame["feature"], frame["score"], frame["at_peak"], strict=True))
    assert found == expected
    assert frame.columns.tolist() == [*COLUMNS, "at_peak"]


def test_a_match_says_which_tokens_it_covers():
    own = example("Golden", " Gate", " Bridge", peak=2)
    assert matches(own, compile_pattern("n gate")) == [(0, 2, False)]
    assert matches(own, compile_pattern("e")) == [(0, 1, False), (1, 2, False), (2, 3, True)]
    assert matches(own, compile_pattern(" bridge")) == [(2, 3, True)]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "ab", " a", "A", "", "⏎"]), min_size=1, max_size=8),
    st.text("ab", min_size=1, max_size=3),
)
def test_matches_are_those_of_every_place_tried(tokens, pattern):
    own = example(*tokens, peak=len(tokens) - 1)
    text = "".join(tokens)
    owner = [i for i, t in enumerate(tokens) for _ in t]
    expected, at = [], 0
    while at + len(pattern) <= len(text):
        if text[at : at + len(pattern)].lower() == pattern:
            covered = owner[at : at + len(pattern)]
            expected.append((covered[0], covered[-1] + 1, covered[0] <= own.peak <= covered[-1]))
            at += len(pattern)
        else:
            at += 1
    assert matches(own, compile_pattern(pattern)) == expected


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "a{2,1}", "(?P<x>a)(?P<x>b)", "\\", "(?<=a+)b"])
def test_a_pattern_that_is_none_is_refused_in_a_sentence(pattern):
    with pytest.raises(ValueError, match=r"is not a regular expression .*plain text"):
        search.by_text(BOARD, pattern, regex=True)
    search.by_text(BOARD, pattern)  # plain text may hold anything


def test_an_empty_pattern_is_refused():
    with pytest.raises(ValueError, match="pattern is empty"):
        search.by_text(BOARD, "")


def test_hostile_tokens_are_found_as_they_are():
    texts = [t for t in HOSTILE if t.strip() and not set(t) & set("⏎␣⇥␍")]
    data = board(**{f"f{i}": [example("x", t, "y", peak=1)] for i, t in enumerate(texts)})
    for i, text in enumerate(texts):
        frame = search.by_text(data, text, case=True, n=10**6)
        row = frame.set_index("feature").loc[i]
        assert row["at_peak"] == 1 and row["tokens"] == (sayable(text),)
        assert {f for f, t in enumerate(texts) if re.search(re.escape(text), f"x{t}y")} == set(frame["feature"])


def test_the_sparkline_of_a_saved_feature_holds_all_its_counts():
    row = search.by_text(sample_records.dashboard(), "bridge").iloc[0]
    own = sample_records.dashboard()[row["feature"]].histogram.counts
    assert len(row["histogram"]) == 20 and sum(row["histogram"]) == sum(own)
    two = search.by_text(BOARD, "nothing").iloc[0]["histogram"]
    assert [i for i, n in enumerate(two) if n] == [5, 15] and sum(two) == 7


# -- all ways behind one function ------------------------------------------------------------------------------------


def test_a_searcher_asks_each_way_with_what_it_holds(tiny_model, sae, acts, data):
    corpus = labeled(acts, acts.counted & (acts.tokens % 3 == 0))
    find = sw.searcher(tiny_model, sae, acts, corpus=corpus, data=data, labels={4: "four"})
    assert find.modes == (
        "prompt",
        "prompts",
        "classifier",
        "direction",
        "token",
        "attribution",
        "effect",
        "text",
        "concept",
    )
    assert find.concepts == corpus.concepts
    labels = {3: "three", 4: "four"} if 3 in data.features else {4: "four"}
    for mode, query, expected in (
        ("prompt", {"text": TEXT, "position": 2}, search.by_prompt(tiny_model, sae, TEXT, 2, acts, labels=labels)),
        ("prompts", {"positive": ["fog"]}, search.by_prompts(tiny_model, sae, ["fog"], [], acts, labels=labels)),
        ("direction", {"direction": 3, "n": 4}, search.by_direction(tiny_model, sae, 3, acts, n=4, labels=labels)),
        ("token", {"token": " bay"}, search.by_token_promoted(tiny_model, sae, " bay", acts, labels=labels)),
        (
            "effect",
            {"prompt": "The", "continuations": " fog", "n_pushed": 8},
            search.by_effect(tiny_model, sae, "The", " fog", acts, n_pushed=8, labels=labels),
        ),
        ("text", {"pattern": "fog"}, search.by_text(data, "fog")),
        ("concept", {"concept": "fog"}, search.by_concept(tiny_model, acts, corpus, "fog", labels=labels)),
    ):
        assert find(mode, **query).equals(expected), mode
        assert len(expected), mode


def test_a_searcher_knows_only_the_modes_that_it_can_answer(tiny_model, sae, acts, data):
    bare = sw.searcher(tiny_model, sae)
    assert (
        bare.modes == ("prompt", "prompts", "classifier", "direction", "token", "attribution", "effect")
        and bare.concepts == ()
    )
    for mode, sentence in (
        ("text", "give searcher(..., data=)"),
        ("concept", "corpus=)"),
        ("tokens", "unknown mode 'tokens'; nearest: token"),
    ):
        with pytest.raises(ValueError, match=re.escape(sentence)):
            bare(mode)
    with pytest.raises(ValueError, match="of 8 features, the SAE has 48"):
        eight = feature_activations(tiny_model, SAE(SAEConfig(32, 8, site=sae.config.site)), ["red"])
        sw.searcher(tiny_model, sae, eight)
    with pytest.raises(ValueError, match="dashboard is of 10 features"):
        sw.searcher(tiny_model, sae, data=BOARD)
    saved = ExampleSearch(data)
    assert saved.modes == ("text",) and saved("text", pattern="fog").equals(search.by_text(data, "fog"))
    with pytest.raises(ValueError, match="needs a model"):
        saved("token", token=" bay")
