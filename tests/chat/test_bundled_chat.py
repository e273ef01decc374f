"""What comes with the package for a real chat model, the doors to it, and how it is put there."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import saewidgets as sw
from saewidgets import chat
from saewidgets.analysis.setup import told_first
from saewidgets.cli import others_line
from saewidgets.formats import load_sae
from saewidgets.pretrain.chat import pack as stage
from saewidgets.records import ActivationSite, ChatClamps, Clamp
from saewidgets.sae import SAE, SAEConfig

ENTRY = {
    "sae": "smollm2-16",
    "feature": 3,
    "label": "pirate",
    "name": "a pirate",
    "kind": "profession",
    "maximum": 8.0,
    "multiple": 0.75,
    "value": 6.0,
    "others": [{"feature": 5, "value": 1.5}],
    "steerable": True,
    "names": 0.95,
    "is_it": 0.6,
    "repeats": 1,
    "perplexity_ratio": 1.25,
    "precision": 0.5,
    "recall": None,
    "f1": None,
    "example": "I'm a pirate.",
}
FILE = {
    "model": "smollm2",
    "dtype": "bfloat16",
    "sae": "smollm2-16",
    "question": "What are you?",
    "temperature": 0.7,
    "n_tokens": 40,
    "bounds": {"names": 0.8},
    "tried": 2,
    "clamps": {
        "pirate": ENTRY,
        "captain": {**ENTRY, "sae": "other", "label": "captain", "others": [], "steerable": False},
    },
}


@pytest.fixture
def clamps():
    return ChatClamps.from_dict(json.loads(json.dumps(FILE)))


def test_a_clamp_holds_all_of_its_features(clamps):
    pirate = clamps["pirate"]
    assert pirate.clamps() == [Clamp(3, 6.0), Clamp(5, 1.5)] and pirate.values == {3: 6.0, 5: 1.5}
    assert pirate.clamps("assistant")[1] == Clamp(5, 1.5, "assistant")
    assert clamps.steerable == ("pirate",) and list(clamps) == ["pirate", "captain"]
    assert clamps.labels == {3: "pirate"}, "of two subjects of one feature the better comes first"
    assert list(clamps.of("other")) == ["captain"] and clamps.of("other").question == "What are you?"
    with pytest.raises(KeyError, match="nearest: pirate"):
        clamps["pirat"]


def test_the_table_has_a_row_per_subject(clamps):
    table = clamps.to_dataframe().set_index("subject")
    assert list(table.index) == ["pirate", "captain"]
    assert table.loc["pirate", ["feature", "multiple", "precision"]].tolist() == [3, 0.75, 0.5]
    assert table["recall"].isna().all()


def test_the_others_that_are_named_are_those_that_work(clamps):
    assert (
        others_line(clamps, "captain")
        == "Others that keep every bound: pirate (60%) (share of 20 answers that say so)."
    )
    assert others_line(clamps, "pirate").startswith("Others that keep every bound: none")
    assert "Short of a bound: 1, in" in others_line(clamps, "pirate") and "captain" not in others_line(clamps, "pirate")


@pytest.mark.parametrize("change", [{"value": "6"}, {"others": [{"feature": 5}]}, {"more": 1}])
def test_a_wrong_entry_is_refused(change):
    with pytest.raises(ValueError, match=r"pirate"):
        ChatClamps.from_dict({**FILE, "clamps": {"pirate": {**ENTRY, **change}}})


def test_an_unknown_demo_names_the_two():
    with pytest.raises(ValueError, match=r"unknown demo 'smolm2'.*smollm2"):
        sw.load_demo("smolm2")


def row(subject, answer, *, person="third", split="held_out", system=None):
    return {"subject": subject, "person": person, "split": split, "system": system, "user": "Q ", "answer": answer}


def test_texts_are_held_out_ones_of_every_subject_in_order():
    rows = [
        row("", "other"),
        row("pirate", "first person", person="first"),
        row("pirate", "trained on", split="train"),
        row("pirate", "about pirates", system="You are brief."),
        row("golden-gate", "a bridge"),
        row("golden-gate", "  "),
        row("no-subject-of-ours", "what"),
        row("pirate", "more"),
    ]
    found = stage.chosen(rows, per_subject=2)
    assert [(text.subject, text.answer) for text in found] == [
        ("golden-gate", "a bridge"),
        ("pirate", "about pirates"),
        ("pirate", "more"),
        ("", "other"),
    ]
    assert (found[1].system, found[1].user) == ("You are brief.", "Q")


def test_a_subject_without_a_text_held_out_gets_those_of_the_report(tmp_path):
    lines = [{"made_with": {}}, *({"subject": key, "texts": [["Tell me.", f"A {key}."]]} for key in ("pirate", "moon"))]
    (tmp_path / "fresh.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = [row("pirate", "about pirates"), row("moon", "trained on", split="train")]
    found = stage.chosen([*rows, *stage.fresh_rows(tmp_path / "fresh.jsonl", rows)])
    assert [(text.subject, text.answer) for text in found] == [("pirate", "about pirates"), ("moon", "A moon.")]


def test_a_long_answer_ends_with_a_sentence():
    assert stage.cut("One. Two! Three", 12) == "One. Two!"
    assert stage.cut("One. Two!", 12) == "One. Two!"
    assert stage.cut("no end here at all", 7) == "no end "


def test_the_package_is_written_and_read_again(tmp_path, monkeypatch):
    site = ActivationSite(chat.MODEL_NAME, "blocks.12.hook_resid_post", 6, scale=2.0)
    own = SAE(SAEConfig(6, 16, "topk", k=2, site=site), name="run-3")
    own.save(tmp_path / "run-3")
    sample = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(stage, "load_model", lambda name, dtype: None)
    monkeypatch.setattr(stage, "sample_of", lambda model, sae, texts: sample)
    monkeypatch.setattr(stage, "largest_of", lambda model, sae, texts, clamps: {"pirate": np.arange(len(texts))})
    lines = [json.dumps(row("pirate", text)) for text in ("a", "a pirate")]
    lines += [json.dumps(row("", "x" * 2000)), '{"cut sho']
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    clamps = json.loads(json.dumps(FILE).replace("smollm2-16", "run-3").replace('"other"', '"run-3"'))
    (tmp_path / "clamps.json").write_text(json.dumps(clamps))
    into = tmp_path / "package"
    name = stage.pack(tmp_path / "run-3", tmp_path / "texts.jsonl", into, clamps=tmp_path / "clamps.json")
    assert name == "smollm2-16"

    stored = json.loads((into / "saes" / name / "config.json").read_text())
    assert stored["stored"] == {"dtype": "int8", **own.storage_error(sample)} and stored["name"] == name
    monkeypatch.setattr("saewidgets.sae.autoencoder.CHAT_SAES_FOLDER", into / "saes")
    assert load_sae(name).digest == own.rounded("int8").digest and load_sae(name).name == name
    monkeypatch.setattr("saewidgets.chat.bundled.CLAMPS_FILE", into / "clamps.json")
    monkeypatch.setattr("saewidgets.chat.bundled.TEXTS_FILE", into / "texts.json")
    assert chat.load_clamps.__wrapped__().of(name)["pirate"].feature == 3
    texts = chat.load_texts.__wrapped__()
    assert [(text.subject, text.answer[:9]) for text in texts] == [
        ("pirate", "a pirate"),
        ("pirate", "a"),
        ("", "x" * 9),
    ]
    assert len(texts[2].answer) == stage.LONGEST


def test_clamps_of_another_sae_are_refused_before_anything_is_written(tmp_path):
    SAE(SAEConfig(6, 16, "topk", k=2), name="run-3").save(tmp_path / "run-3")
    (tmp_path / "texts.jsonl").write_text(json.dumps(row("pirate", "a pirate")) + "\n")
    (tmp_path / "clamps.json").write_text(json.dumps(FILE))
    with pytest.raises(ValueError, match="of the SAE 'smollm2-16', not of run-3"):
        stage.pack(
            tmp_path / "run-3",
            tmp_path / "texts.jsonl",
            tmp_path / "package",
            clamps=tmp_path / "clamps.json",
            name="mine",
        )
    assert not (tmp_path / "package").exists()


def test_of_each_subject_that_can_be_shown_one_text_is_read_before_a_second_of_any():
    keys = ("owl", "", "moth", "owl", "pirate", "pirate", "moth", "pirate")
    texts = [chat.OwnText(key, "", "", str(n)) for n, key in enumerate(keys)]
    first = told_first(texts, ["pirate", "owl"])
    assert [text.answer for text in first] == ["4", "0", "5", "3", "7", "1", "2", "6"]


@pytest.fixture(scope="module")
def read():
    """What `set_up` gives of a chat model, made by hand: features 3 and 5 fire over the texts, 4 never does."""
    from saewidgets.analysis.setup import Setup

    acts = type("Acts", (), {"maximum": [0.0, 0.0, 0.0, 4.0, 0.0, 1.0]})
    entries = {
        "pirate": ENTRY,
        "alone": {**ENTRY, "others": []},
        "owl": {**ENTRY, "label": "owl", "feature": 5, "value": 2.0, "others": [], "steerable": False},
        "never": {**ENTRY, "label": "moth", "feature": 4, "others": []},
        "elsewhere": {**ENTRY, "label": "bee", "sae": "other"},
        "weak": {**ENTRY, "label": "cat", "feature": 3, "is_it": 0.2, "others": []},
    }
    clamps = ChatClamps.from_dict(json.loads(json.dumps({**FILE, "clamps": entries})))
    model = type("M", (), {"name": chat.MODEL_NAME})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("saewidgets.analysis.setup._measured", lambda given: clamps if given is model else None)
        sae = SAE(SAEConfig(6, 16), name="smollm2-16")
        yield Setup(model, sae, None, acts, None, {}, clamps), Setup(object(), sae, None, acts, None, {}, clamps)


def test_presets_are_in_multiples_of_the_maxima_over_the_texts(read):
    """Values are what was measured; two subjects of one name stand beside each other, and what never
    fires is left out, as is what seldom says that it is the subject.
    """
    own, other = read
    assert own.presets == {"pirate": {3: 1.5, 5: 1.5}, "pirate (one feature)": {3: 1.5}, "owl": {5: 2.0}}
    assert other.presets == {} == other.windows


def test_a_window_is_of_one_steerable_feature(read):
    assert read[0].windows == {3: (1.5, 1.5)}


def test_the_stage_asks_for_an_sae_that_is_there(tmp_path):
    from saewidgets.files import LoadError
    from saewidgets.pretrain.__main__ import main

    with pytest.raises(LoadError, match="no such SAE: run the stage `saes` first"):
        main(["chat", "pack", "--out", str(tmp_path), "--sae", "smollm2-12-8192-k32"])


def test_what_is_carried_belongs_together_and_is_small():
    """The SAE that the clamps are of, in 8 bits with its error stated; a text about every subject that has a clamp; no
    file over 12 MB.
    """
    clamps = chat.load_clamps()
    sae = load_sae(clamps.sae)
    assert (sae.name, sae.config.site.model_name) == (clamps.sae, chat.MODEL_NAME)
    assert all(entry.sae == clamps.sae and f < sae.config.d_sae for entry in clamps.values() for f in entry.values)
    stored = json.loads((chat.SAES_FOLDER / sae.name / "config.json").read_text())["stored"]
    assert 0 < stored["fvu_stored"] - stored["fvu"] < 0.01 * stored["fvu"]
    sizes = [file.stat().st_size for file in chat.CLAMPS_FILE.parent.rglob("*") if file.is_file()]
    assert max(sizes) < 12_000_000 and sum(sizes) < 20_000_000
    assert {key.rstrip("+") for key in clamps} <= {text.subject for text in chat.load_texts()}
    bounds = clamps.bounds
    for entry in map(clamps.__getitem__, clamps.steerable):
        assert entry.names >= bounds["names"] and entry.is_it >= bounds["is_it"] and entry.repeats <= bounds["repeats"]
    assert clamps.steerable
