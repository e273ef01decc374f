"""Decoder rows that are bent towards what they should do, on the mini-world's model and on arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from saewidgets.chat.subjects import subject
from saewidgets.files import LoadError
from saewidgets.formats import load_sae
from saewidgets.models import load_model
from saewidgets.pretrain.__main__ import main
from saewidgets.pretrain.chat import bend as stage
from saewidgets.pretrain.chat.answers import Asked, Writer, expected
from saewidgets.pretrain.chat.bend import Bent, bend, likelihood, readers, turned, with_rows, within_cone
from saewidgets.pretrain.chat.reading import ChatText, Reading, read_features

SUBJECTS = [subject(key) for key in ("owl", "piano")]


@pytest.fixture(scope="module")
def writer() -> Writer:
    return Writer(load_model(), load_sae("miniworld-512"), n_tokens=16, temperature=0.5)


@pytest.fixture(scope="module")
def reading(writer: Writer) -> Reading:
    asked = [expected(own.name) for own in SUBJECTS]
    written = writer.write_each(asked, range(4))
    texts = [
        ChatText(own.key, prompt.question, a.text, prompt.system)
        for own, prompt, answers in zip(SUBJECTS, asked, written, strict=True)
        for a in answers
    ]
    return read_features(writer.model, writer.sae, texts)


def test_a_linear_score_is_raised_to_the_edge_of_the_cone() -> None:
    axis, pull = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([-1.0, 3.0, 4.0])
    v, scores = turned(lambda v: (float(v @ pull), pull), axis, cosine=0.8, steps=40)
    # Among unit vectors at that angle the best leans along the pull's part across the axis, which is (0, .6, .8).
    assert torch.allclose(v, torch.tensor([0.8, 0.36, 0.48]), atol=1e-3)
    assert scores[0] == -1.0 and scores[-1] == pytest.approx(float(v @ pull)) and len(scores) == 41


def test_what_is_within_the_cone_stays() -> None:
    v = torch.tensor([0.8, 0.6])
    assert within_cone(v, torch.tensor([1.0, 0.0]), 0.75) is v
    assert torch.allclose(within_cone(-v, torch.tensor([1.0, 0.0]), 0.6), torch.tensor([0.6, -0.8]))


def test_the_score_is_that_of_pushed_texts_and_its_gradient_that_of_differences(writer: Writer) -> None:
    answers = [writer.model.continuation(text).tolist() for text in ("I am an owl.", "I am")]
    score = likelihood(writer, answers, 3.0)
    v = torch.from_numpy(writer.directions[5]).float()
    v = v / v.norm()
    value, gradient = score(v)
    ((_, logprobs),) = writer.model.pushed_logprobs(writer.ids(Asked()), answers, writer.hook_name, 3.0 * v[None])
    assert value == pytest.approx(np.mean([logprobs[0, i] / len(a) for i, a in enumerate(answers)]), abs=1e-4)
    step = 0.02 * torch.randn(len(v), generator=torch.Generator().manual_seed(1))
    there, back = score(v + step)[0], score(v - step)[0]
    assert (there - back) / 2 == pytest.approx(3.0 * float(gradient @ step), rel=0.05, abs=2e-4)


def test_no_two_subjects_share_a_reader() -> None:
    peak = np.array([[4, 3, 0], [4, 3, 0], [3, 0, 0], [0, 0, 1]], np.float16)  # [text, feature]
    texts = tuple(ChatText(key, "?", ".") for key in ("owl", "owl", "piano", ""))
    own = Reading(texts, peak, peak / 2, np.zeros((4, 2), np.float32), 1.0)
    # Feature 1 tells the owl's texts without a mistake; the piano's best is feature 0, at F1 1/2: it is on for the owl.
    assert readers(own, ["piano", "owl"]) == {"owl": (1, 1.0), "piano": (0, 0.5)}


def test_bent_rows_keep_their_length_and_all_else_is_untouched() -> None:
    before, sae = (load_sae("miniworld-512").requires_grad_(False) for _ in range(2))
    row = torch.randn(sae.config.d_in, generator=torch.Generator().manual_seed(0))
    with_rows(sae, [Bent(7, 1.0, 3, -2.0, -1.0, 0.9, tuple(map(float, row / row.norm())))])
    assert float(sae.W_dec[7].norm()) == pytest.approx(float(before.W_dec[7].norm()), rel=1e-5)
    assert float(torch.cosine_similarity(sae.W_dec[7], row, dim=0)) == pytest.approx(1.0, abs=1e-5)
    others = torch.arange(sae.config.d_sae) != 7
    assert torch.equal(sae.W_dec[others], before.W_dec[others]) and torch.equal(sae.W_enc, before.W_enc)


def test_bending_raises_the_likelihood_within_the_angle_and_goes_on(
    writer: Writer, reading: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "SEEDS", range(500, 502))
    monkeypatch.setattr(stage, "STEPS", 3)
    path = tmp_path / "bent.jsonl"
    found = bend(writer, reading, SUBJECTS, path, cosine=0.9, progress=False)
    assert set(found) == {"owl", "piano"} and found["owl"].feature != found["piano"].feature
    for own in found.values():
        row, was = np.array(own.row), writer.directions[own.feature]
        assert own.after > own.before + 0.1
        assert own.cosine == pytest.approx(row @ was / np.linalg.norm(was), abs=1e-3) and own.cosine >= 0.8999
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + lines[2][:20])
    assert bend(writer, reading, SUBJECTS, path, cosine=0.9, progress=False) == found
    assert [json.loads(line)["subject"] for line in path.read_text().splitlines()[1:]] == ["owl", "piano"]


def test_an_sae_that_is_not_finished_and_an_angle_that_is_none_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LoadError, match="no finished SAE"):
        main(["chat", "bend", "--out", str(tmp_path), "--sae", "smollm2-12-8192-k32"])
    with pytest.raises(SystemExit):
        main(["chat", "bend", "--out", str(tmp_path), "--sae", "any", "--cosine", "1.5"])
    assert "above 0 and below 1, not 1.5" in capsys.readouterr().err
