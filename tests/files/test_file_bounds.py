"""Files that nest, count or repeat without end: refused before they cost anything."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sample_records
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saewidgets.activations.cache import Cache
from saewidgets.files import LoadError, all_finite, parse_json, present, read_json, read_tensors, short, write_tensors
from saewidgets.files.json_reading import MAX_DEPTH, MAX_DIGITS
from saewidgets.formats import load_sae, save_sae
from saewidgets.records import ActivationSite, DoseResponseData, FeatureActivations, TokenParts, ToyRun
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import TrainConfig, machine, train

ROOT = Path(__file__).resolve().parents[2]
SITE = ActivationSite("m", "blocks.0.hook_resid_pre", 8)
TOO_LONG = 10**400  # no float holds it


# -- JSON ------------------------------------------------------------------------------------------------------------


def depth_of(value) -> int:
    """By recursion, as the definition says."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


TEXTS = st.text(alphabet='ab"\\[]{}é\n', max_size=8)
VALUES = st.recursive(
    st.none() | st.integers(-5, 5) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=30,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(value=VALUES, piece=st.integers(1, 40), ascii_only=st.booleans())
def test_depth_is_counted_outside_texts_wherever_a_piece_ends(value, piece, ascii_only):
    data, module = {"a": value}, sys.modules["saewidgets.files.json_reading"]
    raw = json.dumps(data, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PIECE", piece)
        patch.setattr(module, "MAX_DEPTH", depth_of(data))
        assert parse_json("x", raw) == data
        patch.setattr(module, "MAX_DEPTH", depth_of(data) - 1)
        with pytest.raises(LoadError, match="nested too deeply"):
            parse_json("x", raw)


def test_depth_and_digits_have_bounds():
    deep = lambda n: b'{"a":' + b"[" * (n - 1) + b"]" * (n - 1) + b"}"  # noqa: E731
    assert parse_json("x", deep(MAX_DEPTH))
    with pytest.raises(LoadError, match="more than 100 lists"):
        parse_json("x", deep(MAX_DEPTH + 1))
    with pytest.raises(LoadError, match="nested too deeply"):
        parse_json("x", b'{"\\"[": "\\\\", "b":' + b"[" * 10**6)
    nines = b"9" * MAX_DIGITS
    assert parse_json("x", b'{"a": ' + nines + b"}") == {"a": 10**MAX_DIGITS - 1}
    with pytest.raises(LoadError, match="41 digits"):
        parse_json("x", b'{"a": ' + nines + b"9}")
    with pytest.raises(LoadError, match="expected a JSON list, found dict"):
        parse_json("x", b"{}", kind=list)


def test_what_others_write_is_read_and_our_own_files_stay_strict(tmp_path):
    path = tmp_path / "cfg.json"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"lr": NaN, "most": Infinity, "least": -Infinity, "far": 1e999, "d": 3}')
    found = read_json(path, foreign=True)
    assert found["lr"] != found["lr"] and found["most"] == found["far"] == -found["least"] == float("inf")
    assert found["d"] == 3
    for text in (path.read_bytes(), b'{"lr": NaN}', b'{"far": 1e999}'):
        path.write_bytes(text)
        with pytest.raises(LoadError):
            read_json(path)


@pytest.mark.parametrize("change", [{"l1_coefficient": TOO_LONG}, {"seed": TOO_LONG}, {"k": TOO_LONG}], ids=str)
def test_a_number_of_400_digits_in_a_config_is_a_load_error(tmp_path, change):
    save_sae(SAE(SAEConfig(8, 16, site=SITE)), tmp_path)
    data = json.loads((tmp_path / "config.json").read_text())
    for broken in (data | change, data | {"site": data["site"] | {"scale": TOO_LONG, "fingerprint": [TOO_LONG]}}):
        (tmp_path / "config.json").write_text(json.dumps(broken))
        with pytest.raises(LoadError, match="401 digits"):
            load_sae(tmp_path)


def test_a_number_beyond_every_float_is_a_value_error_in_a_config():
    for change in ({"l1_coefficient": TOO_LONG}, {"architecture": ["relu"]}):
        with pytest.raises(ValueError):
            SAEConfig(**({"d_in": 8, "d_sae": 16} | change))
    with pytest.raises(ValueError):
        replace(SITE, scale=TOO_LONG)


def test_an_error_line_of_a_large_value_is_short_and_costs_nothing():
    nested: list = []
    for _ in range(40):
        nested = [nested, nested]  # 2^40 brackets if written out
    for value in (nested, [0] * 10**6, "x" * 10**6, {i: i for i in range(10**5)}, 10**3000):
        assert len(short(value)) <= 60
    assert short("a'b") == repr("a'b") and short([1, 2]) == "[1, 2]"


# -- records ---------------------------------------------------------------------------------------------------------


def rewritten(path: Path, **changes) -> Path:
    tensors = read_tensors(path)
    write_tensors(path, tensors | changes)
    return path


def test_records_of_the_wrong_shape_are_load_errors(tmp_path):
    acts = FeatureActivations(
        tokens=np.zeros((1, 3), np.int32),
        context=np.zeros(1, np.int32),
        position=np.zeros(1, np.int32),
        value=np.ones(1, np.float32),
        start=np.array([0, 1]),
        counted=np.ones((1, 3), bool),
        corpus="x",
    )
    path = tmp_path / "acts.safetensors"
    for change in (
        {"start": np.array(0)},
        {"start": np.array([[0, 1]])},
        {"value": np.array(1.0)},
        {"value": np.array([1])},
        {"counted": np.ones((1, 3))},
        {"tokens": np.zeros(3, np.int32)},
        {"context": np.zeros(1)},
    ):
        acts.save(path)
        FeatureActivations.load(path)
        with pytest.raises(LoadError):
            FeatureActivations.load(rewritten(path, **change))
    sample_records.token_parts().save(path)
    for words in (b"[" * 200_000, b"{}", b"[1]", b"[[], [" + b"9" * 400 + b"]]"):
        with pytest.raises(LoadError):
            TokenParts.load(rewritten(path, words=np.frombuffer(words, np.uint8)))
    sample_records.dose_response(1).save(tmp_path / "dose.json")
    data = json.loads((tmp_path / "dose.json").read_text())
    data["texts"][0]["kl"] = TOO_LONG
    (tmp_path / "dose.json").write_text(json.dumps(data))
    with pytest.raises(LoadError, match="401 digits"):
        DoseResponseData.load(tmp_path / "dose.json")
    assert machine.continue_as(b"[" * 200_000, torch.device("cpu")) is None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(of=st.lists(st.integers(-1, 4), min_size=1, max_size=12))
def test_sets_of_features_come_back_as_they_were(of):
    """Against the definition, set by set."""
    from saewidgets.records import toy

    n = max(of) + 1
    wanted = tuple(tuple(i for i, s in enumerate(of) if s == k) for k in range(n))
    if n > len(of) or not all(wanted):
        with pytest.raises(LoadError):
            toy._sets("x", np.array(of))
    else:
        assert toy._sets("x", np.array(of)) == wanted


def test_300_000_sets_are_sorted_out_at_once(tmp_path):
    """One pass over the features for each set would be 10^11 steps."""
    path = tmp_path / "toy.safetensors"
    sample_records.toy_run().save(path)
    with pytest.raises(LoadError, match="set_of has 300000 entries for 5 features"):
        ToyRun.load(rewritten(path, set_of=np.arange(300_000)))


def test_a_cache_that_names_one_file_twice_is_refused(tmp_path):
    from saewidgets.activations.cache import write_cache

    write_cache(
        tmp_path / "cache",
        [np.ones((2, 8), np.float32)],
        sizes=[2],
        tokens=np.array([[1, 2]], np.int32),
        wanted=np.ones((1, 2), bool),
        start=np.array([0]),
        site=SITE,
        dtype="float32",
    )
    assert Cache(tmp_path / "cache").rows(0, 2).shape == (2, 8)
    path = tmp_path / "cache" / "manifest.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"shards": data["shards"] * 60_000}))
    with pytest.raises(LoadError, match="one file twice"):
        Cache(tmp_path / "cache")


@pytest.mark.parametrize("name", ["x/" * 5000, "a" * 300, "nul\0byte"], ids=["long path", "long name", "zero byte"])
def test_a_name_that_the_system_does_not_look_up_is_a_load_error(name):
    with pytest.raises(LoadError) as error:
        load_sae(name)
    assert len(str(error.value)) < 200

    def resume(path):
        train(SAE(SAEConfig(4, 8)), [torch.zeros(2, 4)], TrainConfig(steps=1), resume=path)

    for read in (read_json, read_tensors, ToyRun.load, TokenParts.load, DoseResponseData.load, Cache, resume):
        with pytest.raises(LoadError):
            read(name)
    assert not present("no/such/file") and present(ROOT)


def test_an_unknown_home_is_an_unknown_name():
    with pytest.raises(ValueError, match="unknown release of SAEs '~nobody-of-that-name'"):
        load_sae("~nobody-of-that-name/sae")


def test_finite_is_seen_in_every_piece_and_order():
    array = np.zeros((1500, 1500), np.float32)  # more than one piece
    assert all_finite(array) and all_finite(array.T) and all_finite(np.zeros((0, 3)))
    for at in ((0, 0), (1499, 1499), (700, 3)):
        array[at] = np.inf
        assert not all_finite(array) and not all_finite(array.T)
        array[at] = 0
