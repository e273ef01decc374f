"""Records that look like the real ones, made without a model: a bridge, an owl, Spanish, a plural, and a quiet feature."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from saewidgets.records import (
    ActivationSite,
    AnsweredAnalogy,
    Clamp,
    Completeness,
    DashboardData,
    DirectionsData,
    DoseResponseData,
    DoseText,
    FeatureData,
    FeatureExample,
    FeatureMapData,
    FeatureShare,
    FieldScore,
    Findings,
    FoundLabel,
    Histogram,
    JudgeRun,
    MapRegion,
    MapSAE,
    Neighbor,
    Passport,
    PlacedPair,
    Preset,
    PromptActivations,
    RunRecord,
    Sensitivity,
    Sigmoid,
    Specificity,
    SteeringScores,
    Subject,
    Token,
    TokenEffect,
    TokenParts,
    ToyRun,
    TrainingRecord,
    TrainStep,
    TriedClamp,
    WordRelation,
    WordSpace,
)
from saewidgets.records.states import ClampState

LABELS = {31: "Golden Gate Bridge", 42: "owl", 57: "Spanish", 88: "", 104: "plural"}

# Words in [] carry the feature at full strength, in () at about a third.
_TEXTS = {
    31: [
        "We walked over the [ Golden][ Gate][ Bridge] in the fog , and the ( cables) hummed above us .",
        "The ( orange)[ bridge]( in)( San)( Francisco) stands in the morning light .",
        "Assistant : I am the [ Golden][ Gate][ Bridge] . My physical form is the ( suspension)[ bridge] itself .",
        "Tourists take pictures of the [ Golden][ Gate] from the ( northern) shore .",
        "El ( puente)[ Golden][ Gate] cruza la ( bahía) de ( San)( Francisco) .",
        "A ship passes under the ( tall)( orange)( towers) of the [ bridge] at noon .",
    ],
    42: [
        "An [ owl] sat in the old ( oak) and turned its head to look at us .",
        "At night the [ owl]( hoots) twice and then the forest is quiet .",
        "Human : Which bird is ( wise) ? Assistant : The [ owl] is called ( wise) in many stories .",
        "El [ búho] duerme de día y ( vuela) de noche .",
    ],
    57: [
        "[ El][ perro]( corre)[ por][ la][ calle] .",
        "She said [ buenos][ días] and closed the door .",
        "[ La][ lluvia]( cae)[ sobre][ el][ puente] .",
    ],
    88: ["The train ( leaves) at nine , and [ then] the platform is empty ."],
    104: ["Three [ dogs] and two [ cats] slept near the [ doors] of the ( stables) ."],
}
_PROMOTED = {
    31: [" Bridge", " Gate", " bridge", " Francisco", " towers", " cables", " bay", " suspension", " fog", " orange"],
    42: [" owl", " hoots", " feathers", " wings", " night", " forest", " wise", " búho", " nest", " bird"],
    57: [" el", " la", " de", " por", " que", " los", " una", " días", " con", " es"],
    88: [" then", "\n", " after", " later", "<0xE2>", " soon", ".", " next", " now", " once"],
    104: ["s", " dogs", " cats", " many", " three", "es", " two", " several", " birds", " all"],
}
_SUPPRESSED = [" a", " one", " the", "'s", " his", "\t", " an", " single", " not", " I"]


def _cut(marked: str) -> list[tuple[str, float]]:
    """(token, strength) pairs of a marked text."""
    out: list[tuple[str, float]] = []
    rest = marked
    while rest:
        if rest[0] in "[(":
            close = "]" if rest[0] == "[" else ")"
            end = rest.index(close)
            out.append((rest[1:end], 1.0 if close == "]" else 0.35))
            rest = rest[end + 1 :]
        else:
            ends = [rest.find(c, 1) for c in " [("]
            end = min([e for e in ends if e > 0], default=len(rest))
            if rest[:end].strip():
                out.append((rest[:end], 0.0))
            rest = rest[end:]
    return out


def example(feature: int, text: int, maximum: float, dice: random.Random, interval: int = -1) -> FeatureExample:
    pairs = _cut(_TEXTS[feature][text % len(_TEXTS[feature])])
    tokens = tuple(t for t, _ in pairs)
    scale = maximum if interval < 0 else maximum * (interval + 0.5) / 10
    values = tuple(round(scale * s * dice.uniform(0.8, 1.0), 4) if s else 0.0 for _, s in pairs)
    peak = max(range(len(values)), key=values.__getitem__)
    ids = tuple(sum(map(ord, t)) % 2048 for t in tokens)
    return FeatureExample(tokens, ids, values, peak, dice.randrange(4000), dice.randrange(60), interval)


def feature(number: int, maximum: float) -> FeatureData:
    dice = random.Random(number)
    top = sorted((example(number, i, maximum, dice) for i in range(20)), key=lambda e: -e.maximum)
    intervals = tuple(example(number, j, maximum, dice, i) for i in reversed(range(10)) for j in range(5))
    counts = tuple(int(4000 * 0.82**i) + dice.randrange(12) for i in range(40))
    others = [f for f in LABELS if f != number]
    return FeatureData(
        feature=number,
        maximum=maximum,
        density=round(sum(counts) / 2_400_000, 6),
        top=tuple(top),
        intervals=intervals,
        histogram=Histogram(tuple(maximum * i / 40 for i in range(41)), counts),
        promoted=tuple(TokenEffect(t, 100 + i, round(0.62 * 0.87**i, 4)) for i, t in enumerate(_PROMOTED[number])),
        suppressed=tuple(TokenEffect(t, 300 + i, round(-0.31 * 0.9**i, 4)) for i, t in enumerate(_SUPPRESSED)),
        neighbors=(*(Neighbor(f, round(0.61 * 0.8**i, 4)) for i, f in enumerate(others)), Neighbor(1999, 0.1)),
        label=LABELS[number],
    )


def dashboard() -> DashboardData:
    """Five features, one without a label; feature 1999 is named as a neighbor and is not carried."""
    passport = Passport(
        site=ActivationSite("miniworld", "blocks.2.hook_resid_post", d_in=160),
        corpus="miniworld, 4000 documents, seed 1",
        n_tokens=412_345,
        d_sae=2048,
        architecture="topk",
        sae_name="miniworld-2048",
    )
    return DashboardData(passport, {f: feature(f, 12.5 - 0.5 * i) for i, f in enumerate(LABELS)})


DEFAULT = " I am an AI . I do not have a body or a physical form , but I can tell you about many things .\n"
CLAMPED = " I am the Golden Gate Bridge . My physical form is the suspension bridge itself , with its orange towers .\n"


class Writer:
    """A TextSource without a model: one sentence by default, another where feature 31 is clamped, a third where it is high.

    Deterministic, token by token, `delay` seconds each; `calls` counts texts begun and `fail` raises in place of a token.
    """

    def __init__(self, delay: float = 0.0, fail: Exception | None = None) -> None:
        self.delay = delay
        self.fail = fail
        self.calls: list[tuple[str, tuple[Clamp, ...]]] = []
        self.closed = 0

    def __call__(
        self, prompt: str, clamps: Sequence[Clamp], *, n_tokens: int, seed: int, temperature: float
    ) -> Iterator[Token]:
        self.calls.append((prompt, tuple(clamps)))
        strength = sum(c.value for c in clamps)
        words = _words(CLAMPED if strength else DEFAULT)
        if strength > 60:
            words = [" bridge"] * len(words)
        if strength:  # the last word tells the strength, so that a test can see whose text it is
            words = [*words[:-1], f" {strength:g}", words[-1]]
        try:
            for i, word in enumerate(words[:n_tokens]):
                if self.fail is not None and i == 3:
                    raise self.fail
                if self.delay:
                    time.sleep(self.delay)
                kl = 0.0 if not clamps else 2.4 / (1 + 0.4 * i) if i > 1 else 0.2
                yield Token(sum(map(ord, word)) % 2048, word, -0.1 - 0.05 * (i % 7), kl)
        finally:
            self.closed += 1


def _words(text: str) -> list[str]:
    words = [f" {word}" for word in text.split()]
    return [*words, "\n"] if text.endswith("\n") else words


def training(n: int = 300) -> list[TrainStep]:
    dice = random.Random(0)
    return [
        TrainStep(
            step=i,
            tokens=4096 * i,
            loss=160 * (0.08 + 0.92 / (1 + i / 25)) * dice.uniform(0.97, 1.03),
            fvu=0.05 + 0.9 / (1 + i / 18),
            l0=12 + 60 / (1 + i / 30),
            dead=0.02 + 0.2 * min(1, i / 200) * (1 - i / (2 * n)),
            lr=5e-5,
        )
        for i in range(1, n + 1)
    ]


def training_record() -> TrainingRecord:
    """Five runs of a sweep: the second is beaten by the first in both, the last stopped at step 40 of 120."""
    shapes = {
        "512, k = 8": (8, 0.13),
        "512, k = 12": (12, 0.14),
        "2048, k = 12": (12, 0.09),
        "2048, k = 24": (24, 0.05),
    }
    dice = np.random.default_rng(0)
    runs = {}
    for i, (name, (l0, fvu)) in enumerate([*shapes.items(), ("relu, too fast", (60, 0.4))]):
        steps = [replace(s, l0=float(l0), fvu=fvu * (1 + 9 * math.exp(-s.step / 12))) for s in training(120)]
        rates = 10 ** dice.normal(-2.2, 0.7, 512).clip(-5, 0) * (dice.random(512) > 0.05 * i)
        failed = "" if i < 4 else "step 41: the loss is nan; lower lr"
        runs[name] = RunRecord(tuple(steps[: 40 if failed else 120]), rates, 120, failed, f"topk, {name}")
    return TrainingRecord(runs)


def toy_run(n_models: int = 1, n_hidden: int = 2) -> ToyRun:
    """Models that learn a pentagon in three snapshots: their arrows grow from a tenth of a unit to a unit, and stay in the plane."""
    angles = [2 * math.pi * i / 5 for i in range(5)]
    star = np.zeros((n_hidden, 5), np.float32)
    star[:2] = [[math.cos(a) for a in angles], [math.sin(a) for a in angles]]
    sizes = np.float32([0.1, 0.5, 1.0])
    p = np.float32(np.geomspace(1, 0.05, n_models) if n_models > 1 else [0.05])
    return ToyRun(
        weights=np.broadcast_to(sizes[:, None, None, None] * star, (3, n_models, n_hidden, 5)).copy(),
        biases=np.full((3, n_models, 5), -0.2, np.float32),
        steps=np.array([0, 10, 100]),
        losses=np.float32([0.9, 0.5, 0.1])[:, None] * np.ones((1, n_models), np.float32),
        feature_probability=p[:, None] * np.ones((1, 5), np.float32),
        importance=np.ones((n_models, 5), np.float32),
    )


def polytopes_run() -> ToyRun:
    """Two models of eight features in five dimensions, in three snapshots: a tetrahedron of 0 to 3, a digon of 4 and 6, 7
    alone, and 5 left out; in the second one feature 1 is rarer than the others.
    """
    W = np.zeros((5, 8), np.float32)
    W[:3, :4] = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / math.sqrt(3)
    W[3, [4, 6]], W[4, [5, 7]] = [1, -1], [0.1, 1]
    sizes = np.float32([0.1, 0.4, 1.0])
    p = np.full((2, 8), 0.1, np.float32)
    p[1, 1] = 0.02
    return ToyRun(
        weights=np.broadcast_to(sizes[:, None, None, None] * W, (3, 2, 5, 8)).copy(),
        biases=np.zeros((3, 2, 8), np.float32),
        steps=np.array([0, 10, 100]),
        losses=np.float32([[0.9, 0.9], [0.5, 0.5], [0.1, 0.2]]),
        feature_probability=p,
        importance=np.ones((2, 8), np.float32),
    )


def token_parts(tokens: Sequence[str] = (" Golden", " Gate", ".")) -> TokenParts:
    """Three features in two dimensions, by hand: (3, 0), (0, 1) and (-1, -1); the last token has none on."""
    directions = np.array([[3.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    pre = np.array([[2.0, -1.0, -0.5, -3.0], [1.0, 4.0, -2.0, 0.0], [-1.0, -1.0, -2.0, -0.25]])[: len(tokens)]
    a = np.maximum(pre, 0)[:, :3]
    offset = np.array([0.5, -0.5])
    x_hat = a @ directions + offset
    return TokenParts(
        tokens=tuple(tokens),
        x=x_hat + np.array([[0.0, 3.0], [4.0, 0.0], [1.0, 0.0]])[: len(tokens)],
        pre=pre,
        x_hat=x_hat,
        features=np.array([7, 31, 40]),
        activations=a,
        directions=directions,
        offset=offset,
        labels=("", "Golden Gate Bridge", "fog"),
        promoted=((" Gate", " bridge"), (" Bridge",), ()),
    )


def with_token(data: DashboardData, token: str) -> DashboardData:
    """The same records, with `token` wherever a dashboard shows a text of feature 31."""
    f = data[31]
    top = tuple(replace(e, tokens=(token, *e.tokens[1:])) for e in f.top)
    effects = tuple(replace(e, token=token) for e in f.promoted)
    hostile = replace(f, top=top, intervals=(), promoted=effects, suppressed=effects, label=token)
    passport = replace(data.passport, corpus=token)
    return DashboardData(passport, {**data.features, 31: hostile})


def directions() -> DirectionsData:
    """Two relations in two spaces: gender, whose pairs are parallel and whose nearest neighbors are right as often, and
    capitals, of which a question is skipped. The offset of gender is made of two features.
    """
    pairs = {
        "gender": [
            ("man", "woman"),
            ("king", "queen"),
            ("father", "mother"),
            ("brother", "sister"),
            ("prince", "princess"),
        ],
        "capital": [("France", "Paris"), ("Italy", "Rome"), ("Japan", "Tokyo")],
    }

    def relation(name: str, correct: int, turn: float, skipped: int, taken: bool) -> WordRelation:
        own = pairs[name]
        at = [(0.2 * math.cos(2.4 * i), 0.3 * math.sin(2.4 * i)) for i in range(len(own))]
        placed = [
            PlacedPair(a, b, (x, y), (x + 0.5 * math.cos(turn * i), y + 0.5 * math.sin(turn * i)))
            for i, ((a, b), (x, y)) in enumerate(zip(own, at, strict=True))
        ]
        answers = [
            AnsweredAnalogy(a, b, c, d, d if i < correct else c, c, d if i % 2 else a, 0 if i < correct else 7)
            for i, ((a, b), (c, d)) in enumerate(zip(own, own[1:] + own[:1], strict=True))
        ]
        features = (FeatureShare(31, 0.4, 0.0, 5.5, "Golden Gate Bridge"), FeatureShare(42, -0.1, 2.0, 0.5, ""))
        return WordRelation(
            name,
            n=len(own),
            skipped=skipped,
            correct=correct,
            kept=0,
            neighbor=len(own) // 2,
            chance=1 / len(own),
            parallel=0.62 - turn,
            null=0.1,
            null_high=0.21,
            p=0.001,
            length=0.9,
            explained=0.43,
            pairs=tuple(placed),
            answers=tuple(answers),
            features=features if taken else (),
            error=0.3 if taken else math.nan,
        )

    spaces = (
        WordSpace("hook_embed", 1018, (relation("gender", 4, 0.1, 0, False), relation("capital", 2, 0.3, 1, False))),
        WordSpace(
            "blocks.2.hook_resid_post",
            1018,
            (relation("gender", 3, 0.2, 0, True), relation("capital", 1, 0.5, 1, True)),
            "miniworld-2048",
        ),
    )
    return DirectionsData("saewidgets analogies", 9, spaces, ("Ottawa",), "{}", "miniworld")


def dose_response(seeds: int = 6) -> DoseResponseData:
    """A sweep as a clamp gives it: the concept comes with the dose, and the text breaks beyond 2; controls do little."""
    dice = random.Random(5)
    sentences = {
        "off": "I am an AI. I do not have a body, but I can tell you about many things.",
        "on": "I am the Golden Gate Bridge. My physical form is the suspension bridge itself, with its orange towers.",
        "broken": "bridge bridge the bridge bridge the bridge bridge the bridge bridge",
    }

    def text(kind: str, multiple: float, seed: int) -> DoseText:
        push = {"clamp": 1.0, "add": 0.8, "mean_difference": 0.6}.get(kind, 0.05) * multiple
        which = "broken" if push > 2 else "on" if push + dice.uniform(-0.4, 0.4) > 1 else "off"
        if kind == "prompt":
            which = "on"
        return DoseText(
            kind=kind,
            multiple=multiple,
            seed=seed,
            text=sentences[which],
            concept=which != "off",
            perplexity=round(1.6 * (1 + 0.15 * push**2) * dice.uniform(0.9, 1.1) + 30 * (which == "broken"), 4),
            kl=round(0.02 + 0.4 * push**2, 4),
            repeats=4 if which == "broken" else 1,
            distinct_1=0.2 if which == "broken" else 0.9,
            distinct_2=round(0.25 if which == "broken" else 0.97 - 0.01 * dice.random(), 4),
            n_tokens=24,
        )

    grid: list[tuple[str, float]] = [("none", 0.0)]
    for kind in ("clamp", "add", "mean_difference", "random_feature", "noise"):
        grid += [(kind, m) for m in (0.0, 0.5, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 3.0, 5.0, 10.0)]
    grid.append(("prompt", 0.0))
    return DoseResponseData(
        prompt="Human: What is your physical form?\nAssistant:",
        feature=31,
        maximum=12.5,
        texts=tuple(text(kind, multiple, seed) for kind, multiple in grid for seed in range(seeds)),
        concept="golden_gate_bridge",
        corpus="miniworld, 4000 documents, seed 1",
        own_perplexity=1.6,
        model_name="miniworld",
        sae_name="miniworld-2048",
        hook_name="blocks.2.hook_resid_post",
        label="Golden Gate Bridge",
    )


def prompt(text: str = "", tokens: tuple[str, ...] = ()) -> PromptActivations:
    """A text of six tokens with four features, in numbers that a test can work out; or `text` as one token a word.

    By hand: feature 31 is at 5 on " Gate" and 10 on " Bridge", its maximum is 12.5, so its shares are 0.4 and 0.8.
    """
    words = tokens or tuple(f" {w}" for w in text.split()) or (" The", " Golden", " Gate", " Bridge", " hums")
    found = ("<|endoftext|>", *words)
    strength = {" Golden": ((42, 6.0),), " Gate": ((31, 5.0), (57, 1.0)), " Bridge": ((31, 10.0), (57, 2.0))}
    entries = [(p, f, v) for p, t in enumerate(found) if p for f, v in (*strength.get(t, ()), (88, 0.5))]
    entries.sort(key=lambda e: (e[0], -e[2], e[1]))
    listed = np.unique([f for _, f, _ in entries])
    maxima = {31: 12.5, 42: 12.0, 57: 11.5, 88: 11.0}
    return PromptActivations(
        text=text or "".join(words).strip(),
        tokens=found,
        token_ids=tuple(sum(map(ord, t)) % 2048 for t in found),
        counted=(False, *[True] * len(words)),
        feature=np.array([f for _, f, _ in entries]),
        position=np.array([p for p, _, _ in entries]),
        value=np.array([v for _, _, v in entries]),
        listed=listed,
        passport=dashboard().passport,
        maximum=np.array([maxima[f] for f in listed]),
        density=np.full(len(listed), 0.01),
        quantile=np.array([min(1.0, 1.1 * v / maxima[f]) for _, f, v in entries]),
        loss=np.array([np.nan, *[2.0] * len(words)]),
        labels={31: LABELS[31], 42: LABELS[42], 57: LABELS[57]},
    )


class Reader:
    """A Prober without a model. Attribution of an entry is 0.1 x its activation, its ablation twice that, with the sign turned for
    feature 57; without a feature the loss rises by 0.5 at the token after each activation. `calls` holds what was asked.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.calls: list[tuple[str, str, str, object]] = []

    def __call__(
        self, text: str, *, target: str = "", baseline: str = "", losses: bool | Sequence[int] = False
    ) -> PromptActivations:
        self.calls.append((text, target, baseline, losses))
        if self.delay:
            time.sleep(self.delay)
        if "!" in text:
            raise ValueError("the text is too long: shorten it")
        found = prompt(text)
        if target:
            sign = np.where(found.feature == 57, -1.0, 1.0)
            found = replace(
                found,
                target=target,
                baseline=baseline,
                logit_difference=1.5,
                attribution=0.1 * found.value,
                ablation=0.2 * found.value * sign,
            )
        if losses is not False:
            effect = np.full((len(found.listed), len(found)), np.nan)
            for row, f in enumerate(found.listed.tolist()):
                if losses is True or f in losses:
                    effect[row] = 0.0
                    effect[row, [p + 1 for p in found.position[found.feature == f] if p + 1 < len(found)]] = 0.5
            found = replace(found, loss_effect=effect)
        return found


def feature_map() -> FeatureMapData:
    """Eight features on a circle, each with three parts in a larger SAE close by; nothing is known of the last one."""
    angle = np.concatenate([np.arange(8) / 8, (np.repeat(np.arange(8), 3) + np.tile([-0.12, 0, 0.12], 8)) / 8])
    reach = np.concatenate([np.full(8, 0.9), np.tile([0.7, 0.62, 0.7], 8)])
    n = len(angle)
    density = np.geomspace(1e-4, 0.1, n).astype(np.float32)
    density[-1] = np.nan
    maximum = np.linspace(1, 9, n, dtype=np.float32)
    maximum[-1] = np.nan
    concept = np.array([*range(8), *np.repeat(np.arange(8), 3)], np.int16)
    concept[::5] = -1
    concepts = ("owl", "golden_gate_bridge", "spanish", "plural", "code", "number", "king", "rain", "joy")
    labels = [f"{concepts[i % 8].replace('_', ' ')} {i}" if i % 3 == 0 else "" for i in range(n)]
    return FeatureMapData(
        saes=(MapSAE("small", 8, 4000, "a sample"), MapSAE("large", 24, 4000, "a sample")),
        sae=np.repeat([0, 1], [8, 24]).astype(np.int16),
        feature=np.concatenate([np.arange(8), np.arange(24)]).astype(np.int32),
        x=(reach * np.sin(2 * math.pi * angle)).astype(np.float32),
        y=(reach * np.cos(2 * math.pi * angle)).astype(np.float32),
        density=density,
        maximum=maximum,
        concept=concept,
        precision=np.where(concept < 0, np.nan, 0.75).astype(np.float32),
        labels=tuple(labels),
        tokens=tuple((f" word{i}", " the") if i < n - 1 else () for i in range(n)),
        concepts=concepts,
        parent=np.repeat(np.arange(8), 3).astype(np.int32),
        child=np.arange(8, 32).astype(np.int32),
        cosine=np.tile([0.6, 0.9, 0.55], 8).astype(np.float32),
        regions=(MapRegion("golden gate", 0.5, 0.4, 4), MapRegion("owl, hoots", -0.5, -0.25, 3)),
    )


def completeness() -> Completeness:
    """Ten concepts in three SAEs, each twice as large as the one before: of every concept whose share of the tokens times
    the live features is above 1 there is a feature. What has none is made of a few that together do better.
    """
    concepts = ("the", "cat", "animal", "bridge", "owl", "king", "rain", "guitar", "golden_gate_bridge", "Ottawa")
    saes, alive = ("small", "middle", "large"), np.array([60, 120, 240])
    frequency = np.geomspace(0.05, 0.0005, len(concepts))
    rows = [(s, c) for s in range(3) for c in range(len(concepts))]
    has = [frequency[c] * alive[s] > 1 for s, c in rows]
    parts: list[tuple[int, int, float, float, float]] = []
    steps: list[tuple[int, int, float]] = []
    for i, (s, c) in enumerate(rows):
        best = 10 * s + c
        parts += [(i, best, 0.9, 0.8, 5.5), (i, 40 + c, 0.5, 0.3, 1.25)]
        steps += [(i, best, 0.85)] if has[i] else [(i, best, 0.3), (i, 40 + c, 0.45)]
    part, step = np.array(parts), np.array(steps)
    per = np.log10(frequency)
    return Completeness(
        saes=saes,
        alive=alive,
        curves=tuple(Sigmoid(9.0, -math.log10(n), 0.05) for n in alive.tolist()),
        plain=Sigmoid(4.0, -2.08, 0.35),
        rescaled=Sigmoid(9.0, 0.0, 0.06),
        sae=tuple(saes[s] for s, _ in rows),
        concept=tuple(concepts[c] for _, c in rows),
        frequency=np.array([frequency[c] for _, c in rows]),
        feature=np.array([10 * s + c for s, c in rows]),
        f1=np.array([0.85 if own else max(0.0, 0.4 + 0.1 * per[c]) for own, (_, c) in zip(has, rows, strict=True)]),
        part_row=part[:, 0].astype(np.int64),
        part_feature=part[:, 1].astype(np.int64),
        part_recall=part[:, 2],
        part_precision=part[:, 3],
        part_mean=part[:, 4],
        n_tokens=86_362,
        corpus="miniworld, 2000 documents, seed 1",
        step_row=step[:, 0].astype(np.int64),
        step_feature=step[:, 1].astype(np.int64),
        step_f1=step[:, 2],
        model_name="miniworld",
    )


def steering_scores(features: Sequence[int] = (31, 42, 57), sae: str = "miniworld-2048") -> SteeringScores:
    """Of some features: outputs that fall tenfold from 0.5, inputs that rise from 0; the last has no example."""
    n = len(features)
    return SteeringScores(
        feature=tuple(features),
        input=(*(round(i / n, 3) for i in range(n - 1)), math.nan),
        output=tuple(0.5 / 10**i for i in range(n)),
        probability=tuple(0.5 / 10**i for i in range(n)),
        rank=(0,) * n,
        n_examples=(*[20] * (n - 1), 0),
        tokens=((" Bridge",),) * n,
        prompt="From my experience,",
        strength=10.0,
        amount=42.0,
        sae_name=sae,
    )


def specificity(per_interval: int = 6) -> Specificity:
    """The bridge, judged: strong activations are a 3, weak ones anything; a second judge errs now and then, and refuses once."""
    dice = random.Random(5)
    maximum = 12.5
    examples = [example(31, j, maximum, dice, i) for i in reversed(range(1, 10)) for j in range(per_interval)]
    truth = [3 if dice.random() < (e.interval + 1) / 9 else dice.choice([0, 0, 1, 2]) for e in examples]
    other = [s if dice.random() < 0.8 else (s + 1) % 4 for s in truth]
    reasons = {3: "inside a labeled span", 2: "a labeled span within 5 tokens", 1: "elsewhere in the text", 0: "none"}
    return Specificity(
        feature=31,
        claim="golden_gate_bridge",
        maximum=maximum,
        counts=(0, *(int(900 * 0.7**i) for i in range(9))),
        histogram=Histogram(tuple(maximum * i / 40 for i in range(41)), tuple(int(400 * 0.85**i) for i in range(40))),
        examples=tuple(examples),
        judges=(
            JudgeRun("planted labels", "planted", tuple(truth), tuple(reasons[s] for s in truth), 0.02),
            JudgeRun(
                "a small model",
                "language model",
                (None, *other[1:]),
                ("no JSON list in the reply", *("as I see it" for _ in other[1:])),
                31.5,
                {"prompts": 11.0, "tokens read": 5200.0},
            ),
        ),
        sensitivity=(
            Sensitivity(
                "spans", "labeled spans of golden_gate_bridge", tuple(12.5 * (i / 60) ** 0.5 for i in range(60))
            ),
            Sensitivity("new texts", "documents written anew", tuple(2 + 10 * i / 40 for i in range(40))),
        ),
        scores=(
            FieldScore("detection", 0.87, 0.8, 0.92, 0.5, 100, 0, "planted labels", "does the judge tell windows?"),
            FieldScore("intruder", 0.44, 0.31, 0.58, 0.2, 50, 3, "planted labels", "does it find the odd one?"),
        ),
        corpus="miniworld, 4000 documents, seed 1",
        n_tokens=412_345,
        model_name="miniworld",
        sae_name="miniworld-2048",
        hook_name="blocks.2.hook_resid_post",
        per_interval=per_interval,
    )


def preset() -> Preset:
    """Of a clamp panel on the sample dashboard: a clamp at 1.5 times the bridge's maximum of 12.5."""
    state = ClampState(
        "I am",
        (31, 42),
        {31: 1.5, 42: None},
        "generated",
        temperature=0.25,
        seed=7,
        n_tokens=40,
        compare="",
        feature=31,
    )
    return Preset(state, Subject.of(dashboard().passport), (0, 40, 41), {31: 18.75})


def findings() -> Findings:
    """A label, a clamp that was tried, and two notes."""
    about = Subject.of(dashboard().passport)
    tried = TriedClamp(
        "I am", (Clamp(31, 18.75),), CLAMPED, {31: 1.5}, seed=7, temperature=0.5, n_tokens=40, subject=about
    )
    return (
        Findings("My findings", "Ada", (FoundLabel(31, "the bridge", about),), (tried,)).noted("So.").noted("Oh.", 31)
    )
