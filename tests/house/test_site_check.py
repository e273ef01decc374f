"""What the site's own check finds: a link that leads nowhere, something from elsewhere, a page that is too large."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [path for path in [str(ROOT / "scripts")] if path not in sys.path]
PAGE = """<!doctype html><html><head><link rel="stylesheet" href="site.css"></head>
<body><h1 id="top">A</h1><a href="sub/b.html#here">b</a> <a href="https://example.org/">elsewhere</a> <a href="#top">up</a></body></html>"""
OTHER = '<h2 id="here">B</h2><a href="../index.html">a</a><iframe src="../live/clamp.html" title="A panel"></iframe>'


@pytest.fixture
def site(tmp_path):
    """Three pages in order."""
    for name, text in {
        "index.html": PAGE,
        "sub/b.html": OTHER,
        "live/clamp.html": "<main>m</main>",
        "live/08_a_real_chat_model-1.html": "<main>s</main>",
        "site.css": "a { background: url(a.png) url('data:image/png;base64,AA') }",
        "404.html": '<a href="/index.html">home</a>',
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_site_in_order_has_no_problem(site):
    from website import check

    assert check.problems(site) == []


@pytest.mark.parametrize(
    ("page", "added", "said"),
    [
        ("index.html", '<a href="nowhere.html">', "index.html: its link nowhere.html leads nowhere"),
        ("sub/b.html", '<a href="index.html">', "sub/b.html: its link index.html leads nowhere"),
        ("index.html", '<a href="sub/b.html#there">', "index.html: its link sub/b.html#there leads to no place of that page"),
        ("index.html", '<img src="https://example.org/a.png">', "index.html asks for https://example.org/a.png, which is not of this site"),
        ("index.html", '<p style="background: url(//example.org/a.png)">', "index.html asks for //example.org/a.png, which is not of this site"),
        ("index.html", "<style>@font-face { src: url(https://e.org/f) }</style>", "index.html asks for https://e.org/f, which is not of this site"),
        ("site.css", "@import 'https://example.org/a.css';", "site.css asks for https://example.org/a.css, which is not of this site"),
        ("index.html", "<!--" + "x" * 3_100_000 + "-->", "index.html takes 3.1 MB, more than 3.0"),
        ("sub/b.html", '<iframe src="../index.html"></iframe>', "sub/b.html: 1 frames have no title"),
    ],
    ids=lambda value: value[:24],
)  # fmt: skip
def test_what_is_wrong_is_said(site, page, added, said):
    from website import check

    with (site / page).open("a", encoding="utf-8") as file:
        file.write(added)
    assert check.problems(site) == [said]


def test_a_page_that_carries_a_model_may_be_larger_and_the_chat_models_pages_do_not_count(site, monkeypatch):
    from website import check

    monkeypatch.setattr(check, "PAGE", 2_000)
    monkeypatch.setattr(check, "LIVE", 4_000)
    monkeypatch.setattr(check, "TOTAL", 8_000)
    clamp, chat = site / "live" / "clamp.html", site / "live" / "08_a_real_chat_model-1.html"
    clamp.write_text("x" * 3_900)
    chat.write_text("x" * 1_900)
    (site / "a.bin").write_bytes(bytes(2_900))
    assert check.problems(site) == []
    (site / "a.bin").write_bytes(bytes(3_900))
    assert check.problems(site) == ["the site takes 0.0 MB, more than 0"]
    (site / "a.bin").unlink()
    clamp.write_text("x" * 4_100)
    assert check.problems(site) == ["live/clamp.html takes 0.0 MB, more than 0.0"]
