"""Every palette of the house under normal vision and three kinds of color blindness, and every text color on its
background.

The style sheet, the charts and the modules are read from their source, so a color that is changed or added is checked
too.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from color_science import VISION, ciede2000, closest, contrast, lab, mix, rgb

from saewidgets.views import _style, phases, toy

FRONTEND = Path(__file__).parents[2] / "saewidgets" / "frontend"
STYLES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((FRONTEND / "styles").glob("*.css")))
CARDS = {  # backgrounds on which a notebook or a page shows the instruments: our own, and those of common dark themes
    "light": ("#ffffff",),
    "dark": ("#1a1d23", "#111111", "#1e1e1e", "#212121"),
}
TEXT, LARGE = 4.5, 3.0  # WCAG 2.2: 1.4.3 for text; 1.4.11 for what is not text, and for large text


def variables(theme: str) -> dict[str, str]:
    """The custom properties of a theme: those of the light one, replaced where the dark one has its own."""
    blocks = dict(re.findall(r'\.saew(\[data-theme="dark"\])? \{\n(  --ink.*?)\n\}', STYLES, re.DOTALL))
    shared = re.search(r"\.saew \{\n(  --solid.*?)\n\}", STYLES, re.DOTALL)
    assert shared is not None and set(blocks) == {"", '[data-theme="dark"]'}
    found: dict[str, str] = {}
    for block in [blocks[""], *([blocks['[data-theme="dark"]']] if theme == "dark" else []), shared[1]]:
        found |= dict(re.findall(r"--([\w-]+): (.*?);", block))
    return found


class Sheet:
    """Colors of one theme on one card, evaluated."""

    def __init__(self, theme: str, card: str) -> None:
        self.named = variables(theme) | {"card": card}
        self.named["ink"] = re.search(r"#[0-9a-f]{6}", self.named["ink"])[0]  # type: ignore[index]

    def __call__(self, value: str) -> np.ndarray:
        """sRGB of "#..", "var(--x)" or "color-mix(in srgb, a p%, b)"; a share that is written with --h is not one."""
        value = value.strip()
        if value.startswith("#"):
            return rgb(value)
        if match := re.fullmatch(r"var\(--([\w-]+)(?:, .*)?\)", value):
            return self(self.named[match[1]])
        match = re.fullmatch(r"color-mix\(in srgb, (.+?) ([\d.]+)%, (.+)\)", value)
        assert match is not None, f"no color that is understood here: {value!r}"
        return mix(self(match[1]), float(match[2]) / 100, self(match[3]))


SHEETS = [(theme, Sheet(theme, card)) for theme, cards in CARDS.items() for card in cards]


# -- the measures themselves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [  # pairs that Sharma, Wu & Dalal 2005 published to test implementations with
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_color_difference_is_the_published_one(one, other, difference):
    assert float(ciede2000(np.array(one), np.array(other))) == pytest.approx(difference, abs=1e-4)


def test_contrast_and_lightness_of_colors_that_everybody_knows():
    assert contrast(rgb("#fff"), rgb("#000")) == pytest.approx(21)
    assert contrast(rgb("#767676"), rgb("#ffffff")) == pytest.approx(4.54, abs=0.005)
    assert lab(rgb("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)


def test_the_simulations_leave_gray_gray_and_take_away_what_they_should():
    for vision in VISION:
        assert lab(rgb("#808080"), vision) == pytest.approx(lab(rgb("#808080")), abs=0.02)
    red, green = rgb("#d7191c"), rgb("#5a8f00")
    for vision, kept in (("full", True), ("tritanopia", True), ("deuteranopia", False), ("protanopia", False)):
        hues = np.degrees(np.arctan2(*lab(np.stack([red, green]), vision)[:, :0:-1].T))
        assert (abs(hues[0] - hues[1]) > 40) == kept, vision


# -- kinds that stand for different things on one view ---------------------------------------------------------------

# Prefix, how many, least CIEDE2000 between any two under every kind of vision. What has a second mark may lie closer.
PALETTES = [
    ("saew-k", 7, 12.0),  # points of the map: color is the only mark, so the gray of the rest counts as one more
    ("saew-c", 5, 10.0),  # curves and kinds of a sweep; there each has a shape of its own as well
    ("saew-d", 8, 8.0),  # directions: each has its name beside it
    ("saew-p", 5, 8.0),  # pinned features: each has its letter
]


@pytest.mark.parametrize(("theme", "sheet"), SHEETS)
@pytest.mark.parametrize(("prefix", "n", "least"), PALETTES)
def test_categories_are_told_apart_by_every_eye(theme, sheet, prefix, n, least):
    names = sorted(name for name in sheet.named if re.fullmatch(rf"{prefix}\d+", name))
    assert names == [f"{prefix}{i}" for i in range(1, n + 1)]
    colors = {name: sheet(f"var(--{name})") for name in names}
    if prefix == "saew-k":
        colors["saew-rest"] = sheet("var(--saew-rest)")
    assert closest(colors)[0] >= least, closest(colors)
    for name in names:
        assert contrast(colors[name], sheet("var(--card)")) >= LARGE, name


@pytest.mark.parametrize(("theme", "sheet"), SHEETS)
def test_up_and_down_and_the_two_states_of_a_text_are_told_apart(theme, sheet):
    signs = {name: sheet(f"var(--{name})") for name in ("up", "down")}
    assert closest(signs)[0] >= 25
    for color in signs.values():
        assert contrast(color, sheet("var(--card)")) >= LARGE


def test_the_charts_have_the_colors_of_the_style_sheet_and_stand_on_light_and_dark():
    light = Sheet("light", "#ffffff")
    for prefix, listed in (
        ("c", (*_style.CURVES, _style.PROMPT)),
        ("d", _style.DIRECTIONS),
        ("k", _style.CATEGORIES),
        ("r", _style.RAMP),
    ):
        for i, color in enumerate(listed, 1):
            assert light.named[f"saew-{prefix}{i}"] == color
    # A figure does not know the theme around it. No gray reaches 4.5 on white and on near-black alike: this is the
    # most.
    for card in (*CARDS["light"], *CARDS["dark"]):
        assert contrast(rgb(_style.NEUTRAL), rgb(card)) >= 3.99
        for color in (*_style.CURVES, _style.PROMPT, *_style.DIRECTIONS, *_style.CATEGORIES, _style.UP, _style.DOWN):
            assert contrast(rgb(color), rgb(card)) >= 2.0, color


# -- magnitudes ------------------------------------------------------------------------------------------------------


def steps(colors: list[np.ndarray], vision: str) -> np.ndarray:
    """Differences of lightness from each color of a ramp to the next."""
    return np.diff([lab(color, vision)[0] for color in colors])


def module_sequence() -> list[str]:
    """The colors of the pictures of many features, from the module's source."""
    listed = re.search(
        r"const SEQUENCE = \[(.*?)\];",
        (FRONTEND / "instruments" / "superposition" / "colors.js").read_text(encoding="utf-8"),
    )
    assert listed is not None
    return re.findall(r"#[0-9a-f]{6}", listed[1])


def test_a_ramp_goes_one_way_in_lightness_for_every_eye():
    ramps = {"sequence": list(map(rgb, module_sequence()))}
    for theme, sheet in SHEETS:
        card, hot = sheet("var(--card)"), sheet("var(--hot)")
        ramps[f"{theme} ramp"] = [sheet(f"var(--saew-r{i})") for i in range(1, 6)]
        ramps[f"{theme} heat"] = [mix(hot, share, card) for share in np.linspace(0, 1, 9)]
    ramps["heat of charts"] = [mix(rgb(_style.HEAT[1][1]), s, rgb(_style.HEAT[0][1])) for s in np.linspace(0, 1, 9)]
    for name, colors in ramps.items():
        for vision in VISION:
            change = steps(colors, vision)
            assert (change > 1).all() or (change < -1).all(), (name, vision, change.round(1).tolist())
    for name in ("sequence", "light ramp", "dark ramp"):
        assert min(closest({"a": a.copy(), "b": b})[0] for a, b in pairwise(ramps[name])) >= 8, name
    assert tuple(module_sequence()) == _style.SEQUENCE


def test_signed_scales_are_lightest_or_darkest_in_the_middle_and_differ_at_the_ends():
    for scale in (toy.SIGNED, phases.SCALE):
        low, high = scale[0][1], scale[-1][1]
        middle = [float(x) for x in re.findall(r"[\d.]+", scale[1][1])]
        for card in ("#ffffff", "#1a1d23"):
            center = mix(np.array(middle[:3]) / 255, middle[3], rgb(card))
            for vision in VISION:
                ends = [ciede2000(lab(rgb(end), vision), lab(center, vision)) for end in (low, high)]
                assert min(ends) > 20, (scale, card, vision)
        assert closest({"low": rgb(low), "high": rgb(high)})[0] >= 25


# -- text ------------------------------------------------------------------------------------------------------------

ON_INK = {
    "#f3f4f6": "#20242c",
    "#16181d": "#f0f1f4",
}  # the tooltip's text and background in the light and the dark theme
OVER_HEAT = {"#000", "#fff"}  # the text of a warm token: see the test of heat
ON_ACCENT = "var(--card)"  # the text of a button
ON_HOST = (
    "var(--jp-ui-font-color0, inherit)"  # the banner above an instrument without its kernel: JupyterLab's text color
)
UNSEEN = "transparent"  # the text of a token that is shown as a thin bar
HOST_TEXT = {"light": "#000000", "dark": "#ffffff"}  # that color


@pytest.mark.parametrize(("theme", "sheet"), SHEETS)
def test_every_text_color_of_the_style_sheet_is_legible(theme, sheet):
    found = {value.strip() for value in re.findall(r"[{;]\s*color: ([^;}]+)[;}]", STYLES)} - {"inherit"}
    assert {"var(--muted)", "var(--accent)", "var(--ink)", "var(--down)"} <= found
    for value in sorted(found - set(ON_INK) - OVER_HEAT - {ON_ACCENT, ON_HOST, UNSEEN}):
        for behind in ("var(--card)", "var(--sunken)"):
            ratio = contrast(sheet(value), sheet(behind))
            assert ratio >= TEXT, (value, behind, round(ratio, 2))
    assert contrast(sheet(ON_ACCENT), sheet("var(--accent)")) >= TEXT
    selected = sheet("color-mix(in srgb, var(--hot) 22%, var(--card))")  # a row of a list
    banner = sheet("color-mix(in srgb, var(--alarm) 10%, var(--card))")
    for value, behind in (("ink", selected), ("accent", selected), ("ink", banner)):
        assert contrast(sheet(f"var(--{value})"), behind) >= TEXT, value
    life = re.search(r"\.saew-life \{[^}]*background: (color-mix\([^;]*), transparent\)", STYLES)
    assert life is not None
    assert contrast(rgb(HOST_TEXT[theme]), sheet(f"{life[1]}, var(--card))")) >= TEXT


def test_the_tooltip_is_legible_where_it_is_faint():
    for text, behind in ON_INK.items():
        assert text in STYLES and behind in STYLES
        assert contrast(mix(rgb(text), 0.75, rgb(behind)), rgb(behind)) >= TEXT  # .saew-tip-name: opacity 0.75


@pytest.mark.parametrize(("theme", "sheet"), SHEETS)
def test_a_token_is_legible_at_every_heat(theme, sheet):
    module = (FRONTEND / "shared" / "tokens.js").read_text(encoding="utf-8")
    neither = re.search(r"const NEITHER = \[([\d.]+), ([\d.]+)\];", module)
    assert neither is not None and 'toggle("saew-hot", shown >= hot)' in module
    below, above = float(neither[1]), float(neither[2])
    rules = {
        "light": (r'\[data-theme="light"\] \.saew-warm \.saew-word \{ color: (#\w+)', None),
        "dark": (
            r'\[data-theme="dark"\] \.saew-warm \.saew-word \{ color: (#\w+)',
            r"\.saew-warm\.saew-hot \.saew-word \{ color: (#\w+)",
        ),
    }[theme]
    cool, hot = (re.search(rule, STYLES) if rule else None for rule in rules)
    assert cool is not None
    for heat in [*np.linspace(0.1, below, 60), *np.linspace(above, 1, 60)]:
        ink = hot[1] if hot is not None and heat >= above else cool[1]
        ratio = contrast(rgb(ink), mix(sheet("var(--hot)"), heat, sheet("var(--card)")))
        assert ratio >= TEXT, (round(float(heat), 3), ink, round(ratio, 2))


@pytest.mark.parametrize(("theme", "sheet"), SHEETS)
def test_a_number_on_a_filled_mark_is_legible(theme, sheet):
    for i in range(1, len(_style.DIRECTIONS) + 1):
        assert contrast(sheet(f"var(--saew-on{i})"), sheet(f"var(--saew-d{i})")) >= TEXT, i
    for color in _style.DIRECTIONS:
        ratios = {ink: contrast(rgb(ink), rgb(color)) for ink in (_style.PAPER, _style.INK)}
        assert max(ratios, key=lambda ink: ratios[ink]) == _style.on(color) and ratios[_style.on(color)] >= TEXT, color


def test_no_other_color_hides_in_the_modules_or_the_charts():
    known = {*module_sequence(), "#000"}
    for path in sorted(FRONTEND.rglob("*.js")):
        code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
        assert set(re.findall(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b(?=[\"';])", code)) <= known, path.name
    for path in sorted((FRONTEND.parent / "views").glob("*.py")):
        if path.name != "_style.py":
            assert not re.findall(r"[\"']#[0-9a-fA-F]{3,6}[\"']", path.read_text(encoding="utf-8")), path.name
