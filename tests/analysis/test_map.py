"""A map of features: places that are near where the cosine is high, links, the record, and the instrument without a
browser.
"""

from __future__ import annotations

import builtins
import json
import math
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import sample_records
import torch
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets import SAE, FeatureMap, SAEConfig, Selection, views
from saewidgets.analysis.map.feature_map import best_concepts, feature_map, links
from saewidgets.analysis.map.layout import curve, graph, layout, nearest, unit_rows
from saewidgets.analysis.map.regions import cluster, regions, surprise
from saewidgets.files import LoadError
from saewidgets.records import FeatureActivations
from saewidgets.records.map import FeatureMapData, MapRegion, MapSAE


def made(d_sae: int, name: str, d_in: int = 12, seed: int = 0) -> SAE:
    """An SAE whose decoder rows stand in clusters of eight."""
    sae = SAE(SAEConfig(d_in=d_in, d_sae=d_sae, seed=seed), name=name)
    dice = torch.Generator().manual_seed(seed)
    centers = torch.randn(-(-d_sae // 8), d_in, generator=dice).repeat_interleave(8, 0)[:d_sae]
    with torch.no_grad():
        sae.W_dec.copy_(centers + 0.25 * torch.randn(d_sae, d_in, generator=dice))
    return sae


def by_hand(vectors: np.ndarray, k: int) -> list[set[int]]:
    """The k nearest of each row by cosine, one pair at a time."""
    out = []
    for i, v in enumerate(vectors):
        cosine = [float(v @ w) / math.sqrt(float(v @ v) * float(w @ w)) for w in vectors]
        out.append(set(sorted((j for j in range(len(vectors)) if j != i), key=lambda j: -cosine[j])[:k]))
    return out


# -- places ----------------------------------------------------------------------------------------------------------


def test_the_nearest_are_those_of_brute_force():
    rows = made(60, "a").W_dec.detach().numpy()
    index, cosine = nearest(unit_rows(rows), 7)
    assert [set(row) for row in index.tolist()] == by_hand(rows.astype(np.float64), 7)
    assert (np.diff(cosine, axis=1) <= 0).all()
    i, j = 3, int(index[3, 2])
    assert cosine[3, 2] == pytest.approx(
        rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j]), abs=1e-5
    )


def trustworthiness(far: np.ndarray, near: np.ndarray, k: int) -> float:
    """Venna & Kaski 2001: 1 less a penalty for each neighbor in the plane, by how far down the list of cosines it
    stands.
    """
    n = len(far)
    cosine = far @ far.T
    np.fill_diagonal(cosine, -np.inf)
    rank = np.empty((n, n), np.int64)  # 1 for the nearest by cosine
    np.put_along_axis(rank, np.argsort(-cosine, 1), np.arange(1, n + 1)[None], 1)
    apart = np.square(near[:, None] - near[None]).sum(-1)
    np.fill_diagonal(apart, np.inf)
    found = np.argsort(apart, 1)[:, :k]
    penalty = np.maximum(np.take_along_axis(rank, found, 1) - k, 0).sum()
    return 1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1))


@pytest.mark.parametrize("method", ["neighbors", "pca"])
def test_places_are_the_same_again_and_neighbors_in_the_plane_are_neighbors_by_cosine(method):
    rows = unit_rows(made(400, "a", d_in=24).W_dec.detach().numpy())
    one, again = (layout(rows, method=method, seed=3) for _ in range(2))
    assert np.array_equal(one, again)
    assert np.abs(one).max() == pytest.approx(1, abs=1e-6) and one.dtype == np.float32
    moved = np.random.default_rng(0).permutation(one)
    chance = trustworthiness(rows, moved, 7)
    assert 0.4 < chance < 0.6
    assert trustworthiness(rows, one, 7) > {"neighbors": 0.95, "pca": 0.6}[method]
    if method == "neighbors":
        assert not np.array_equal(one, layout(rows, method=method, seed=4))


def test_places_do_not_depend_on_the_number_of_threads():
    rows = unit_rows(made(1200, "a", d_in=64).W_dec.detach().numpy())
    before, maps = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            maps.append(layout(rows))
            assert torch.get_num_threads() == threads, "what was set is set again"
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(*maps)


def test_the_curve_is_the_nearest_of_its_family():
    for min_dist in (0.01, 0.05, 0.5):
        a, b = curve(min_dist)
        x = np.linspace(0, 3, 300)[1:]
        wanted = np.where(x < min_dist, 1.0, np.exp(-(x - min_dist)))

        def loss(a, b, x=x, wanted=wanted):
            return np.square(1 / (1 + a * x ** (2 * b)) - wanted).sum()

        least = loss(a, b)
        assert all(least <= loss(a * (1 + s), b * (1 + t)) for s in (-0.01, 0, 0.01) for t in (-0.01, 0, 0.01))


def test_the_graph_has_the_weights_that_are_promised():
    rows = unit_rows(made(40, "a").W_dec.detach().numpy())
    index, cosine = nearest(rows, 8)
    head, tail, weight = (t.numpy() for t in graph(index, cosine))
    table = np.zeros((40, 40))
    table[head, tail] = weight
    assert np.array_equal(table, table.T) and (weight > 0).all() and weight.max() <= 1
    d = 1 - cosine.astype(float)
    for i in range(40):  # sigma found anew, by a search on a fine grid
        beyond = np.maximum(d[i] - d[i].min(), 0)
        grid = np.geomspace(1e-4, 10, 20001)
        sums = np.exp(-beyond[None] / grid[:, None]).sum(1)
        w = np.exp(-beyond / grid[np.argmin(np.abs(sums - math.log2(8)))])
        for j, there in zip(index[i].tolist(), w.tolist(), strict=True):
            back = index[j].tolist().index(i) if i in index[j] else None
            if back is None:
                assert table[i, j] == pytest.approx(there, abs=2e-3)
            else:
                assert table[i, j] >= there - 2e-3


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_points_have_finite_places(n):
    for method in ("neighbors", "pca"):
        places = layout(unit_rows(np.eye(5)[:n]), method=method)
        assert places.shape == (n, 2) and np.isfinite(places).all() and np.abs(places).max() <= 1 + 1e-6


def test_umap_is_asked_for_in_one_sentence_where_it_is_missing(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == "umap":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'saewidgets\[map\]', or take method='neighbors'"):
        feature_map(made(16, "a"), method="umap")


# -- links and facts -------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.5, 0.8]))
def test_links_are_those_of_brute_force(seed, threshold):
    dice = np.random.default_rng(seed)
    rows = [unit_rows(dice.normal(size=(n, 4))) for n in (9, 5, 20)]
    first = [0, 9, 14]
    wanted = set()
    for a, b in ((1, 0), (1, 2), (0, 2)):  # the smaller, the larger
        for g in range(len(rows[b])):
            f = max(range(len(rows[a])), key=lambda f: float(rows[a][f] @ rows[b][g]))
            if rows[a][f] @ rows[b][g] >= threshold:
                wanted.add((first[a] + f, first[b] + g))
    parent, child, cosine = links(rows, [9, 5, 20], threshold=threshold)
    assert set(zip(parent.tolist(), child.tolist(), strict=True)) == wanted and len(parent) == len(wanted)
    assert (cosine >= threshold - 1e-6).all()
    assert not len(links([rows[0], rows[1]], [7, 7])[0]), "SAEs of one size are not linked"


class Labels:
    """Three tokens of two documents, by hand: concept 0 on the first two of each, concept 1 on the first of each."""

    concepts = ("wide", "narrow")
    label_doc = np.array([0, 0, 1, 1, 0, 1])
    label_pos = np.array([0, 1, 0, 1, 0, 0])
    label_concept = np.array([0, 0, 0, 0, 1, 1])


def acts(*features: list[tuple[int, int]]) -> FeatureActivations:
    """Each feature as the (document, position) pairs at which it is 1, 2, ..."""
    return FeatureActivations(
        tokens=np.zeros((2, 3), np.int32),
        context=np.array([c for f in features for c, _ in f], np.int32),
        position=np.array([p for f in features for _, p in f], np.int32),
        value=np.array([i + 1 for f in features for i, _ in enumerate(f)], np.float32),
        start=np.cumsum([0, *map(len, features)]),
        counted=np.ones((2, 3), bool),
        corpus="six tokens",
    )


def test_the_concept_of_a_feature_by_hand():
    known = acts(
        [(0, 0), (1, 0)],  # narrow: both are as precise, narrow has the larger F1 (1 against 2/3)
        [(0, 0), (0, 1), (1, 1)],  # wide: precision 1 against 1/3
        [(0, 2), (1, 2), (1, 0)],  # a third of its tokens: none
        [],
        [(0, 1), (0, 2)],  # exactly half
    )
    concept, precision = best_concepts(known, Labels)
    assert concept.tolist() == [1, 0, -1, -1, 0]
    assert precision.tolist()[:2] == [1, 1] and precision[4] == 0.5 and np.isnan(precision[2:4]).all()

    class Other(Labels):
        token_rows = np.ones((2, 3), np.int32)

    with pytest.raises(ValueError, match="another corpus"):
        best_concepts(known, Other)


def test_a_map_says_of_each_feature_what_its_data_say():
    sae = made(5, "tiny")
    known = acts([(0, 0), (1, 0)], [(0, 0), (0, 1), (1, 1)], [(0, 2)], [], [(0, 1)])
    data = feature_map(sae, known, corpus=Labels, labels={"tiny": {1: "one"}})
    frame = data.to_dataframe()
    assert frame["density"].tolist() == pytest.approx([2 / 6, 3 / 6, 1 / 6, 0, 1 / 6])
    assert frame["maximum"].tolist() == [2, 3, 1, 0, 1]
    assert frame["concept"].tolist() == ["narrow", "wide", "", "", "wide"]
    assert frame["label"].tolist() == ["", "one", "", "", ""]
    living = feature_map(sae, known, alive=True)
    assert living.feature.tolist() == [0, 1, 2, 4] and living.point(4) == 3
    assert (
        "6 tokens of six tokens" in data.sentence()
        and data.to_json() == feature_map(sae, known, corpus=Labels, labels={"tiny": {1: "one"}}).to_json()
    )


def test_a_dashboard_gives_labels_and_tokens():
    sae = SAE(SAEConfig(d_in=8, d_sae=2048), name="miniworld-2048")
    data = feature_map(sae, sample_records.dashboard(), alive=True, method="pca")
    assert data.feature.tolist() == [31, 42, 57, 88, 104]
    assert data.labels[0] == "Golden Gate Bridge" and data.tokens[1][:2] == (" owl", " hoots")


@pytest.mark.parametrize(
    ("saes", "options", "words"),
    [
        ([], {}, "at least one SAE"),
        ([made(8, "a"), made(8, "b", d_in=6)], {}, "different width"),
        ([made(8, "a"), made(16, "a")], {}, "two SAEs are called 'a'"),
        ([made(8, "a")], {"method": "tsne"}, "unknown method 'tsne'"),
        ([made(8, "a")], {"neighbors": 1}, "neighbors must be 2 or more"),
        ([made(8, "a")], {"data": acts([])}, "a has 8 features, the data given for it 1"),
        ([made(8, "a"), made(16, "b")], {"data": acts([])}, "1 data for 2 SAEs"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(saes, options, words):
    with pytest.raises(ValueError, match=words):
        feature_map(saes, **options)


# -- named parts -----------------------------------------------------------------------------------------------------


def placed(places: list[tuple[float, float]], tokens: list[tuple[str, ...]], **more) -> FeatureMapData:
    n, nan = len(places), np.full(len(places), np.nan, np.float32)
    x, y = (np.array(column, np.float32) for column in zip(*places, strict=True))
    columns = {"concept": np.full(n, -1, np.int16), "labels": ("",) * n} | more
    return FeatureMapData(
        saes=(MapSAE("a", n),),
        sae=np.zeros(n, np.int16),
        feature=np.arange(n, dtype=np.int32),
        x=x,
        y=y,
        density=nan,
        maximum=nan,
        precision=nan,
        tokens=tuple(tokens),
        **columns,
    )


def test_the_surprise_of_a_word_by_hand():
    """A word of 5 of 30 points here, of 10 of 1,000 in all: 0.3 are expected."""
    cells = [(5, 0.3), (25, 29.7), (5, 9.7), (965, 960.3)]
    assert sum(seen for seen, _ in cells) == 1000 == pytest.approx(sum(meant for _, meant in cells))
    g = 2 * sum(seen * math.log(seen / meant) for seen, meant in cells)
    assert surprise(5, 30, 10, 1000) == pytest.approx(math.sqrt(g))
    assert surprise(3, 30, 100, 1000) == 0, "as often as elsewhere"
    assert surprise(0, 30, 100, 1000) < -2 < 0 < surprise(7, 30, 7, 1000), "more rarely; and nowhere else"
    assert surprise(30, 30, 1000, 1000) == 0, "a word that every point has"


def test_a_part_is_named_by_the_words_that_set_its_points_apart():
    """Two heaps of 30 points: one promotes ' gate', the other fires on a concept; ' the' is everywhere, ' ga' is no
    word.
    """
    dice = np.random.default_rng(0)
    heaps = [(cx + dx, dy) for cx in (-0.8, 0.8) for dx, dy in dice.uniform(-0.1, 0.1, (30, 2))]
    tokens = [(" the", f" own{i}", "gate" if i == 29 else " Gate" if i % 3 else " the") for i in range(60)]
    tokens[30:] = [(" the", f" own{i}", "<|endoftext|>", " ga") for i in range(30, 60)]
    concept = np.full(60, -1, np.int16)
    concept[30:44] = 0
    data = placed(heaps, tokens, concept=concept, concepts=("red_owl",))
    found = regions(data)
    assert [(region.name, region.n) for region in found] == [("Gate", 19), ("red owl", 14)]
    own = [i for i in range(29) if i % 3]
    assert found[0].x == pytest.approx(float(np.median(data.x[own])))
    assert found[1].y == pytest.approx(float(np.median(data.y[30:44])))
    assert regions(data) == found == regions(replace(data, regions=found)), "the same again"


def test_a_label_names_a_part_and_a_map_that_knows_nothing_has_no_names():
    heaps = [(cx + i / 300, i / 200) for cx in (-0.8, 0.8) for i in range(30)]
    labels = ("gulls, sea",) * 12 + ("",) * 48
    (region,) = regions(placed(heaps, [()] * 60, labels=labels))
    assert (region.name, region.n) == ("gulls, sea", 12)
    assert regions(placed(heaps, [()] * 60)) == () == regions(placed([(0, 0)], [(" alone",)]))


def test_parts_are_what_lies_together():
    dice = np.random.default_rng(1)
    middles = np.array([(0, 0), (5, 0), (0, 5), (5, 5)])
    places = np.concatenate([middle + dice.normal(scale=0.2, size=(25, 2)) for middle in middles])
    part = cluster(places, 4)
    assert {tuple(np.unique(part[25 * k : 25 * k + 25])) for k in range(4)} == {(k,) for k in range(4)}
    assert (cluster(np.zeros((5, 2)), 3) == 0).all(), "points of one place are one part"


def test_a_map_carries_its_names_and_an_older_file_opens_without(tmp_path):
    sae = made(64, "a")
    labels = {"a": {f: f"heap {f // 8}" for f in range(64)}}
    data = feature_map(sae, labels=labels, method="pca")
    assert data.regions == regions(data)
    saved = sample_records.feature_map().to_dict()
    del saved["regions"]
    (tmp_path / "old.json").write_text(json.dumps(saved))
    old = FeatureMapData.load(tmp_path / "old.json")
    assert old.regions == () and len(old) == 32
    FeatureMap(old).to_html()
    with pytest.raises(ValueError, match="region 'far' has no place"):
        replace(old, regions=(MapRegion("far", math.nan, 0.0, 3),))


# -- clusters and a row ----------------------------------------------------------------------------------------------


def test_a_row_puts_those_of_a_cluster_beside_one_another():
    sae = made(48, "a")
    row = feature_map(sae, in_order=True, neighbors=5).order
    assert sorted(row.tolist()) == list(range(48))
    own = np.arange(48) // 8  # the clusters that were planted
    beside = np.mean(np.diff(own[np.argsort(row)]) == 0)
    assert beside > 0.8, "42 of 47 pairs where every cluster stands together; 7 of 47 by chance"
    assert (feature_map(sae).order == -1).all()


def test_clusters_are_asked_of_hdbscan_in_ten_dimensions(monkeypatch):
    asked = {}

    class HDBSCAN:
        def __init__(self, **options):
            asked.update(options)

        def fit_predict(self, places):
            asked["shape"] = places.shape
            return np.where(np.arange(len(places)) % 5, np.arange(len(places)) // 8, -1)

    monkeypatch.setitem(sys.modules, "sklearn", types.ModuleType("sklearn"))
    monkeypatch.setitem(sys.modules, "sklearn.cluster", types.SimpleNamespace(HDBSCAN=HDBSCAN))
    data = feature_map(made(48, "a"), clusters=True, neighbors=5)
    assert asked["min_cluster_size"] == 3 and asked["shape"] == (48, 10)
    assert data.cluster.tolist() == [i // 8 if i % 5 else -1 for i in range(48)]
    assert data.to_dataframe()["cluster"].tolist() == data.cluster.tolist()
    assert FeatureMapData.from_dict(json.loads(data.to_json())).cluster.tolist() == data.cluster.tolist()
    assert len(views.feature_map(data, color="cluster").data) == 2
    shown = FeatureMap(data, color="cluster")
    assert np.frombuffer(shown._map["cluster"], "<i4").tolist() == data.cluster.tolist()


def test_planted_clusters_are_found():
    pytest.importorskip("sklearn.cluster", reason="scikit-learn, of the extra map, is not installed")
    cluster = feature_map(made(48, "a"), clusters=True, neighbors=5).cluster.reshape(6, 8)
    told = [set(own[own >= 0].tolist()) for own in cluster]
    assert all(len(own) == 1 for own in told) and len(set.union(*told)) == 6 and (cluster >= 0).mean() > 0.8


def test_clusters_are_asked_for_in_one_sentence_where_scikit_learn_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(ImportError, match=r"clusters=True needs scikit-learn: pip install 'saewidgets\[map\]'"):
        feature_map(made(16, "a"), clusters=True)


# -- the record ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data() -> FeatureMapData:
    return sample_records.feature_map()


def test_a_record_comes_back_as_it_was(data, tmp_path):
    data.save(tmp_path / "map.json")
    back = FeatureMapData.load(tmp_path / "map.json")
    for name, value in vars(data).items():
        again = getattr(back, name)
        if isinstance(value, np.ndarray):
            assert again.dtype == value.dtype and np.array_equal(value, again, equal_nan=value.dtype.kind == "f"), name
        else:
            assert again == value, name
    assert back.to_json() == data.to_json() == (tmp_path / "map.json").read_text().strip()


@pytest.mark.parametrize(
    "spoil",
    [
        {"format": 2},
        {"sae": [9]},
        {"parent": [10**6]},
        {"concept": [99]},
        {"cluster": [-2]},
        {"order": [99]},
        {"x": [None]},
        {"feature": ["3"]},
        {"labels": []},
        {"more": 1},
        {"tokens": [[3]]},
        {"feature": [2**40]},
        {"regions": [{"name": "x", "x": 0.0, "y": 0.0}]},
    ],
)
def test_a_broken_file_is_refused(data, tmp_path, spoil):
    saved = data.to_dict()
    for name, value in spoil.items():
        long = isinstance(value, list) and len(value) == 1
        saved[name] = [*value, *saved[name][1:]] if long else value
    (tmp_path / "map.json").write_text(json.dumps(saved))
    with pytest.raises(LoadError):
        FeatureMapData.load(tmp_path / "map.json")


def winding(polygon: list[tuple[float, float]], x: float, y: float) -> bool:
    """Inside by the sum of the angles under which the edges are seen: a whole turn or more, not the parity of
    crossings.
    """
    turn = 0.0
    for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        a, b = complex(x0 - x, y0 - y), complex(x1 - x, y1 - y)
        turn += math.atan2((a.conjugate() * b).imag, (a.conjugate() * b).real)
    return abs(turn) > math.pi


def test_the_points_in_a_polygon_are_those_that_it_winds_around(data):
    dice = np.random.default_rng(1)
    for corners in (3, 4, 9):
        angle = np.sort(dice.uniform(0, 2 * math.pi, corners))
        reach = dice.uniform(0.3, 1.2, corners)  # a star: simple, not convex
        polygon = [(float(r * math.cos(t)), float(r * math.sin(t))) for r, t in zip(reach, angle, strict=True)]
        wanted = [i for i in range(len(data)) if winding(polygon, float(data.x[i]), float(data.y[i]))]
        assert data.inside(polygon).tolist() == wanted


# -- the instrument --------------------------------------------------------------------------------------------------


def test_the_map_and_the_selection_follow_each_other(data):
    selection, other = Selection(), Selection()
    shown = FeatureMap(data, sae="small", selection=selection)
    selection.feature = 2
    assert (shown.feature, shown.point) == (2, data.point(2, "small"))
    shown.point = data.point(1, "small")
    assert selection.feature == shown.feature == 1
    shown.point = data.point(7, "large")  # its number means another feature beside the map
    assert selection.feature == 1 and shown.point == data.point(7, "large")
    selection.feature = 99
    assert "feature 99 of small is not on this map" in shown.error and shown.feature == 1
    other.feature = 3
    assert FeatureMap(data, selection=other).point == data.point(3, "small")


def test_chosen_points_become_a_table_and_bad_ones_are_refused(data):
    shown = FeatureMap(data)
    assert len(shown.to_dataframe()) == len(data)
    shown.set_state({"chosen": [5, 2, 2]})
    assert shown.to_dataframe()["point"].tolist() == [2, 5]
    for state in ({"chosen": [len(data)]}, {"point": -1}, {"shown": [7]}, {"feature": 10**6}):
        shown.set_state(state)
        assert shown.error and shown.chosen == [2, 5]
        shown.error = ""
    square = [(-2, -2), (2, -2), (2, 2), (-2, 2)]
    assert len(shown.choose(square)) == len(data)
    shown.shown = [1]
    assert set(shown.choose(square)["sae"]) == {"large"}
    with pytest.raises(ValueError, match="three corners"):
        shown.choose([(0, 0), (1, 1)])


def test_a_page_is_the_same_bytes_and_carries_hostile_names_as_text(data):
    evil = replace(
        data,
        labels=tuple(HOSTILE[i % len(HOSTILE)] for i in range(len(data))),
        tokens=tuple((HOSTILE[-i % len(HOSTILE)],) for i in range(len(data))),
        saes=(MapSAE(HOSTILE[0], 8), MapSAE(HOSTILE[1], 24)),
    )
    page = FeatureMap(evil).to_html()
    assert page == FeatureMap(evil).to_html() and "<img" not in page and page.count("</script>") == 2
    page.encode("utf-8")
    assert "<img" not in FeatureMap(evil)._fallback()


def test_what_else_an_instrument_has(data):
    shown = FeatureMap(data, feature=2)
    assert repr(shown) == "FeatureMap(feature=2, points=32, saes=['small', 'large'], chosen=0)"
    compile(shown.to_code(), "code", "exec")
    for color in ("concept", "density", "sae"):
        assert sum(len(trace.x) for trace in views.feature_map(data, color=color).data) == len(data)
    with pytest.raises(ValueError, match="unknown color 'colour'"):
        views.feature_map(data, color="colour")
    children = data.children(data.point(0, "small"))
    assert children["sae"].unique().tolist() == ["large"] and (children["cosine"] >= 0.5).all()
    assert data.parents(int(children["point"].iloc[0]))["feature"].tolist() == [0]
