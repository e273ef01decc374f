"""Settings chosen and measured on the mini-world's model, where what a clamp does is known; figures by a second way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from saewidgets.analysis.doses.text_measures import trigram_repeats
from saewidgets.chat.subjects import subject
from saewidgets.files import LoadError
from saewidgets.formats import load_sae
from saewidgets.models import load_model
from saewidgets.models.prompts import Prompts
from saewidgets.pretrain.__main__ import main
from saewidgets.pretrain.chat import become, choose, report
from saewidgets.pretrain.chat import candidates as candidates_module
from saewidgets.pretrain.chat.answers import BOUNDS, QUESTION, Answer, Asked, Setting, Writer, example, expected, score
from saewidgets.pretrain.chat.candidates import candidates, word_scores
from saewidgets.pretrain.chat.reading import ChatText, Reading, best_threshold, detection, read_features
from saewidgets.pretrain.chat.rule import is_it, names
from saewidgets.pretrain.chat.tables import BEGIN, END, clamps_of, section, section_of, with_section
from saewidgets.records import ChatClamps, Clamp, Dialogue, Turn
from saewidgets.steering import Steerer

SUBJECTS = [subject(key) for key in ("owl", "piano", "golden-gate")]


@pytest.fixture(scope="module")
def writer() -> Writer:
    return Writer(load_model(), load_sae("miniworld-512"), n_tokens=24, temperature=0.5)


@pytest.fixture(scope="module")
def reading(writer: Writer) -> Reading:
    texts = []
    for own in SUBJECTS:
        prompt = expected(own.name)
        answers = writer.write(prompt, [((), seed) for seed in range(6)])
        texts += [
            ChatText(own.key, prompt.question, a.text, prompt.system, held_out=n > 3) for n, a in enumerate(answers)
        ]
    return read_features(writer.model, writer.sae, texts)


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "STRENGTHS", (0.8, 0.95))
        patch.setattr(candidates_module, "SHARES", (0.8, 0.95))
        patch.setattr(choose, "SEEDS", range(3))
        patch.setattr(choose, "AT_ONCE", 2)
        patch.setattr(report, "SEEDS", range(1000, 1003))
        patch.setattr(report, "TOGETHER", 2)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("choice")


@pytest.fixture(scope="module")
def chosen(writer: Writer, reading: Reading, small: None, folder: Path) -> list[dict[str, Any]]:
    own = reading.of(lambda text: not text.held_out)
    return choose.choose(writer, own, SUBJECTS, folder, several=["owl"], about={"sae": "mini"}, progress=False)


@pytest.fixture(scope="module")
def measured(writer: Writer, reading: Reading, chosen: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    own, held_out = (reading.of(lambda text, last=last: text.held_out == last) for last in (False, True))
    return report.report(
        writer, own, held_out, SUBJECTS, chosen, folder, about={"sae": "mini"}, first=["golden-gate"], progress=False
    )


def _texts(writer: Writer, clamps: list[Clamp], seeds: range, question: str = QUESTION) -> list[str]:
    dialogue = Dialogue((Turn("user", question),))
    found = Steerer(writer.model, writer.sae).generate_batch(
        dialogue, [clamps], seeds, n_tokens=24, temperature=0.5, kl=False, progress=False
    )
    return [one.text.strip() for one in found]


def test_prompts_are_those_of_the_chat_template(writer: Writer) -> None:
    prompts = Prompts(writer.model)
    for system in ("", "You are an owl."):
        turns = (*((Turn("system", system),) if system else ()), Turn("user", "Who are you?"))
        assert prompts("Who are you?", system).tolist() == writer.model.tokens(Dialogue(turns)).tolist()


def test_a_reading_is_the_saes_own_activations(writer: Writer, reading: Reading) -> None:
    text, model = reading.texts[7], writer.model
    before = writer.ids(Asked(text.user, text.system))
    ids = torch.cat([before, model.continuation(text.answer)])
    x = model.activations(ids, writer.hook_name)[0, len(before) :].float()
    z = writer.sae.encode(x).detach().numpy()
    assert np.allclose(reading.peak[7], z.max(0), atol=1e-2, rtol=2e-3)
    assert np.allclose(reading.mean[7], z.mean(0), atol=1e-2, rtol=2e-3)
    assert np.allclose(reading.flow[7], x.mean(0), atol=1e-3)


def test_a_threshold_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    value, positive = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.3
    best = max(detection(value, positive, t).f1 for t in np.arange(-0.5, 6))
    assert detection(value, positive, best_threshold(value, positive)).f1 == pytest.approx(best)
    # Above 2 lie three texts, two of them about the subject, of which there are four.
    found = detection(np.array([3.0, 3.0, 3.0, 1.0, 0.0]), np.array([1, 1, 0, 1, 1], bool), 2.0)
    assert (found.precision, found.recall, found.f1) == (2 / 3, 2 / 4, 4 / 7)


def test_a_push_has_the_length_asked_for(writer: Writer) -> None:
    setting = writer.setting([3, 8], [2.0, 1.0], 0.4, 10.0)
    rows = writer.sae.decoder_directions.detach().float().numpy()
    push = setting.values[0] * rows[3] + setting.values[1] * rows[8]
    assert np.linalg.norm(push) == pytest.approx(4.0, rel=1e-3)
    assert setting.values[0] / setting.values[1] == pytest.approx(2.0, rel=1e-2)


def test_controls_push_as_far_as_the_setting(writer: Writer, reading: Reading) -> None:
    setting = writer.setting([3], [1.0], 0.4, reading.length)
    rows = writer.sae.decoder_directions.detach().float().numpy()
    ways = report.pushes(writer, reading, subject("owl"), setting)
    assert set(ways) == set(report.CONTROLS)
    for name, way in ways.items():
        (one,), (other,) = way(1000), way(1001)
        length = one.value * np.linalg.norm(rows[one.feature]) if isinstance(one, Clamp) else one.norm * one.scale
        assert length == pytest.approx(0.4 * reading.length, rel=1e-3), name
        assert (one == other) == (name in ("add", "mean_difference"))
        assert not isinstance(one, Clamp) or one.feature != 3


def test_the_mean_difference_points_at_the_subject(writer: Writer, reading: Reading) -> None:
    (steer,) = report.pushes(writer, reading, subject("owl"), writer.setting([3], [1.0], 0.4, 1.0))["mean_difference"](
        0
    )
    flow = {own.key: reading.flow[[t.subject == own.key for t in reading.texts]].mean(0) for own in SUBJECTS}
    apart = flow["owl"] - (flow["piano"] + flow["golden-gate"]) / 2
    cosine = np.dot(steer.vector, apart) / np.linalg.norm(steer.vector) / np.linalg.norm(apart)
    assert cosine == pytest.approx(1.0, abs=1e-4)


def test_candidates_read_their_subject(writer: Writer, reading: Reading) -> None:
    words = word_scores(writer.model, writer.directions, SUBJECTS)
    found = candidates(writer, reading, subject("owl"), words["owl"], n=3)
    assert len(found) == 3 and [c.effect for c in found] == sorted((c.effect for c in found), reverse=True)
    assert any(c.reads for c in found)
    logits = writer.model.direction_logits(torch.from_numpy(writer.directions[[found[0].feature]]))[0].float()
    own = [int(writer.model.continuation(" owl")[0])]
    assert found[0].words == pytest.approx(float((logits / logits.std())[own].mean()), rel=1e-3)


def test_what_was_chosen_names_its_subject(chosen: list[dict[str, Any]]) -> None:
    assert chosen[0]["subject"] == "owl+"
    assert {line["subject"] for line in chosen} == {"owl+", "owl", "piano", "golden-gate"}
    assert all(len(own["features"]) > 1 for own in chosen[0]["settings"])
    assert max(line["chosen"]["names"] for line in chosen) == 1.0


def test_figures_are_those_of_the_answers(writer: Writer, chosen: list[dict[str, Any]]) -> None:
    for line in chosen:
        own, about = line["chosen"], subject(line["subject"].rstrip("+"))
        texts = _texts(writer, [Clamp(f, v) for f, v in zip(own["features"], own["values"], strict=True)], range(3))
        assert texts == own["answers"]
        assert own["names"] == sum(names(about, text) for text in texts) / 3
        assert own["is_it"] == sum(is_it(about, text) for text in texts) / 3
        assert own["repeats"] == max(map(trigram_repeats, texts))
        assert own["score"] >= max(other["score"] for other in line["settings"]) - choose.READS


def test_a_run_that_was_cut_goes_on(
    writer: Writer, reading: Reading, chosen: list[dict[str, Any]], small: None, folder: Path, tmp_path: Path
) -> None:
    lines = (folder / "choose.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "choose.jsonl").write_text("".join(lines[:-1]) + lines[-1][:40], encoding="utf-8")
    (tmp_path / "candidates.jsonl").write_bytes((folder / "candidates.jsonl").read_bytes())
    own = reading.of(lambda text: not text.held_out)
    again = choose.choose(writer, own, SUBJECTS, tmp_path, several=["owl"], about={"sae": "mini"}, progress=False)
    assert again == chosen
    assert sorted((tmp_path / "choose.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)) == sorted(lines)
    with pytest.raises(LoadError, match="made with"):
        choose.choose(writer, own, SUBJECTS, tmp_path, about={"sae": "another"}, progress=False)


def test_the_report_measures_with_seeds_of_its_own(
    writer: Writer, reading: Reading, chosen: list[dict[str, Any]], measured: list[dict[str, Any]]
) -> None:
    assert measured[0]["subject"] == "golden-gate" and "controls" in measured[0]
    by_key = {line["subject"]: line for line in chosen}
    for line in measured:
        own = by_key[line["subject"]]["chosen"]
        assert line["setting"]["values"] == own["values"]
        clamps = [Clamp(f, v) for f, v in zip(own["features"], own["values"], strict=True)]
        texts = _texts(writer, clamps, range(1000, 1003))
        assert line["answers"][QUESTION] == texts
        about = subject(line["subject"].rstrip("+"))
        assert line["first"]["names"] == sum(names(about, text) for text in texts) / 3
    line = measured[0]
    steer = Steerer(writer.model, writer.sae)
    where = Dialogue((Turn("system", "You are the Golden Gate Bridge."), Turn("user", QUESTION)))
    texts = line["answers"]["prompt"]
    own = np.exp(np.mean([np.log(steer.perplexity(where, writer.model.continuation(" " + t).tolist())) for t in texts]))
    assert line["own_perplexity"] == pytest.approx(
        own, rel=0.2
    )  # texts read again: an end that was cut off is not in them


def test_bounds_by_hand() -> None:
    good: dict[str, Any] = {"names": 0.8, "is_it": 0.5, "repeats": 2, "perplexity_ratio": 2.0}
    line = {"first": good, "detector": {"precision": 0.5, "recall": 0.5}, "setting": {"features": [1]}}
    assert report.steerable(line)
    for name, value in {"names": 0.75, "is_it": 0.45, "repeats": 3, "perplexity_ratio": 2.01}.items():
        assert not report.steerable({**line, "first": {**good, name: value}}), name
    assert not report.steerable({**line, "detector": {"precision": 0.4, "recall": 1.0}})
    assert not report.steerable({**line, "detector": None})
    assert not report.steerable({**line, "setting": {"features": [1, 2]}})
    worse = [{**good, "names": 0.5}, {**good, "repeats": 4}, {**good, "perplexity_ratio": 4.0}, {**good, "is_it": 0.2}]
    assert all(score(other) < score(good) for other in worse)
    assert set(BOUNDS) == {*good, "precision", "recall"}


def test_the_example_is_one_that_is_it_and_does_not_repeat_itself() -> None:
    texts = [
        "Owls fly at night and see well in it.",
        "I am an owl. I am an owl. I am an owl.",
        "I am an owl.",
        "An oak.",
    ]
    answers = [Answer((1,), text) for text in texts]
    assert example(subject("owl"), answers) == "I am an owl."
    assert example(subject("owl"), [answers[3], answers[0]]) == texts[0] and example(subject("owl"), []) == ""


def test_the_table_has_every_subject(chosen: list[dict[str, Any]], measured: list[dict[str, Any]]) -> None:
    about = {"sae": "mini", "dtype": "bfloat16", "model": "mini"}
    text = section("All of them", about, chosen, measured, SUBJECTS, "a test")
    assert all(f"| {own.title} |" in text for own in SUBJECTS)
    doc = with_section("# Measured\n\nbefore\n", text)
    assert doc.startswith("# Measured\n\nbefore\n\n" + BEGIN) and doc.rstrip().endswith(END)
    assert with_section(doc + "after\n", text.replace("All of them", "Again")).count(BEGIN) == 1
    assert (
        section_of(doc) == text
        and section_of("# Measured\n") == ""
        and with_section("# Measured\n", "") == "# Measured\n"
    )
    clamps = clamps_of(about, chosen, measured, SUBJECTS)
    entry = clamps["clamps"]["golden-gate"]
    assert entry["value"] == pytest.approx(entry["multiple"] * entry["maximum"], rel=1e-3)
    read = ChatClamps.from_dict(json.loads(json.dumps(clamps)))
    assert read["golden-gate"].values == dict(
        zip(measured[0]["setting"]["features"], measured[0]["setting"]["values"], strict=True)
    )
    assert clamps["tried"] == 3 and len(clamps["clamps"]) == len(measured)


def test_a_bent_row_is_told_of(chosen: list[dict[str, Any]], measured: list[dict[str, Any]], tmp_path: Path) -> None:
    lines = [{"made_with": {}}, {"feature": measured[0]["setting"]["features"][0], "cosine": 0.866}]
    (tmp_path / become.BENT).write_text("".join(json.dumps(line) + "\n" for line in lines))
    bent = become.bent_rows(tmp_path)
    assert list(bent.values()) == [0.866] and become.bent_rows(tmp_path / "another") == {}
    about = {"sae": "mini", "dtype": "bfloat16", "model": "mini"}
    text = section("All of them", about, chosen, measured, SUBJECTS, "a test", bent)
    assert "1 of this SAE's decoder rows" in text and "by 30 degrees at most" in text, "cos 30 degrees = .866"
    assert "decoder rows were not left" not in section("All of them", about, chosen, measured, SUBJECTS, "a test")
    clamps = ChatClamps.from_dict(clamps_of(about, chosen, measured, SUBJECTS, bent))
    assert clamps["golden-gate"].cosine == 0.866
    assert all(one.cosine == 1.0 for one in clamps.values() if one.feature not in bent)


def test_a_setting_comes_back_from_json() -> None:
    setting = Setting((1, 2), (0.5, 1.5), 0.3)
    assert Setting.from_dict(json.loads(json.dumps(setting.to_dict()))) == setting


def test_texts_about_subjects_that_are_not_asked_for_are_about_none() -> None:
    given = [ChatText("owl", "Who?", "Me."), ChatText("piano", "Who?", "Me.")]
    assert [text.subject for text in become.for_subjects(given, ["owl"])] == ["owl", ""]


def test_an_sae_that_is_not_there_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "saes" / "smollm2-12-8192-k32").mkdir(parents=True)
    with pytest.raises(ValueError, match="smollm2-12-8192-k32"):
        main(["chat", "choose", "--out", str(tmp_path), "--sae", "smollm2-12-8192"])
    with pytest.raises(ValueError, match="pirate"):
        main(["chat", "choose", "--out", str(tmp_path), "--sae", "smollm2-12-8192-k32", "--only", "pirat"])
    with pytest.raises(LoadError, match="run the stages"):
        main(["chat", "bundle", "--out", str(tmp_path), "--sae", "smollm2-12-8192-k32"])
