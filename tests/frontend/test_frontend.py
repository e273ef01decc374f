"""The JavaScript of the instruments: linted, type-checked, and tested in node without a browser.

The tools are those of package-lock.json beside this file; tests/node.py installs them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import node
import pytest
from tokenizers import Tokenizer

from saewidgets import frontend
from saewidgets.miniworld import MODEL_FOLDER
from saewidgets.models.vocabulary import Vocabulary

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "saewidgets" / "frontend"


@pytest.fixture(scope="session")
def tools() -> None:
    """The pinned tools, installed."""
    node.install()


def biome(*command: str) -> None:
    done = node.run(
        "npx", "--no-install", "biome", *command, "--config-path=.", "--max-diagnostics=50", ".", str(SOURCES)
    )
    assert done.returncode == 0, done.stdout + done.stderr


def type_errors() -> list[str]:
    """Errors of the type checker, one per line, each with its path from the front end's folder."""
    done = node.run("npx", "--no-install", "tsc", "-p", "tsconfig.json", "--pretty", "false")
    found = [line for line in done.stdout.splitlines() if re.match(r"\S.*: error TS\d+", line)]
    assert found or done.returncode == 0, done.stdout + done.stderr
    return [re.sub(r"^.*saewidgets/frontend/", "", line) for line in found]


def test_the_sources_are_formatted(tools):
    biome("format")


def test_the_linter_finds_nothing(tools):
    biome("lint", "--error-on-warnings")


def test_no_line_is_longer_than_120_columns():
    for path in [*SOURCES.rglob("*.js"), *HERE.glob("*.js")]:
        long = [i for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if len(line) > 120]
        assert not long, (path.name, long)


def test_no_function_is_longer_than_80_lines():
    sys.path.insert(0, str(HERE.parents[1] / "scripts"))
    try:
        from house import script_function_lengths
    finally:
        sys.path.pop(0)
    for path in SOURCES.rglob("*.js"):
        longest = max(script_function_lengths(path.read_text(encoding="utf-8")), default=0)
        assert longest <= 80, (path.name, longest)


def test_no_type_error(tools):
    assert type_errors() == []


def test_units_in_node(tools):
    files = sorted(path.name for path in HERE.glob("*.test.js"))
    done = node.run("node", "--test", "--test-reporter=tap", *files)
    counts = {name: int(n) for name, n in re.findall(r"^# (tests|pass|fail) (\d+)$", done.stdout, re.MULTILINE)}
    assert done.returncode == 0 and counts["fail"] == 0, done.stdout[-5000:] + done.stderr
    assert counts["pass"] == counts["tests"] >= len(files)


def test_characters_of_several_tokens_are_whole_again(tools, tmp_path):
    """What Python calls half of a character is what the page looks for: the display texts of a real tokenizer of bytes."""
    tokenizer = Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))
    vocabulary = Vocabulary(tokenizer, tokenizer.get_vocab_size())
    text = "🌉 café 你好 שלום"
    shown = vocabulary.display(vocabulary.encode(text))
    assert sum("<0x" in piece for piece in shown) == 18  # all but "é", which it knows
    joined = frontend._joined("shared/bytes.js")
    ask = f"console.log(JSON.stringify($shared_bytes.pieces({json.dumps(shown)}).map(({{ text, slim }}) => [text, slim])));"
    (tmp_path / "pieces.mjs").write_text(f"{joined}{ask}\n")
    pieces = json.loads(node.run("node", str(tmp_path / "pieces.mjs")).stdout)
    assert "".join(piece for piece, _ in pieces).replace("␣", " ") == text
    assert [piece for piece, slim in pieces if slim] == [""] * sum(slim for _, slim in pieces)


def test_the_types_of_the_traits_are_current():
    done = subprocess.run(
        [sys.executable, str(HERE.parents[1] / "scripts" / "write_types.py"), "--check"], check=False, timeout=120
    )
    assert done.returncode == 0, "the traits have changed: run scripts/write_types.py"


# -- how modules are joined ------------------------------------------------------------------------------------------


@pytest.fixture
def joined(tmp_path):
    def join(**files: str) -> str:
        for name, source in files.items():
            (tmp_path / f"{name}.js").write_text(source)
        return frontend._joined("index.js", folder=tmp_path)

    return join


def test_comments_and_types_are_not_sent_and_what_looks_like_one_is(tools, joined, tmp_path):
    a = """export const f = (/** @type {number} */ x) => /** @type {any} */ (x + 1); // px
export const g = `${/** @type {Record<string, number>} */ ({ y: 2 }).y} a; // b`;
export const h = "c; // d"; // twice
const at = "https://example.org/"; // where
export const list = [
  1, // one
  at,
];
"""
    text = joined(a=a, index='import { f, g, h, list } from "./a.js";\nexport default [f(1), g, h, list];\n')
    assert "@type" not in text
    assert [word for word in ("px", "twice", "where", "one") if f"// {word}" in text] == []
    (tmp_path / "all.mjs").write_text(text + "console.log(JSON.stringify($index.default));\n")
    said = json.loads(node.run("node", str(tmp_path / "all.mjs")).stdout)
    assert said == [2, "2 a; // b", "c; // d", [1, "https://example.org/"]]


def test_two_modules_may_use_the_same_name(tools, joined, tmp_path):
    text = joined(
        a="// a comment that stays behind\nconst TEXT = 1;\n/** Doc. */\nexport const one = TEXT;\n",
        b='import { one } from "./a.js";\nconst TEXT = 2;\nexport function two() {\n  return one + TEXT;\n}\n',
        index='import { one as first } from "./a.js";\nimport {\n  two,\n} from "./b.js";\nexport default { first, sum: two() };\n',
    )
    assert "comment" not in text and "Doc" not in text
    assert text.count("const $a = ") == 1
    (tmp_path / "all.mjs").write_text(text + "console.log(JSON.stringify($index.default));\n")
    assert json.loads(node.run("node", str(tmp_path / "all.mjs")).stdout) == {"first": 1, "sum": 3}


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"index": 'import { a } from "./gone.js";\n'}, "index.js imports gone.js, which is not there"),
        (
            {"index": 'import { b } from "./a.js";\n', "a": "export const a = 1;\n"},
            "index.js imports b from a.js, which does not export it",
        ),
        (
            {
                "index": 'import { a } from "./a.js";\n',
                "a": 'import { b } from "./b.js";\nexport const a = b;\n',
                "b": 'import { a } from "./a.js";\nexport const b = a;\n',
            },
            "a circle of imports: a.js -> b.js -> a.js",
        ),
        ({"index": 'import * as a from "./a.js";\n'}, "in a form that is not joined: import * as a"),
        (
            {"index": "const a = `one\n  two`;\n"},
            "index.js has a template of several lines, whose spaces would be lost",
        ),
        ({"index": 'import { a } from "../out.js";\n'}, "index.js imports ../out.js, outside the front end"),
    ],
)
def test_what_cannot_be_joined_is_said(joined, files, complaint):
    with pytest.raises(ValueError) as error:
        joined(**files)
    assert complaint in str(error.value)


def test_an_instrument_that_is_not_there_is_refused():
    for ask in (frontend.esm, frontend.program, frontend.css):
        with pytest.raises(ValueError, match=r"no instrument 'clap'; there are architecture, clamp, "):
            ask("clap")


def test_no_two_sheets_mean_different_things_by_one_class():
    """Every instrument of a notebook styles one page, so a class that a sheet defines is that sheet's alone."""
    defined: dict[str, list[str]] = {}
    for path in sorted((SOURCES / "styles").glob("*.css")):
        outside = re.sub(r"@container[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", path.read_text(encoding="utf-8"))
        for name in set(re.findall(r"^\.saew \.(saew-[\w-]+) \{", outside, re.MULTILINE)):
            defined.setdefault(name, []).append(path.stem)
    assert len(defined) > 150
    assert {name: sheets for name, sheets in defined.items() if len(sheets) > 1} == {}


@pytest.mark.parametrize("name", frontend.INSTRUMENTS)
def test_an_instrument_sends_its_own_styles_only(name):
    def rules(sheet: str) -> list[str]:
        return [line for line in sheet.splitlines() if line.startswith(".saew ")]

    sheet, base = rules(frontend.css(name)), rules(frontend.css())
    own = [line for line in sheet if line not in base]
    assert len("".join(own)) > 500
    for other in set(frontend.INSTRUMENTS) - {name}:
        assert not set(own) & (set(rules(frontend.css(other))) - set(base))
    # Of the base it sends every rule, in order, but those that need a class which its modules do not write.
    left = [line for line in base if line not in sheet]
    assert [line for line in sheet if line in base] == [line for line in base if line not in left]
    modules, unused = frontend.esm(name), 0
    for selector in (line.partition("{")[0] for line in left):
        for one in re.sub(r"\([^)]*\)", "", selector).split(","):
            parts = re.findall(r"\.(saew-[\w-]+)", one)
            assert not all(re.search(rf"{part}(?![\w-])", modules) for part in parts), one
            unused += 1
    assert unused > 20
