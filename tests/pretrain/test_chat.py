"""The stages that make the SAEs of a chat model, run on the bundled model with a handful of texts."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch

import saewidgets as sw
from saewidgets.chat import more_subjects, subject, subjects
from saewidgets.files import LoadError
from saewidgets.pretrain.__main__ import main
from saewidgets.pretrain.chat import activations as acts
from saewidgets.pretrain.chat import figures as figures_stage
from saewidgets.pretrain.chat import saes as stage
from saewidgets.pretrain.chat.judging import judge
from saewidgets.pretrain.chat.plan import make_plan
from saewidgets.pretrain.chat.prompts import PROMPTS, SYSTEMS
from saewidgets.pretrain.chat.prose import prose_rows
from saewidgets.pretrain.chat.write import batches_of, read_texts, write_texts

LAYERS = (1, 3)


@pytest.fixture(scope="module")
def model():
    return sw.load_model()


@pytest.fixture(scope="module")
def plan():
    return make_plan(subjects()[:4], more_subjects()[:6], each=3, background_each=2, seed=1)


@pytest.fixture(scope="module")
def run(model, plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_texts(model, plan, folder, n_tokens=12, rows=5, seed=1)
    return folder


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_a_plan_is_its_seeds_and_balanced_where_it_is_cut():
    whole = make_plan(subjects(), more_subjects(), each=10, background_each=1, seed=3)
    assert whole == make_plan(subjects(), more_subjects(), each=10, background_each=1, seed=3)
    assert whole != make_plan(subjects(), more_subjects(), each=10, background_each=1, seed=4)
    assert [own.number for own in whole] == list(range(len(whole)))
    counts = Counter(own.subject for own in whole)
    assert counts.pop("") == len(more_subjects()) and set(counts.values()) == {10}
    half = Counter(own.subject for own in whole[: len(whole) // 2])
    assert all(4 <= half[found.key] <= 6 for found in subjects())
    kinds = Counter((own.subject, own.kind) for own in whole if own.subject)
    assert max(kinds.values()) == 1  # no prompt twice while others are left
    share = sum(own.split == "held_out" for own in whole) / len(whole)
    assert share == pytest.approx(0.08, abs=0.02)


def test_prompts_are_about_their_subject():
    assert 60 <= len(PROMPTS) == len({prompt.kind for prompt in PROMPTS})
    for prompt in PROMPTS:
        text = (prompt.system + prompt.user).format(name="a pirate")
        assert subject("pirate").found_in(text), prompt.kind
    own = next(own for own in make_plan([subject("pirate")], [], each=70) if own.kind == "system-what")
    assert (own.system, own.user, own.person) == ("You are a pirate.", "What are you?", "first")
    assert not any(subject(key).found_in(system) for key in ("pirate", "golden-gate") for system in SYSTEMS)


def test_a_batch_has_one_kind_of_system_prompt_and_every_text_is_in_one():
    plan = make_plan(subjects(), [], each=5)
    batches = batches_of(plan, rows=32, block=200)
    assert sorted(i for batch in batches for i in batch) == list(range(len(plan)))
    for batch in batches:
        assert len(batch) <= 32
        assert len({plan[i].system if plan[i].system in SYSTEMS else "" for i in batch}) == 1
        assert max(batch) // 200 == min(batch) // 200


# -- the corpus --------------------------------------------------------------------------------------------------------


def test_what_is_written_is_the_plan(model, plan, run):
    texts = read_texts(run)
    assert sorted(text.number for text in texts) == list(range(len(plan)))
    for text in texts:
        own = plan[text.number]
        assert (text.about, text.kind, text.split) == (own.about, own.kind, own.split)
        assert own.user in model.written(text.ids[: text.n_prompt])
        assert text.answer == "".join(model.token_text(text.ids[text.n_prompt :], after=text.ids[: text.n_prompt]))
        assert len(text.ids) - text.n_prompt <= 12
    assert len({text.answer for text in texts}) > len(texts) // 2


@pytest.mark.parametrize("cut", [0.0, 0.37, 1.0])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(model, plan, run, tmp_path, cut):
    whole = (run / "texts.jsonl").read_bytes()
    (tmp_path / "texts.jsonl").write_bytes(
        whole[: int(cut * len(whole))]
    )  # in the middle of a line, as a kill leaves it
    write_texts(model, plan, tmp_path, n_tokens=12, rows=5, seed=1)
    assert (tmp_path / "texts.jsonl").read_bytes() == whole


def test_another_plan_is_not_mixed_in(model, plan, run):
    before = (run / "texts.jsonl").read_bytes()
    with pytest.raises(LoadError, match="another plan"):
        write_texts(model, make_plan(subjects()[:4], more_subjects()[:6], each=3, seed=2), run, n_tokens=12, rows=5)
    assert (run / "texts.jsonl").read_bytes() == before


def test_a_line_that_is_no_text_is_named(run, tmp_path):
    (tmp_path / "texts.jsonl").write_bytes((run / "texts.jsonl").read_bytes() + b'{"number": 1}\n')
    with pytest.raises(LoadError, match=r"line 25 is no text"):
        read_texts(tmp_path)
    with pytest.raises(LoadError, match="chat write"):
        read_texts(tmp_path / "nothing")


# -- prose and activations ---------------------------------------------------------------------------------------------


def test_prose_of_three_kinds_of_files(model, tmp_path):
    words = "The old bridge stood over the river, and the fog came in from the sea. " * 40
    (tmp_path / "a.txt").write_text(words)
    (tmp_path / "b.json").write_text(json.dumps([words, words]))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.jsonl").write_text(json.dumps({"text": words}) + "\n")
    (tmp_path / "d.md").write_text("not this")
    rows = prose_rows(model, [tmp_path], 100_000, seed=1)
    assert rows == prose_rows(model, [tmp_path], 100_000, seed=1) != prose_rows(model, [tmp_path], 100_000, seed=2)
    assert all(16 <= len(row) <= 128 and row[0] == model.bos_token_id for row in rows)
    few = prose_rows(model, [tmp_path], 300, seed=1)
    assert few == rows[: len(few)] and 300 <= sum(map(len, few)) < 430
    with pytest.raises(LoadError, match="no text in it"):
        prose_rows(model, [tmp_path / "d.md"], 100)


def test_activations_on_disk_are_the_models(model, run):
    rows = [text.ids for text in read_texts(run)]
    folder = run / "activations"
    sites = acts.measured_sites(model, folder, LAYERS, rows)
    assert sites == acts.measured_sites(model, folder, LAYERS, rows[:3])  # kept, not measured anew
    assert acts.write_activations(model, folder, sites, "chat", rows, part=10, rest=False) > 0
    assert sorted(path.name for path in (folder / "3").iterdir()) == ["chat-000", "chat-001"]
    n_tokens = acts.write_activations(model, folder, sites, "chat", rows, part=10)
    where, x = acts.load_activations(folder, 3, ["chat"])
    special = set(model.special_token_ids)
    assert len(x) == n_tokens == sum(token not in special for row in rows for token in row)
    assert where == sites["blocks.3.hook_resid_post"]
    assert float(where.scale * x.float().norm(dim=-1).square().mean().sqrt()) == pytest.approx(
        where.d_in**0.5, rel=0.01
    )
    alone = model.activations(torch.tensor(rows[0]), "blocks.3.hook_resid_post").view(len(rows[0]), -1)
    one = alone[[token not in special for token in rows[0]]].bfloat16()
    assert any(
        torch.allclose(x[i : i + len(one)].float(), one.float(), atol=0.05) for i in range(len(x) - len(one) + 1)
    )
    with pytest.raises(LoadError, match="another folder"):
        acts.measured_sites(model, folder, (2,), rows)
    with pytest.raises(LoadError, match="no activations of prose"):
        acts.load_activations(folder, 3, ["prose"])


# -- the SAEs ----------------------------------------------------------------------------------------------------------


def test_saes_are_trained_measured_and_listed_once(model, run):
    rows = [text.ids for text in read_texts(run)]
    folder = run / "activations"
    sites = acts.measured_sites(model, folder, LAYERS, rows)
    for kind in ("chat", "prose", "held-chat", "held-prose"):
        acts.write_activations(model, folder, sites, kind, rows, part=10)
    recipes = [stage.Recipe(3, 32, 4, tokens=80_000), stage.Recipe(3, 48, 4, tokens=20_000, prefixes=(16, 48))]
    paths = stage.make_saes(run, recipes)
    assert stage.make_saes(run, recipes) == paths
    lines = [line.split("\t") for line in (run / "saes" / "DONE").read_text().splitlines()]
    assert [line[0] for line in lines] == ["smollm2-3-32-k4-80000", "smollm2-3-48-k4-nested-20000"]
    sae = sw.SAE.load(paths[0])
    assert (sae.name, sae.config.site) == ("smollm2-3-32-k4-80000", sites["blocks.3.hook_resid_post"])
    figures = json.loads((paths[0] / "figures.json").read_text())
    assert figures["chat"]["l0"] <= 4 and figures["chat"]["tokens"] == figures["distinct_tokens"] // 2
    assert figures["chat"]["fvu"] < 0.8 and float(lines[0][2]) == pytest.approx(figures["chat"]["fvu"], abs=1e-4)
    _, x = acts.load_activations(folder, 3, ["held-chat"])
    error = (sae.decode(sae.encode(x.float()), x.float()) - x.float()).detach().square().sum()
    variance = (x.float() - x.float().mean(0)).square().sum()
    assert figures["chat"]["fvu"] == pytest.approx(float(error / variance), rel=1e-3)


def test_figures_in_the_model_agree_with_those_of_the_activations(model, run, monkeypatch):
    path = run / "saes" / "smollm2-3-32-k4-80000"
    monkeypatch.setattr(figures_stage, "load_model", lambda *_, **__: model)
    figures_stage.make_figures(run, [path], 1000)  # all that were held out
    figures = json.loads((path / "figures.json").read_text())
    assert set(figures["model"]) == {"bfloat16", "float32"}
    own = figures["model"]["float32"]
    for kind in ("chat", "prose"):
        assert own[kind]["n_tokens"] == figures[kind]["tokens"]
        assert own[kind]["fvu"] == pytest.approx(figures[kind]["fvu"], rel=0.02)  # of activations in 16 bits
        assert 0 < own[kind]["kl_spliced"] < own[kind]["kl_ablated"]
    assert own["doctor"]["fits"] and "FVU" in own["doctor"]["says"]


def test_the_judge_finds_what_a_push_by_hand_does(model):
    sae = sw.load_sae("miniworld-512")
    found = judge(model, sae, [subject("golden-gate"), subject("piano")], n_pushed=12)
    own, other = found["subjects"]["golden-gate"], found["subjects"]["piano"]
    assert found["mean"] == pytest.approx((own["gain"] + other["gain"]) / 2, abs=1e-3)
    prompt = model.tokens(model.chat("What are you?") + "I am").tolist()
    name = model.tokens(" the Golden Gate Bridge").tolist()[1:]
    hook = sae.config.site.hook_name
    x = model.activations(torch.tensor(prompt), hook).reshape(-1, sae.config.d_in)[1:]
    direction = sae.decoder_directions[own["feature"]]

    def logprob(length):
        push = length * direction / direction.norm()
        logits = model.logits(torch.tensor([prompt + name]), sw.models.Edit(hook, lambda x, start: x + push))[0]
        logprobs = logits.log_softmax(-1)[len(prompt) - 1 : -1]
        return float(logprobs[range(len(name)), name].sum())

    assert own["default"] == pytest.approx(logprob(0.0), abs=0.01)
    length = found["share"] * float(x.norm(dim=-1).median())
    gain = logprob(length) - logprob(0.0)
    assert own["gain"] == pytest.approx(gain, rel=0.05) and gain > 1


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["saes", "--only", "smollm2-12-8192-k33-1M"], "smollm2-12-8192-k32-1M"),
        (["judge", "--subjects", "pirat"], "pirate"),
        (["judge"], "run the stage `saes` first"),
        (["activations", "--prose", "not/there"], "after --prose"),
        (["figures", "--only", "nothing"], "finished SAE"),
    ],
)
def test_arguments_are_refused_before_a_model_is_loaded(tmp_path, monkeypatch, arguments, match):
    monkeypatch.setattr("saewidgets.pretrain.chat.command.load_model", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises((ValueError, LoadError), match=match):
        main(["--threads", str(torch.get_num_threads()), "chat", *arguments, "--out", str(tmp_path)])


@pytest.mark.parametrize("arguments", [["write", "--each", "0"], ["write", "--seed", "-1"], ["paint"]])
def test_numbers_that_cannot_be_are_refused_by_the_command(tmp_path, arguments, capsys):
    with pytest.raises(SystemExit):
        main(["chat", *arguments, "--out", str(tmp_path)])
    assert "error" in capsys.readouterr().err
