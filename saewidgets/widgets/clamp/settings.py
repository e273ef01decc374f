"""What a person can turn in a clamp panel, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from saewidgets.files import unknown
from saewidgets.miniworld import own_chat
from saewidgets.records import (
    OPENINGS,
    QUESTIONS,
    TEMPERATURE,
    Clamp,
    ClampRecording,
    DashboardData,
    Dialogue,
    Intervention,
    clamp_code,
)
from saewidgets.records.arguments import listed
from saewidgets.records.dialogues import prompt_of
from saewidgets.widgets._base import Instrument, present
from saewidgets.widgets._traits import PROMPT_JSON, SEEDS, PromptTrait, Real, Whole

MOST = 64  # answers that are kept
LARGEST = 1000.0  # multiples of the maximum that the exact box takes
SETTINGS = ("prompt", "features", "multiples", "scope", "temperature", "seed", "n_tokens", "compare")
Comparison = Callable[[Sequence[Clamp]], Sequence[Intervention]]  # clamps -> what is done in their place
STANDARD: dict[str, Any] = {"prompt": "", "scope": "all", "seed": 0, "temperature": TEMPERATURE, "n_tokens": 60}


def named_prompts(
    examples: Sequence[str | Dialogue] | Mapping[str, str | Dialogue],
) -> dict[str, str | Dialogue]:
    """{what a button says: the prompt that it sets}. A prompt without a name is its own, a dialogue is named by its last
    turn. TypeError for one that is neither.
    """
    named: dict[str, str | Dialogue] = (
        dict(examples)
        if isinstance(examples, Mapping)
        else {
            text.turns[-1].text if isinstance(text, Dialogue) else text: text
            for text in map(prompt_of, listed(examples, "examples", "'The cat'"))
        }
    )
    named = {name: prompt_of(prompt) for name, prompt in named.items()}
    for text in (*named, *(prompt for prompt in named.values() if not isinstance(prompt, Dialogue))):
        if not isinstance(text, str):
            raise TypeError(f"examples are texts, and {text!r:.60} was given, a {type(text).__name__}")
    return named


def offered(data: DashboardData) -> dict[str, str]:
    """{name: prompt} for a source that has none of its own: texts to continue, and before them, in the form that it
    knows, the questions to the bundled model. Another model's form only its source can tell, see `Steerer.examples`.
    """
    own = {question: prompt for question in QUESTIONS if (prompt := own_chat(data.passport.model_name, question))}
    return own | {text: text for text in OPENINGS}


def recorded_settings(recording: ClampRecording) -> dict[str, Any]:
    """The settings that a recording answers: its prompt, temperature and length, and the first of its seeds and scopes."""
    if not recording.generations:
        return STANDARD
    return {
        "prompt": recording.prompt,
        "scope": next(iter(recording.scopes), "all"),
        "seed": recording.seeds[0],
        "temperature": recording.temperature,
        "n_tokens": max(recording.n_tokens, 1),
    }


class Settings(Instrument):
    """The settings of a `ClampPanel`. Each refuses what it cannot stand for, whoever asks."""

    data: DashboardData
    comparisons: dict[str, Comparison]

    prompt = PromptTrait(help="The text to continue, or the dialogue to answer.").tag(sync=True, **PROMPT_JSON)
    features = traitlets.List(Whole(), help="The features that have a row, in order.").tag(sync=True)
    multiples: traitlets.Dict[Any, Any] = traitlets.Dict(
        help="{feature: multiple of its maximum}; None or absent is off, 0 ablates."
    ).tag(
        sync=True,
        to_json=lambda value, _: {str(k): v for k, v in value.items()},
        from_json=lambda value, _: {int(k): v for k, v in value.items()},
    )
    scope = traitlets.Union([Whole(), traitlets.Unicode()], default_value="all").tag(sync=True)
    temperature = Real(TEMPERATURE, help="0 takes the likeliest token each time.").tag(sync=True)
    seed = Whole(0, max=SEEDS).tag(sync=True)
    n_tokens = Whole(60, help="At most so many tokens are written.").tag(sync=True)
    compare = traitlets.Unicode("", help="What a third text is written under, one of `comparisons`; empty: none.").tag(
        sync=True
    )
    feature = Whole(None, allow_none=True, help="The selected feature.").tag(sync=True)
    n_answers = Whole(8, min=1, max=MOST, help="So many more answers are written at a time.").tag(sync=True)
    look_for = traitlets.Unicode(help="Words and phrases to look for in the answers, between commas.").tag(sync=True)
    logprobs = traitlets.Bool(False, help="Whether each token's log-probability is drawn.").tag(sync=True)

    @property
    def on(self) -> dict[int, float]:
        """{feature: multiple} of the rows that clamp, in the order of the rows; features that are off are not among
        them.
        """
        return {f: multiple for f in self.features if (multiple := self.multiples.get(f)) is not None}

    @property
    def clamps(self) -> tuple[Clamp, ...]:
        """The clamps that the sliders stand for, in SAE units; features that are off are not among them."""
        return tuple(Clamp(f, multiple * self.data[f].maximum, self.scope) for f, multiple in self.on.items())

    def to_code(self) -> str:
        """Python that writes the clamped text again, to paste in a cell."""
        passport = self.data.passport
        return clamp_code(
            self.prompt,
            self.clamps,
            n_tokens=self.n_tokens,
            seed=self.seed,
            temperature=self.temperature,
            model_name=passport.model_name,
            sae_name=passport.sae_name,
            weights=passport.weights,
        )

    @traitlets.validate("features")
    def _check_features(self, proposal: Any) -> list[int]:
        return list(dict.fromkeys(present(self.data, feature) for feature in proposal["value"]))

    @traitlets.validate("multiples")
    def _check_multiples(self, proposal: Any) -> dict[int, float | None]:
        for feature, multiple in proposal["value"].items():
            present(self.data, feature)
            if multiple is None:
                continue
            number = isinstance(multiple, (int, float)) and not isinstance(multiple, bool)
            if not (number and math.isfinite(multiple) and abs(multiple) <= LARGEST):
                raise traitlets.TraitError(
                    f"feature {feature}: a multiple must be a number from {-LARGEST:g} to {LARGEST:g}, not {multiple!r}"
                )
        return dict(proposal["value"])

    @traitlets.validate("scope")
    def _check_scope(self, proposal: Any) -> str | int:
        try:
            return Clamp(0, 0.0, proposal["value"]).scope
        except ValueError as error:  # it lists what is possible
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("compare")
    def _check_compare(self, proposal: Any) -> str:
        if proposal["value"] and proposal["value"] not in self.comparisons:
            raise traitlets.TraitError(unknown("comparison", proposal["value"], self.comparisons))
        return str(proposal["value"])

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal: Any) -> float:
        if not 0 <= proposal["value"] <= 10:
            raise traitlets.TraitError(f"the temperature must lie between 0 and 10, not {proposal['value']}")
        value: float = proposal["value"]
        return value

    @traitlets.validate("seed", "n_tokens")
    def _check_count(self, proposal: Any) -> int:
        name: str = proposal["trait"].name
        value: int = proposal["value"]
        low, high = (1, 2000) if name == "n_tokens" else (0, 2**63 - 1)
        if not low <= value <= high:
            raise traitlets.TraitError(f"{name} must lie between {low} and {high}, not {value}")
        return value
