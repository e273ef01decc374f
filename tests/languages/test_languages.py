"""The languages: which one is spoken, what an instrument does with it, and that no sentence lacks its translation."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from string import Formatter

import ipywidgets
import pytest
from instruments import MAKE
from sentences import fields_of, sentences, unmarked

import saewidgets as sw
from saewidgets import frontend, languages
from saewidgets.languages import retold, said, set_language, spoken, table
from saewidgets.toy import ToyConfig, experiments, phase_experiments
from saewidgets.widgets import _base
from saewidgets.widgets._toy_settings import SETTINGS

SAID, TOLD = table("zh"), table("zh", "told")
PACKAGE = Path(sw.__file__).parent
SPEAKING = ("views", "widgets", "frontend", "records", "analysis/toys", "export.py")  # where a person is spoken to


@pytest.fixture(autouse=True)
def english():
    yield
    set_language("en")
    ipywidgets.Widget.close_all()
    _base._cells.MADE.clear()


# -- which one is spoken ---------------------------------------------------------------------------------------------


def test_an_unknown_language_is_refused_with_the_valid_ones():
    for ask in (set_language, languages.html_language):
        with pytest.raises(
            ValueError, match=r"unknown language 'fr'; type 'en' \(English\) or 'zh' \(Simplified Chinese\)"
        ):
            ask("fr")
    with pytest.raises(ValueError, match="no language 'fr'; there are en, zh"):
        frontend.esm("plane", "fr")
    assert languages.language() == "en"


def test_a_process_begins_with_the_language_of_its_environment():
    ask = "import saewidgets.languages as l; print(l.language()); l.set_language('en'); print(l.language())"

    def run(language: str) -> subprocess.CompletedProcess[str]:
        own = os.environ | {"SAEWIDGETS_LANGUAGE": language}
        return subprocess.run([sys.executable, "-c", ask], env=own, capture_output=True, text=True, check=False)

    assert run("zh").stdout.split() == ["zh", "en"]
    assert run("").stdout.split() == ["en", "en"]
    assert "the environment variable SAEWIDGETS_LANGUAGE is wrong: unknown language 'fr'" in run("fr").stderr


def test_what_is_spoken_inside_a_block_ends_with_it():
    set_language("zh")
    with spoken("en"):
        assert said("features") == "features"
    assert said("features") == "特征"
    with pytest.raises(RuntimeError), spoken("en"):
        raise RuntimeError
    assert languages.language() == "zh"


def test_what_no_table_has_stays_in_english():
    set_language("zh")
    assert said("my own title") == "my own title"
    assert retold("something else went wrong") == "something else went wrong"


def test_a_finished_sentence_is_told_again_with_its_values():
    english = "feature 31: a multiple must be a number from -1000 to 1000, not 1e9"
    assert retold(english) == english
    with spoken("zh"):
        assert retold(english) == "特征 31：倍数必须是 -1000 到 1000 的数，不能是 1e9"
        assert retold("fit to the model checked on 256 tokens: FVU 0.054, L0 24").startswith("已在 256 个词元上核对")
        assert retold("topk, 16 features, k = 2") == "topk，16 个特征，k = 2"


# -- what an instrument does with it ---------------------------------------------------------------------------------


def test_an_instrument_keeps_the_language_that_it_was_made_in():
    english = sw.FeaturePlane()
    set_language("zh")
    chinese = sw.FeaturePlane()
    assert (english._language, chinese._language) == ("en", "zh")
    assert "Feature plane" in english._esm and "特征平面" not in english._esm
    assert "特征平面" in chinese._esm and "Feature plane" not in chinese._esm
    assert chinese.labels[:2] == ["绿", "蓝"] and english.labels[:2] == ["green", "blue"]
    assert '<html lang="en">' in english.to_html() and english.figure.layout.title.text.startswith("An activation")
    set_language("en")
    page = chinese.to_html()
    assert '<html lang="zh-CN">' in page and "<title>特征平面</title>" in page and '"_language":"zh"' in page
    assert chinese.figure.layout.title.text == "一个激活向量，以及每个特征从中读到什么"
    assert "<th>角度</th>" in chinese._repr_mimebundle_()[0]["text/html"]


def test_a_refusal_is_said_in_the_language_of_the_instrument():
    with spoken("zh"):
        plane = sw.FeaturePlane([0.0, 90.0])
    plane.set_state({"point": [5.0, 0.0]})
    assert plane.error == "点在两轴上都必须在 -1.5 到 1.5 之内，不能在 (5.0, 0.0)"
    with pytest.raises(Exception, match=r"the point must lie within -1\.5 to 1\.5 on both axes, not at \(5\.0, 0\.0\)"):
        plane.check()
    plane._failed(ValueError("something that no table has"))
    with spoken("zh"):
        plane._failed(ValueError("something that no table has"))
    assert plane.error == "（英文消息）something that no table has"


@pytest.mark.parametrize("name", sorted(MAKE))
def test_an_instrument_speaks_chinese_alone(name):
    """No word of the English tables is left in what is sent, and no sentence of Python in what is said."""
    MAKE[name]()  # an English one before it, of which nothing may be kept
    with spoken("zh"):
        widget = MAKE[name]()
    assert widget._language == "zh"
    tables = [len(re.findall(rf"\b{one}: [{{\[]", widget._esm)) for one in ("en", "zh")]
    assert tables == [0, len(re.findall(r"\ben: [{\[]", frontend.esm(widget._instrument)))] and tables[1] >= 4
    # So the bounds of an instrument's size hold for it, too.
    assert len(widget._esm) <= len(frontend.esm(widget._instrument))
    traits = {trait: getattr(widget, trait) for trait in widget.keys if trait not in ("_esm", "_css")}
    texts = " | ".join(_texts(traits))
    known = [s for s in SAID if re.search(r"[A-Za-z]{3,} [A-Za-z]{2,}", s) and "{" not in s]
    assert [sentence for sentence in known if sentence in texts] == []
    page = widget._repr_mimebundle_()[0]["text/html"]  # what is seen without a kernel; of some it is the data alone
    assert re.search(r"[\u4e00-\u9fff]{2}", page) or name in ("ClampPanel", "TrainingMonitor")


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, (list, tuple)) else []


# -- the tables ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spoken_here() -> dict[str, str]:
    """Every sentence of the code, and where it stands; those of settings and experiments are data."""
    found: dict[str, str] = {}
    for part in SPEAKING:
        found |= sentences(PACKAGE / part)
    for one in (*experiments().values(), *phase_experiments().values()):
        for field in ("part", "title", "question", "look_for", "outcome"):
            found[getattr(one, field)] = f"{one.name} {field}"
    for name in (*SETTINGS, *(field.name for field in dataclasses.fields(ToyConfig))):
        found[name.replace("_", " ")] = "a setting of toy models"
    for kind in MAKE:
        found[re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).capitalize()] = "the title of a page"
    return found


# Said of what a variable holds: columns of tables without scripts, kinds of judges, what they count, schedules, and the
# preface of `_told`.
_BY_NAME = {
    *("feature", "label", "density", "maximum", "promotes", "SAE", "concept", "activation", "token", "score"),
    *("strongest on", "kind", "multiple", "perplexity ratio", "KL", "repeats", "judged", "score 3", "2", "1", "0"),
    *(
        "angle",
        "read-out",
        "ReLU",
        "planted",
        "spans",
        "function",
        "rule",
        "likelihood",
        "flipped",
        "language model",
        "person",
    ),
    *("detection", "fuzzing", "intruder", "SAEBench", "logits"),
    *("requests", "retries", "tokens read", "tokens written", "dollars"),
    *("sae", "alive", "n concepts", "half at", "threshold", "space", "n", "accuracy", "inputs kept", "neighbor"),
    *("chance", "parallel", "share", "a person"),
    *("constant", "cosine", "linear", "warmup", "F1", "AUROC", "|x̂| / |x|"),
}


def test_chinese_has_every_sentence_and_no_other(spoken_here):
    missing = {text: where for text, where in spoken_here.items() if text not in SAID}
    assert missing == {}
    assert {text for text in SAID if text not in spoken_here} <= _BY_NAME


def test_no_sentence_has_two_translations():
    text = (PACKAGE / "languages" / "zh.toml").read_text("utf-8")
    assert text.count("\nen = ") == len(SAID) + len(TOLD)


def test_every_sentence_fills_in_the_same_values():
    for english, other in {**SAID, **TOLD}.items():
        assert fields_of(english) == fields_of(other), english


def test_every_refusal_that_is_told_again_is_one_of_the_package():
    """A key of `told`, with {} for what is filled in, stands in the code: in one piece, or in its parts."""
    written = "\n".join(re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8")) for path in PACKAGE.rglob("*.py"))
    written = re.sub(r"\{(?:[^{}]|\{[^{}]*\})*\}", "{}", written)
    for english in TOLD:
        pieces = [text.strip(":;, ") for text, *_ in Formatter().parse(english) if len(text) > 8]
        assert pieces, english
        for piece in pieces:
            assert piece in written or json.dumps(piece)[1:-1] in written, english


def test_chinese_is_written_with_its_own_marks():
    wrong = re.compile(
        r"[\u4e00-\u9fff][,.;:?!()]|[,;?!]\s*[\u4e00-\u9fff]|[\u4e00-\u9fff][A-Za-z]{2,}|(?<!<br>)(?<![a-z]>)\b[A-Za-z]{2,}[\u4e00-\u9fff]"
    )
    found = [text for text in {**SAID, **TOLD}.values() if wrong.search(re.sub(r"<[^>]*>|%?\{+[^}]*\}+", " ", text))]
    assert found == []


# Texts of several words that no person reads in an instrument: a prompt to begin with, what an exception is made of.
_NOT_SAID = (
    *(
        "no further word",
        "a sweep holds no model",
        "{} has none to give",
        "a saved reading",
        "what {} reads",
        "an angle",
    ),
    *("...  # your text: {}", "They walked over the Golden Gate Bridge in the fog.", "'The cat'", "'The cat sat'"),
    *("a feature of presets[{}]", "a multiple of presets[{}]", "Paused at {}. {} to go on.", "step {} of {}"),
    *("Press Start", "Run the cell again", "const $default = ", "perplexity ratio", "strongest on"),
    *("Iterator[tuple[float, RecoveredFeatures]]", "string | { role: string; content: string }[]"),
    "give a Preset or the path of one",
    "give {'pirate': {3881: 1.0}}: what the model becomes, and the features' multiples",
)


def test_no_sentence_of_an_instrument_or_a_chart_is_left_unmarked():
    found = [one for part in ("views", "widgets", "frontend") for one in unmarked(PACKAGE / part)]
    assert [one for one in found if one.split(": ", 1)[1] not in _NOT_SAID] == []
    assert {text for text in _NOT_SAID if not any(one.endswith(text) for one in found)} == set()


def test_an_unmarked_sentence_is_found(tmp_path):
    (tmp_path / "a.py").write_text(
        '"""A docstring of a few words."""\n'
        'title = f"{n} texts of a model"\nsaid("a marked sentence")\nraise ValueError("an exception in words")\n'
        'figure(title="Density of features" if n else to_say("none at all"))\n'
    )
    assert [one.split(": ", 1)[1] for one in unmarked(tmp_path)] == ["{} texts of a model", "Density of features"]
    assert list(sentences(tmp_path)) == ["a marked sentence", "none at all"]
