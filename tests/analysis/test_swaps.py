"""Swaps of attributes: a planted world where each attribute is one feature, and the mini-world's cities."""

from __future__ import annotations

import pytest
import torch

import saewidgets as sw
from saewidgets.analysis.quality import attribute_swaps
from saewidgets.analysis.quality.swaps import swap_scores
from saewidgets.miniworld import city_swaps
from saewidgets.records import SwapScores
from saewidgets.sae import SAE, SAEConfig

N = 5
NAMES = [f"city {i}" for i in range(N)]


class Planted:
    """x = one axis per country and one per name, times how much of each is mixed into the other's answer."""

    def __init__(self, mixed=0.0):
        self.mixed = mixed

    def read(self, attribute):
        return torch.cat([torch.eye(N), torch.eye(N)], 1) * 2

    def scores(self, attribute, base, x):
        country, name = x[:, :N], x[:, N:]
        own, other = (country, name) if attribute == "country" else (name, country)
        return torch.cat([own + self.mixed * other, torch.full((len(x), 1), 0.1)], 1)


def identity_sae(d=2 * N):
    sae = SAE(SAEConfig(d_in=d, d_sae=d, architecture="relu"))
    with torch.no_grad():
        for name, value in (("W_enc", torch.eye(d)), ("W_dec", torch.eye(d))):
            getattr(sae, name).copy_(value)
        sae.b_enc.zero_()
        sae.b_dec.zero_()
    return sae


def test_features_that_take_attributes_apart_have_both_scores():
    found = swap_scores(Planted(), identity_sae(), NAMES, ("country", "name"), k=N)
    assert {a: set(own) for a, own in found.features.items()} == {"country": {*range(N)}, "name": {*range(N, 2 * N)}}
    table = found.summary()
    assert table.loc["features"].tolist() == [1, 1, 1]
    for whole in ("all features", "activation"):  # everything follows, also what should stay
        assert table.loc[whole].tolist() == [1, 0, 0.5]
    assert table.loc["none"].tolist() == [0, 1, 0.5]


def test_attributes_that_share_their_features_cannot_be_taken_apart():
    """The answer about the one is read from the sum of both halves: no choice of features isolates it."""
    table = swap_scores(Planted(mixed=1.0), identity_sae(), NAMES, ("country", "name"), k=2 * N).summary()
    assert table.loc["features"].tolist() == [1, 0, 0.5]


def test_random_features_move_what_they_happen_to_be():
    """One of the four active features of a pair: its base's country off, or its source's on: a tie at most."""
    table = swap_scores(Planted(), identity_sae(), NAMES, ("country", "name"), k=1).summary()
    assert table.loc["random", "cause"] < 0.5 < table.loc["random", "isolation"]


def test_an_answer_that_is_no_entitys_is_nobodys():
    class Silent(Planted):
        def scores(self, attribute, base, x):
            found = super().scores(attribute, base, x)
            found[base >= 2, -1] = 9.0  # from the third on something else is always likelier
            return found

    with pytest.raises(ValueError, match="of 2 entities, not of city 2, city 3, city 4"):
        swap_scores(Silent(), identity_sae(), NAMES, ("country", "name"))


def test_cities_of_the_mini_world(tmp_path):
    cities, prompts, answers = city_swaps()
    model, sae = sw.load_model(), sw.load_sae("miniworld-512")
    some = slice(0, 4)
    prompts, answers = ({a: own[some] for a, own in table.items()} for table in (prompts, answers))
    found = attribute_swaps(model, sae, cities[some], prompts, answers, at="end", k=3)
    table = found.summary()
    assert table.loc["none", ["cause", "isolation"]].tolist() == [0, 1]
    assert table.loc["activation", ["cause", "isolation"]].tolist() == [1, 0]  # all that is read at the end
    assert table.loc["features", "disentangle"] >= table.loc["random", "disentangle"]
    assert len(found.entities) + len(found.left_out) == 4
    found.save(tmp_path / "swaps.json")
    assert SwapScores.load(tmp_path / "swaps.json") == found
    with pytest.raises(ValueError, match="does not name 'Paris'"):
        attribute_swaps(model, sae, cities[some], prompts | {"name": ["Rome"] * 4}, answers)
    with pytest.raises(ValueError, match="unknown place 'last'"):
        attribute_swaps(model, sae, cities[some], prompts, answers, at="last")
    with pytest.raises(ValueError, match="one per entity, not 2"):
        attribute_swaps(model, sae, cities[some], prompts, answers | {"name": ["Rome"] * 2})
