"""A preset goes into a file and back into another instrument, with what it was set on; elsewhere it is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import ipywidgets
import pytest
import sample_records
from instruments import CHANGES, MAKE

from saewidgets.files import LoadError
from saewidgets.records import DashboardData, Preset, Subject
from saewidgets.widgets import ClampPanel, FeatureDashboard, FeaturePlane, _base

ONE, OTHER = "0f" * 32, "1e" * 32


@pytest.fixture(autouse=True)
def closed():
    yield
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


def on(sae="", name="miniworld-2048", site=None, **maxima) -> DashboardData:
    """The sample dashboard of an SAE with this digest."""
    data = sample_records.dashboard()
    passport = replace(data.passport, sae=sae, sae_name=name, site=site or data.passport.site)
    features = {f: replace(own, maximum=maxima.get(f"f{f}", own.maximum)) for f, own in data.features.items()}
    return replace(data, passport=passport, features=features)


class Reader(sample_records.Writer):
    """A writer that says what the tokens of a prompt are: its characters."""

    shift = 0

    def prompt_ids(self, prompt):
        return [ord(c) + self.shift for c in prompt]


@pytest.mark.parametrize("name", sorted(MAKE))
def test_a_preset_goes_through_a_file_and_back(name, tmp_path):
    one, other = MAKE[name](), MAKE[name]()
    begun = one.state()
    one.set(replace(begun, **CHANGES[name]))
    given = one.to_preset(tmp_path / "mine.json")
    assert Preset.load(tmp_path / "mine.json") == given and given.state == one.state()
    other.load_preset(tmp_path / "mine.json")
    assert other.state() == one.state()
    other.reset()
    assert other.state() == begun


def test_a_clamp_keeps_its_value_where_the_maximum_is_another():
    """12.5 at most here and 10 there: 1.5 times the one is 1.875 times the other."""
    panel = ClampPanel(Reader(), on(ONE), multiples={31: 1.5, 42: 0.0}, prompt="Hi", seed=3, temperature=0.25)
    given = panel.to_preset()
    assert given.values == {31: 18.75, 42: 0.0} and given.prompt_ids == (72, 105)
    assert given.subject.digests == (ONE,) and given.subject.model == "miniworld"
    other = ClampPanel(Reader(), on(ONE, f31=10.0), features=[57])
    other.load_preset(given)
    assert other.multiples == {31: 1.875, 42: 0.0} and other.features == [31, 42]
    assert [c.value for c in other.clamps] == [18.75, 0.0]
    assert (other.prompt, other.seed, other.temperature) == ("Hi", 3, 0.25)


def test_another_sae_or_model_or_tokenizer_is_refused_by_name():
    given = ClampPanel(Reader(), on(ONE), multiples={31: 1.5}, prompt="Hi").to_preset()

    def refused(source, data, words):
        panel = ClampPanel(source, data, features=[42])
        before = panel.state()
        with pytest.raises(ValueError, match=words):
            panel.load_preset(given)
        assert panel.state() == before

    refused(Reader(), on(OTHER, "mine"), r"the SAE 'miniworld-2048' \(0f0f0f0f\) and the SAE 'mine' \(1e1e1e1e\)")
    refused(Reader(), on("", "mine"), r"the SAE 'miniworld-2048' \(0f0f0f0f\) and the SAE 'mine'$")
    site = replace(on().passport.site, model_name="gpt2")
    refused(Reader(), on(ONE, site=site), "the model 'miniworld' and the model 'gpt2'")
    site = replace(on().passport.site, hook_name="blocks.3.hook_resid_post")
    refused(Reader(), on(ONE, site=site), "an SAE at blocks.2.hook_resid_post and one at blocks.3.hook_resid_post")
    reader = Reader()
    reader.shift = 1
    refused(reader, on(ONE), "the prompt of this preset is 2 tokens, and other ones in this ClampPanel")
    panel = ClampPanel(Reader(), on(ONE, "renamed"), features=[42])
    panel.load_preset(given)  # the same weights under another name
    assert panel.multiples == {31: 1.5}


@pytest.mark.parametrize(
    ("theirs", "differs"),
    [((0.5, 1.0), False), ((0.501, 0.999), False), ((0.5, 0.9), True), ((), False), ((0.5,), False)],
)
def test_an_embedding_decides_before_a_name_does(theirs, differs):
    own, other = Subject("a/tiny", (0.5, 1.0)), Subject("tiny", theirs)
    assert bool(own.against(other)) == bool(other.against(own)) == differs
    renamed = Subject("renamed", theirs).against(own)
    assert bool(renamed) == (differs or len(theirs) < 2)  # the name counts where the embedding is not known


def test_the_preset_of_another_instrument_is_refused(tmp_path):
    board = FeatureDashboard(on(ONE))
    with pytest.raises(ValueError, match="of the instrument 'plane', and this is a FeatureDashboard"):
        board.load_preset(FeaturePlane().to_preset())
    with pytest.raises(TypeError, match="give a Preset or the path of one"):
        board.load_preset(board.state())
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(LoadError, match="preset format"):
        board.load_preset(tmp_path / "no.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "preset format 2; this version reads format 1"),
        ({"state": {"format": 1, "instrument": "plan"}}, "nearest: plane"),
        ({"prompt_ids": [1.5]}, r"prompt_ids\[0\] is 1.5"),
        ({"values": {"x": 1}}, "values"),
        ({"subject": {"model": "m", "saes": ["a"]}}, "subject"),
        ({"subject": {"model": 3}}, "subject"),
        ({"more": 1}, "more"),
    ],
)
def test_a_file_that_is_no_preset_says_what_is_wrong(change, said, tmp_path):
    path = tmp_path / "mine.json"
    whole = sample_records.preset().to_dict()
    path.write_text(json.dumps(whole | change))
    with pytest.raises(LoadError, match=said):
        Preset.load(path)
    del whole["state"]
    path.write_text(json.dumps(whole))
    with pytest.raises(LoadError, match="'state' is missing"):
        Preset.load(path)
