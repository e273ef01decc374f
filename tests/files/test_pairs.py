"""A config and its weights are one: killed, interrupted, mixed by hand, or written by two processes at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import saewidgets as sw
from saewidgets.files import LoadError, read_tensors, write_tensors

ROOT = Path(__file__).parents[2]
FILES = {"saewidgets": ("config.json", "weights.safetensors"), "saelens": ("cfg.json", "sae_weights.safetensors")}


def make(layer: int, k: int, scale: float) -> sw.SAE:
    site = sw.records.ActivationSite("m", f"blocks.{layer}.hook_resid_post", 16, scale=scale)
    return sw.SAE(sw.SAEConfig(16, 64, "topk", k=k, seed=layer, site=site))


OLD, NEW = make(0, 2, 1.0), make(5, 32, 9.0)


def which(folder: Path, producer: str) -> str:
    """Which of the two is in the folder, by weights, k and site together."""
    found = sw.load_sae(folder)
    for name, sae in (("old", OLD), ("new", NEW)):
        expected = sae if producer == "saewidgets" else sae.fold_scale()
        if torch.equal(found.W_enc, expected.W_enc) and torch.equal(found.W_dec, expected.W_dec):
            assert (found.config.k, found.config.site) == (expected.config.k, expected.config.site)
            return name
    raise AssertionError("neither")


class Stop(BaseException):
    """As an interrupt: nothing catches it by its kind."""


@pytest.mark.parametrize("before", ["ours", "theirs", "journal"])
@pytest.mark.parametrize("producer", FILES)
@pytest.mark.parametrize("raised", [OSError(28, "No space left on device"), Stop()], ids=["full", "interrupt"])
def test_a_save_that_fails_at_any_call_leaves_the_old_or_the_new(tmp_path, monkeypatch, producer, raised, before):
    """Over a pair of ours, over one without digests, and over one whose save was itself cut short."""
    config, weights = FILES[producer]
    calls, last = 0, None
    while last != calls:
        calls += 1
        shutil.rmtree(folder := tmp_path / "sae", ignore_errors=True)
        sw.save_sae(OLD, folder, producer)
        data = json.loads((folder / config).read_text())
        if before == "theirs":
            del data["weights_sha256"]
            save_file(load_file(folder / weights), folder / weights)
        elif before == "journal":
            data = {"being_replaced": data}
        (folder / config).write_text(json.dumps(data))
        made = 0

        def counted(real, at=calls):
            def call(*args):
                nonlocal made
                made += 1
                if made == at:
                    raise raised
                return real(*args)

            return call

        with monkeypatch.context() as patch:
            for name in ("replace", "fsync"):
                patch.setattr(os, name, counted(getattr(os, name)))
            try:
                sw.save_sae(NEW, folder, producer)
                last = calls
            except (OSError, Stop):
                assert made >= calls
        with warnings.catch_warnings(action="error"):
            assert which(folder, producer) in (["new"] if last else ["old", "new"])
        assert sorted(os.listdir(folder)) == sorted(FILES[producer])
        alone = json.loads((folder / config).read_text())
        if "k" in alone:  # a program that reads the two files by themselves finds no mix
            sae = {2: OLD, 32: NEW}[alone["k"]]
            expected = sae if producer == "saewidgets" else sae.fold_scale()
            assert (load_file(folder / weights)["W_enc"] == expected.W_enc.detach().numpy()).all()
    assert calls >= 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_killed_at_any_moment_the_folder_is_the_old_or_the_new():
    command = [sys.executable, str(ROOT / "scripts" / "kill_saves.py"), "--kills", "10"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 kills" in done.stdout and "0 bad" in done.stdout


# -- two files that do not belong together -----------------------------------------------------------------------------


@pytest.mark.parametrize("producer", FILES)
@pytest.mark.parametrize("foreign", [0, 1], ids=["config", "weights"])
def test_a_mix_made_by_hand_is_the_sae_of_the_weights_and_told(tmp_path, producer, foreign):
    sw.save_sae(OLD, tmp_path / "old", producer)
    sw.save_sae(NEW, tmp_path / "new", producer)
    name = FILES[producer][foreign]
    shutil.copy(tmp_path / "new" / name, tmp_path / "old" / name)
    with pytest.warns(UserWarning, match="belongs to other weights"):
        assert which(tmp_path / "old", producer) == ("new" if foreign else "old")


@pytest.mark.parametrize("producer", FILES)
def test_other_weights_without_a_config_of_their_own_are_refused(tmp_path, producer):
    sw.save_sae(OLD, tmp_path, producer)
    config, weights = (tmp_path / name for name in FILES[producer])
    save_file({name: 2 * array for name, array in load_file(weights).items()}, weights)
    with pytest.raises(LoadError, match=r"other weights than those in .*remove weights_sha256"):
        sw.load_sae(tmp_path)
    data = json.loads(config.read_text())
    del data["weights_sha256"]
    config.write_text(json.dumps(data))
    assert sw.load_sae(tmp_path).config.k == 2


def test_a_config_edited_by_hand_is_used(tmp_path):
    OLD.save(tmp_path)
    data = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**data, "k": 7}))
    assert sw.load_sae(tmp_path).config.k == 7


def test_a_config_that_is_missing_is_found_in_the_weights(tmp_path):
    OLD.save(tmp_path)
    (tmp_path / "config.json").unlink()
    assert which(tmp_path, "saewidgets") == "old"


@pytest.mark.parametrize("content", [{"being_replaced": 3}, {"being_replaced": {"weights_sha256": []}}, {}])
def test_a_config_that_is_none_is_refused_where_the_weights_hold_none(tmp_path, content):
    OLD.save(tmp_path)
    save_file(load_file(tmp_path / "weights.safetensors"), tmp_path / "weights.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(LoadError):
        sw.load_sae(tmp_path)


def test_files_from_before_there_were_digests_open(tmp_path):
    """As the bundled SAEs are."""
    assert "weights_sha256" not in json.loads(
        (ROOT / "saewidgets/miniworld/saes/miniworld-512/config.json").read_text()
    )
    shutil.copytree(ROOT / "saewidgets/miniworld/saes/miniworld-512", tmp_path / "sae")
    with warnings.catch_warnings(action="error"):
        assert sw.load_sae(tmp_path / "sae").config == sw.load_sae("miniworld-512").config


def test_a_bit_of_the_weights_that_changed_is_found(tmp_path):
    OLD.save(tmp_path)
    path = tmp_path / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-4] ^= 1  # the last digit of a finite number
    path.write_bytes(data)
    with pytest.raises(LoadError, match="not those that were written"):
        sw.load_sae(tmp_path)


def test_the_digest_is_over_metadata_names_and_types_too(tmp_path):
    """Each of these files has the bytes of another, and none its SHA-256."""
    one = np.arange(4, dtype=np.float32)
    files = [
        ({"x": one}, {"a": "b"}),
        ({"y": one}, {"a": "b"}),
        ({"x": one.view(np.int32)}, {"a": "b"}),
        ({"x": one}, None),
    ]
    files += [({"x": one.reshape(2, 2)}, {"a": "b"}), ({"x": one}, {"a": "c"})]
    found = {write_tensors(tmp_path / "a", tensors, metadata) for tensors, metadata in files}
    assert len(found) == len(files)
    assert set(read_tensors(tmp_path / "a")) == {"x"}


# -- two processes -----------------------------------------------------------------------------------------------------

WRITER = """
import sys
import saewidgets as sw
from pathlib import Path
root, layer, k = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
site = sw.records.ActivationSite("m", f"blocks.{layer}.hook_resid_post", 16, scale={0: 1.0, 5: 9.0}[layer])
sae = sw.SAE(sw.SAEConfig(16, 64, "topk", k=k, seed=layer, site=site))
(root / str(layer)).touch()
while not all((root / str(i)).exists() for i in (0, 5)):  # both begin at once
    pass
for _ in range(30):
    for producer in ("saewidgets", "saelens"):
        sw.save_sae(sae, root / producer, producer)
"""


def test_two_processes_save_into_one_folder(tmp_path):
    """Meanwhile and afterwards it opens as the one or the other, and neither process fails."""
    both = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WRITER, str(tmp_path), layer, k],
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for layer, k in (("0", "2"), ("5", "32"))
    ]
    while any(process.poll() is None for process in both):
        time.sleep(0.01)
        for producer, names in FILES.items():
            if (tmp_path / producer / names[0]).exists():
                which(tmp_path / producer, producer)
    assert [(process.returncode, process.stderr.read()) for process in both] == [(0, b""), (0, b"")]
    for producer, names in FILES.items():
        with warnings.catch_warnings(action="error"):
            last = which(tmp_path / producer, producer)
        assert json.loads((tmp_path / producer / names[0]).read_text())["k"] == {"old": 2, "new": 32}[last]
        assert sorted(os.listdir(tmp_path / producer)) == sorted(names)


def test_a_save_of_the_same_sae_in_another_type_is_whole(tmp_path):
    """The config is the same and the weights are not: no config is put aside, and both digests are new."""
    OLD.save(tmp_path)
    first = json.loads((tmp_path / "config.json").read_text())["weights_sha256"]
    OLD.save(tmp_path, dtype="float16")
    assert json.loads((tmp_path / "config.json").read_text())["weights_sha256"] != first
    assert sw.load_sae(tmp_path).config == replace(OLD.config)
