"""What stands beside toy models in the superposition lab: loss curves, a phase diagram, and what an SAE recovered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saewidgets.frontend.payloads.numbers import number, sendable, short
from saewidgets.records import PhaseDiagram

__all__ = ["PhaseTheory", "curves_picture", "phases_picture", "recovery_picture"]

COSINES = 20_000  # entries of a matrix that a page carries


def curves_picture(
    name: str,
    features: Sequence[int],
    settings: Sequence[float],
    found: Sequence[float],
    x: Sequence[float],
    losses: Mapping[str, np.ndarray],
    crossings: Sequence[tuple[float, float, str, str]],
    *,
    every: bool,
) -> dict[str, Any]:
    """What `instruments/superposition/curves.js` draws.

    Args:
        name: "density" or "importance", in which the models differ.
        features: those whose value varies.
        settings: the value of each model.
        found: the final loss of each model.
        x: of the curves, ascending.
        losses: solution -> loss at each x, NaN where it is none.
        crossings: (x, loss, cheaper below, cheaper above).
        every: whether `features` are all of them; then they are not named.
    """
    value: dict[str, Any] = sendable(
        {
            "name": name,
            "features": [] if every else [int(i) for i in features],
            "settings": [number(v) for v in settings],
            "found": [number(v) for v in found],
            "x": [short(v) for v in x],
            "lines": [{"name": key, "losses": [number(v) for v in row]} for key, row in losses.items()],
            "crossings": [
                {"x": number(at), "loss": number(loss), "below": below, "above": above}
                for at, loss, below, above in crossings
            ],
        }
    )
    return value


@dataclass(frozen=True, eq=False)
class PhaseTheory:
    """What theory says of a phase diagram's cells, see `analysis.toys.superposition_theory`."""

    phases: np.ndarray  # int64 [y, x]
    borders: np.ndarray  # float64 [piece, end, (x, y)]
    candidates: Mapping[str, np.ndarray]  # solution -> loss [y, x]


def phases_picture(
    diagram: PhaseDiagram, phases: np.ndarray, share: float, theory: PhaseTheory | None
) -> dict[str, Any]:
    """What `instruments/superposition/phases.js` draws: of each cell the model with the lowest loss.

    Args:
        diagram: as far as it is trained; models of a cell stand in the order of their losses.
        phases: int64 [y, x, model], the phase of the last feature in each model.
        share: of the training that is done, 0 to 1.
        theory: None where it does not cover the case.
    """
    best = diagram.of_best
    own = phases[:, :, 0]
    return {
        "share": number(share),
        "m": diagram.n_hidden,
        "n": int(diagram.features.max()),
        "models": diagram.n_models,
        "x": [number(v) for v in diagram.x],
        "y": [number(v) for v in diagram.y],
        "norms": _rows(best.norms),
        "shared": _rows(best.superposition),
        "losses": _rows(best.loss),
        "phases": own.tolist(),
        "same": (phases == own[:, :, None]).sum(-1).tolist(),
        "weights": [[[short(v) for v in cell.ravel()] for cell in row] for row in best.weights],
        "theory": [] if theory is None else theory.phases.tolist(),
        "borders": [] if theory is None else [[number(v) for v in piece.ravel()] for piece in theory.borders],
        "candidates": []
        if theory is None
        else [{"name": name, "losses": _rows(losses)} for name, losses in theory.candidates.items()],
        "agree": 0 if theory is None else int((theory.phases == own).sum()),
    }


def recovery_picture(
    *,
    model: int,
    busy: bool,
    share: float,
    found: float,
    features: np.ndarray,
    cosine: np.ndarray,
    match: np.ndarray,
    learned: np.ndarray,
    alive: np.ndarray,
    l0: float,
    fvu: float,
) -> dict[str, Any]:
    """What `instruments/superposition/recovery.js` draws.

    Args:
        model: of the picture, on whose hidden layer the SAE was trained.
        busy: whether it is being trained.
        share: of that training that is done, 0 to 1.
        found: the cosine from which a direction counts as found.
        features: int64 [true], the toy's features that are represented.
        cosine: [true, learned], -1 for those that are dead.
        match: int64 [true], the learned direction assigned to each, -1 for none.
        learned: [learned, n_hidden], each of length 1.
        alive: bool [learned].
        l0: mean number of active SAE features an input.
        fvu: share of the variance unexplained.
    """
    near = cosine >= found
    of = np.where(near.any(0), cosine.argmax(0), -1)
    best = cosine.max(1)
    matched = [float(cosine[i, k]) if k >= 0 else float("nan") for i, k in enumerate(match.tolist())]
    small = learned.shape[1] <= 3
    return {
        "model": model,
        "busy": busy,
        "share": number(share),
        "size": len(learned),
        "found": number(found),
        "features": features.tolist(),
        "match": match.tolist(),
        "matched": [number(v) for v in matched],
        "best": [number(v) for v in best],
        "of": of.tolist(),
        "alive": alive.tolist(),
        "learned": [[short(v) for v in row] for row in learned] if small else [],
        "cosines": [] if small or cosine.size > COSINES else [short(v) for v in cosine.ravel()],
        "missed": int((best < found).sum()),
        "split": int((near.sum(1) > 1).sum()),
        "mixtures": int((alive & ~near.any(0)).sum()),
        "dead": int((~alive).sum()),
        "l0": number(l0),
        "fvu": number(fvu),
    }


def _rows(values: np.ndarray) -> list[list[float | int | None]]:
    return [[number(v) for v in row] for row in values]
