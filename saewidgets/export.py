"""One self-contained page from records: it opens from a disk, needs no network and no kernel, and stays interactive.

The page carries its data as JSON in which `<`, `>` and `&` are escaped, so that no token can end the script element,
and a content security policy that admits the page's own script and style by their hashes and nothing else. Neither
cookies nor localStorage are touched: opened through a Jupyter server the page has an opaque origin, where both raise.
The same records give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.bars import bar
from saewidgets.files import write_text
from saewidgets.frontend import css, engine, payloads, program
from saewidgets.frontend.payloads import settable
from saewidgets.languages import html_language, language, said
from saewidgets.records import DashboardData, FeatureData, FeatureSummary, SteeringScores
from saewidgets.records.carried import Carried
from saewidgets.records.dashboards import not_here

__all__ = ["dashboard_html", "dashboard_view", "embed", "feature_table", "pack", "pack_carried", "page", "require"]

LINKED = 8  # digits of an SAE's digest that a link to a page carries

# {"instrument": name, "state": traits, "lookup": None or {"from", "to", and "table" or, of `pack`, "packed"}}, and, where
# a link may set something, {"links": {trait: values that it may have}, "sae": the first digits of the SAE's digest}
View = Mapping[str, Any]

_PAGE_CSS = """html { color-scheme: light dark; }
body { margin: 0; padding: 20px; background: Canvas; color: CanvasText; }
.saew-mount { max-width: 1600px; margin: 0 auto 20px; }
.saew-page-title { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); }
.saew-page-note { max-width: 1568px; margin: 0 auto 12px; padding: 7px 16px; border: 1px solid #b58900; border-radius: 8px; background: color-mix(in srgb, #b58900 14%, transparent); font: 14px/1.4 system-ui, sans-serif; }
.saew-page-note[hidden] { display: none; }
@media print { html { color-scheme: light; } body { padding: 0; } }
"""

# A page whose views are answered: by a function that makes a view's model, over the engine and what the page carries.
_LIVE = """const engine = {engine};
const {{ answered }} = {live};
const carried = () => JSON.parse(document.getElementById("saew-model").textContent);
const answer = (instrument, state, live, own) => answered(instrument, state, live, own, engine, carried);
"""
_MODEL = '<script type="application/json" id="saew-model">{}</script>\n'


def embed(data: Any) -> str:
    """JSON that may stand inside a script element: what a token holds can neither end it nor open another.

    Example:
        >>> embed("</script>")
        '"\\\\u003c/script\\\\u003e"'

    Raises:
        ValueError: on NaN or infinity, which are not JSON.
    """
    text = json.dumps(payloads.sendable(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def page(title: str, views: Sequence[View], *, fallback: str = "", carried: Carried | None = None) -> str:
    """A page with one instrument a view, under each other. Instruments that have a trait `feature` follow one another.
    It speaks the language that is spoken here (see `set_language`).

    Args:
        title: of the window, and the heading that a screen reader hears; plain text.
        views: the instruments, in order. Their states are JSON types.
        fallback: HTML for a reader without JavaScript; the caller has escaped it.
        carried: the model that answers the views that have a `live`: what their kernel needs, JSON types.
    """
    names = sorted({str(view["instrument"]) for view in views})
    now = language()
    if now != "en":
        views = [{**view, "state": {**view["state"], "_language": now}} for view in views]
    instruments = ",\n".join(f"{name}: {program(name, now)}" for name in names)
    script = (
        '"use strict";\n'
        f"const instruments = {{\n{instruments}\n}};\n"
        f"const {{ mount }} = {program('shim', now)};\n"
        f"{'' if carried is None else _LIVE.format(engine=engine(now), live=program('live', now))}"
        'mount(instruments, JSON.parse(document.getElementById("saew-data").textContent)'
        f"{'' if carried is None else ', answer'});\n"
    )
    style = css(*names) + _PAGE_CSS
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        f"{'' if carried is None else 'worker-src blob:; '}base-uri 'none'; form-action 'none'"
    )
    mounts = "\n".join('<div class="saew-mount"></div>' for _ in views)
    title = html.escape(payloads.sendable(title))
    return (
        "<!doctype html>\n"
        f'<html lang="{html_language(now)}">\n'
        "<head>\n"
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="saewidgets">\n'
        f"<title>{title}</title>\n"
        f"<style>{style}</style>\n"
        "</head>\n"
        "<body>\n"
        "<main>\n"
        f'<h1 class="saew-page-title">{title}</h1>\n'  # for a screen reader: what is seen has headings of its own
        f"{mounts}\n"
        f"<noscript>{payloads.sendable(fallback)}</noscript>\n"
        "</main>\n"
        f'<script type="application/json" id="saew-data">{embed(list(views))}</script>\n'
        f"{'' if carried is None else _MODEL.format(embed(pack_carried(carried)))}"
        f'<script type="module">{script}</script>\n'
        "</body>\n"
        "</html>\n"
    )


def dashboard_links(d_sae: int) -> dict[str, settable.Allowed]:
    """What a link to the page of a feature dashboard may set."""
    place, value = settable.whole(0, 1 << 31), settable.number(-1e9, 1e9)
    return {
        "feature": settable.whole(0, d_sae - 1),
        "token": settable.optional(settable.several(place, 2, 2)),
        "interval": settable.optional(settable.several(value, 3, 3)),
    }


def dashboard_view(
    data: DashboardData,
    features: Iterable[int] | None = None,
    *,
    feature: int | None = None,
    effects: bool = True,
    progress: bool = True,
    names: Mapping[int, str] | None = None,
    scores: SteeringScores | None = None,
) -> dict[str, Any]:
    """The view of `page` that shows a feature dashboard.

    Args:
        data: the records.
        features: which of them to carry; all by default. A feature takes about 10 KB of the page.
        feature: the one that is shown first; the first of `features` by default.
        effects: measure what ablating each feature does, where the model is at hand (`DashboardData.measured`).
        progress: show bars, where a part of it takes more than half a second.
        names: {feature: label} that the reader gave.
        scores: input and output scores, see `FeatureDashboard`.

    Raises:
        ValueError: no features at all, or one that is not here; the message names the nearest ones that are.
    """
    chosen = sorted(data.features) if features is None else sorted(set(features))
    if not chosen:
        raise ValueError("there is no feature to show: this dashboard is empty")
    for f in chosen:
        _known(data, f)
    first = chosen[0] if feature is None else feature
    if first not in chosen:
        raise ValueError(not_here(first, chosen))
    carried = data.subset(chosen, effects=effects, progress=progress)
    pool = payloads.Pool(data.token_bytes)
    table = {}
    with bar(len(chosen), "drawing features", "features", progress=progress) as advance:
        for f in chosen:
            table[str(f)] = payloads.feature(carried[f], pool=pool)
            advance(1)
    return {
        "instrument": "dashboard",
        "state": {
            "feature": first,
            "token": None,
            "interval": None,
            "error": "",
            "names": {str(f): names[f] for f in chosen if names and f in names},
            "_index": payloads.index(carried, scores=scores),
            "_passport": payloads.passport(data),
            "_about": payloads.about(data),
        },
        # Sorted, so that the same records in another order give the same bytes.
        "lookup": {"from": "feature", "to": "_shown", "packed": pack({"_pool": pool.rows, "table": table})},
        "links": dashboard_links(data.passport.d_sae),
        "sae": data.passport.sae[:LINKED],
    }


def pack(data: Any) -> str:
    """JSON data as base64 of its deflated text (RFC 1950), a fifth of its size; the page's own script opens it again.

    Example:
        >>> import base64, json, zlib
        >>> json.loads(zlib.decompress(base64.b64decode(pack({"a": 1}))))
        {'a': 1}
    """
    text = json.dumps(payloads.sendable(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("ascii"), 9)).decode("ascii")


def pack_carried(carried: Carried) -> dict[str, str]:
    """A model as a page holds it: base64 of deflated JSON, and of its deflated numbers of 16 bits, all low bytes before all
    high ones, which makes them a tenth smaller.
    """
    planes = np.ascontiguousarray(carried.weights.view(np.uint8).reshape(-1, 2).T)
    return {
        "about": pack(dict(carried.about)),
        "weights": base64.b64encode(zlib.compress(planes.tobytes(), 6)).decode("ascii"),
    }


def dashboard_html(
    data: DashboardData,
    path: str | Path | None = None,
    *,
    features: Iterable[int] | None = None,
    feature: int | None = None,
    effects: bool = True,
    title: str | None = None,
    progress: bool = True,
    names: Mapping[int, str] | None = None,
    scores: SteeringScores | None = None,
) -> str:
    """A feature dashboard as one HTML page; written to `path`, atomically, where that is given.

    A link to page.html#feature=31 opens on feature 31. `title` is "Feature dashboard" by default. For the other arguments
    see `dashboard_view`.

    Example:
        >>> page = dashboard_html(data, "golden_gate.html", features=[31, 32])  # doctest: +SKIP
    """
    chosen = sorted(data.features) if features is None else sorted(set(features))
    view = dashboard_view(data, chosen, feature=feature, effects=effects, progress=progress, names=names, scores=scores)
    text = page(
        said("Feature dashboard") if title is None else title, [view], fallback=feature_table(data, chosen, names=names)
    )
    if path is not None:
        write_text(path, text)
    return text


def _known(data: DashboardData, feature: int) -> None:
    """Raise ValueError, naming the nearest ones that are here, if a feature is not; its record is not made."""
    if feature not in data.features:
        require(data, feature)


def require(data: DashboardData, feature: int) -> FeatureData:
    """One feature. Raises ValueError that names the nearest ones that are here."""
    try:
        return data[feature]
    except KeyError as error:
        raise ValueError(error.args[0]) from None


def feature_table(
    data: DashboardData, features: Sequence[int], most: int = 50, names: Mapping[int, str] | None = None
) -> str:
    """Features as a plain HTML table: what a reader without scripts sees. All text is escaped. `names`, the reader's
    labels, come before those of the data.
    """
    own = names or {}
    shown = {f: FeatureSummary.of(data[f], 3) for f in features[:most]}
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
        for cells in (
            (
                f"#{f}",
                own.get(f, row.label),
                f"{row.density:.3%}",
                f"{row.maximum:.4g}",
                " ".join(map(repr, row.promoted)),
            )
            for f, row in shown.items()
        )
    )
    head = "".join(f"<th>{said(name)}</th>" for name in ("feature", "label", "density", "maximum", "promotes"))
    more = f"<p>{said('... and {n} more features.', n=len(features) - most)}</p>" if len(features) > most else ""
    return (
        f'<table class="tex2jax_ignore mathjax_ignore"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}'
        f'<p class="tex2jax_ignore mathjax_ignore">{html.escape(payloads.passport(data))}</p>'
    )


def _hash(text: str) -> str:
    """The source expression of a content security policy that admits exactly this inline text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
