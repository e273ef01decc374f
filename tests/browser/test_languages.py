"""Every instrument in Chinese in a browser: drawn, in Chinese alone, and nothing cut off."""

from __future__ import annotations

import pytest
from instruments import MAKE

from saewidgets import export
from saewidgets.languages import spoken
from saewidgets.widgets import FeatureDashboard

pytestmark = pytest.mark.browser

# Texts of a page of several English words and no Chinese one, data and code aside; and what is wider than its place.
FOUND = r"""() => {
  const english = (text) => /[A-Za-z]{3,} [a-z]{2,}/.test(text) && !/\p{Script=Han}/u.test(text);
  const left = [];
  const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const data = "pre, code, textarea, noscript, .saew-token, .saew-said, .saew-text, .saew-dose-texts, option";
  while (walk.nextNode())
    if (!walk.currentNode.parentElement.closest(data) && english(walk.currentNode.textContent))
      left.push(walk.currentNode.textContent);
  for (const name of ["aria-label", "placeholder", "aria-description", "aria-valuetext"])
    for (const el of document.querySelectorAll(`.saew [${name}]`))
      if (english(el.getAttribute(name))) left.push(el.getAttribute(name));
  const wide = [...document.querySelectorAll(".saew button, .saew h3, .saew label, .saew .saew-note")]
    .filter((el) => el.clientWidth > 4 && el.scrollWidth > el.clientWidth + 1)
    .map((el) => el.textContent);
  const drawn = [...document.querySelectorAll(".saew-host > .saew")].map((el) => [el.lang, el.getAttribute("aria-label")]);
  return { left: [...new Set(left)], wide, drawn, across: document.documentElement.scrollWidth - innerWidth };
}"""

# What the sample records call things, in words.
DATA = ("golden gate bridge", "What is your physical form?", "Tell me about yourself.", "What did you do today?")
DATA += ("Yesterday I went for a walk and", "inside a labeled span", "planted labels", "a small model")


def test_every_instrument_is_drawn_in_chinese_and_in_chinese_alone(page, tmp_path):
    with spoken("zh"):
        made = [make() for make in MAKE.values()]
        views = [export.dashboard_view(one.data) if isinstance(one, FeatureDashboard) else one._view() for one in made]
        text = export.page("全部", views)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page.set_viewport_size({"width": 1008, "height": 900})
    page.goto((tmp_path / "page.html").as_uri())
    page.locator(".saew-host > .saew").nth(len(made) - 1).wait_for()
    found = page.evaluate(FOUND)
    assert {lang for lang, _ in found["drawn"]} == {"zh-CN"}
    assert len({name for _, name in found["drawn"]}) == len(made) and all(
        not name.isascii() for _, name in found["drawn"]
    )
    assert [text for text in found["left"] if not any(known in text for known in DATA)] == []
    assert found["wide"] == [] and found["across"] <= 0
    page.get_by_role("button", name="我在看什么？").first.click()
    assert "x：残差流中的激活向量" in page.locator(".saew-notes").inner_text()
