"""axe-core over a page: what a program can tell of its accessibility (WCAG 2.2 and common practice)."""

from __future__ import annotations

from functools import cache
from typing import Any

import node

_RUN = """async (scope) => {
    const found = await axe.run(scope ?? document, { resultTypes: ["violations"] });
    return found.violations.flatMap(({ id, impact, nodes }) =>
        nodes.map(({ target, failureSummary }) => [impact, id, target.join(" "), failureSummary]));
}"""

_STILL = """async () => {
    const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime < Infinity);
    await Promise.all(ending.map((one) => one.finished.catch(() => null)));
}"""


@cache
def _source() -> str:
    node.install()
    return (node.MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Any, scope: str | None = None) -> list[str]:
    """What axe-core has to say against the page, or against the elements that match `scope`; one entry per element.

    It is evaluated as by the developer's tools, so that the page's content security policy does not forbid it, and when movement has
    come to its end: a color that fades in has any contrast.
    """
    if not page.evaluate("() => 'axe' in globalThis"):
        page.evaluate(_source())
    page.evaluate(_STILL)
    found = page.evaluate(_RUN, scope)
    return [f"{impact} {rule}: {where}: {' '.join(why.split())}" for impact, rule, where, why in found]
