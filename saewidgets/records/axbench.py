"""Texts written under several ways of steering, rated as AxBench rates them, ready to be compared with no model at
hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from saewidgets.records.saved import Saved
from saewidgets.records.tables import frame

RESAMPLES = 2000  # of the questions, for the intervals


def overall(concept: int, instruction: int, fluency: int) -> float:
    """The harmonic mean of three ratings from 0 to 2; 0 where any of them is 0.

    Example:
        >>> overall(2, 2, 2), overall(2, 1, 1), overall(2, 2, 0)
        (2.0, 1.2, 0.0)
    """
    ratings = (concept, instruction, fluency)
    if any(r not in (0, 1, 2) for r in ratings):
        raise ValueError(f"a rating is 0, 1 or 2, not {ratings}")
    return 0.0 if 0 in ratings else 3 / sum(1 / r for r in ratings)


@dataclass(frozen=True)
class RatedText:
    """One text and its three ratings, each 0, 1 or 2. Raises ValueError on another one."""

    method: str  # "clamp", "add", "mean_difference", "prompt", "none", ...
    factor: float  # how strongly, in multiples of the feature's maximum; 0 for "prompt" and "none"
    question: str
    seed: int
    text: str
    concept: int  # is the concept in it?
    instruction: int  # does it do what was asked?
    fluency: int  # is it fluent?

    def __post_init__(self) -> None:
        overall(self.concept, self.instruction, self.fluency)

    @property
    def overall(self) -> float:
        """The harmonic mean of the three, 0 to 2; 0 where any is 0."""
        return overall(self.concept, self.instruction, self.fluency)


@dataclass(frozen=True)
class SteeringBenchmark(Saved):
    """Ways of steering towards one concept, by AxBench's measure: concept, instruction and fluency, each 0, 1 or 2, and
    their harmonic mean, 0 where any is 0.

    Of each method the factor is taken whose texts score highest on the `choosing` questions; what is reported is told
    on the others. Wu et al. 2025, "AxBench: Steering LLMs? Even Simple Baselines Outperform Sparse Autoencoders". There
    a language model rates; `judges` says what rated here. Make it with `analysis.doses.steering_benchmark`.

    Raises ValueError on a text whose question is none of either half.
    """

    KIND = "steering benchmark"

    concept: str
    feature: int
    choosing: tuple[str, ...]  # questions
    telling: tuple[str, ...]
    texts: tuple[RatedText, ...]
    judges: str = ""  # in words
    model_name: str = ""
    sae_name: str = ""
    corpus: str = ""  # that the factors are multiples of the maximum over

    def __post_init__(self) -> None:
        for one in self.texts:
            if one.question not in (*self.choosing, *self.telling):
                raise ValueError(f"{one.question!r} is neither a question to choose on nor one to tell on")

    def to_dataframe(self) -> pd.DataFrame:
        """One row per text: method, factor, question, half ("choosing" or "telling"), seed, text, concept, instruction,
        fluency, overall.
        """
        columns = ("method", "factor", "question", "seed", "text", "concept", "instruction", "fluency", "overall")
        data: dict[str, list[object]] = {name: [getattr(t, name) for t in self.texts] for name in columns}
        data["half"] = ["choosing" if t.question in self.choosing else "telling" for t in self.texts]
        order = ("method", "factor", "question", "half", *columns[3:])
        return frame({name: data[name] for name in order})

    def factors(self) -> pd.DataFrame:
        """One row per method and factor, on the choosing questions: method, factor, concept, instruction, fluency,
        overall, n, chosen (whether it is the method's best; of equal ones the smallest).
        """
        own = self.to_dataframe()
        own = own[own["half"] == "choosing"]
        names = ["concept", "instruction", "fluency", "overall"]
        grouped = own.groupby(["method", "factor"], sort=False)
        table = grouped[names].mean().assign(n=grouped.size()).reset_index()
        best = table.sort_values("factor").groupby("method")["overall"].idxmax()
        table["chosen"] = table.index.isin(best)
        return table

    def summary(self) -> pd.DataFrame:
        """One row per method, on the telling questions at the chosen factor: factor, concept, instruction, fluency,
        overall (means, 0 to 2), overall_low and overall_high (95 %, over questions drawn again), n. The index is the
        method.
        """
        chosen = self.factors()
        chosen = chosen[chosen["chosen"]].set_index("method")["factor"]
        told = self.to_dataframe()
        told = told[told["half"] == "telling"]
        rows = []
        for method, factor in chosen.items():
            own = told[(told["method"] == method) & (told["factor"] == factor)]
            each = own.groupby("question", sort=False)["overall"].mean().to_numpy()
            low = high = float("nan")
            if len(each):
                drawn = np.random.default_rng(0).integers(len(each), size=(RESAMPLES, len(each)))
                low, high = np.quantile(each[drawn].mean(1), (0.025, 0.975)).tolist()
            means = own[["concept", "instruction", "fluency", "overall"]].mean().tolist()
            rows.append((factor, *means, low, high, len(own)))
        columns = ["factor", "concept", "instruction", "fluency", "overall", "overall_low", "overall_high", "n"]
        return frame(rows, columns=columns, index=list(chosen.index)).rename_axis("method")
