"""Records as the JSON that the instruments draw: one module per subject. It imports records and nothing else."""

from __future__ import annotations

from saewidgets.frontend.payloads.clamps import answer, measured, recorded, recording, stream
from saewidgets.frontend.payloads.completeness import completeness
from saewidgets.frontend.payloads.dialogues import spoken
from saewidgets.frontend.payloads.directions import directions
from saewidgets.frontend.payloads.doses import dose_key, dose_points, dose_texts
from saewidgets.frontend.payloads.features import about, examples_between, feature, index, passport
from saewidgets.frontend.payloads.grading import compared, grading
from saewidgets.frontend.payloads.map import map_points
from saewidgets.frontend.payloads.numbers import Pool, number, sendable, short
from saewidgets.frontend.payloads.prompts import prompt
from saewidgets.frontend.payloads.specificity import judged_examples, specificity_lab
from saewidgets.frontend.payloads.superposition import PhaseTheory, curves_picture, phases_picture, recovery_picture
from saewidgets.frontend.payloads.toys import toy_labels, toy_picture
from saewidgets.frontend.payloads.training import curve, density

__all__ = [
    "PhaseTheory",
    "Pool",
    "about",
    "answer",
    "compared",
    "completeness",
    "curve",
    "curves_picture",
    "density",
    "directions",
    "dose_key",
    "dose_points",
    "dose_texts",
    "examples_between",
    "feature",
    "grading",
    "index",
    "judged_examples",
    "map_points",
    "measured",
    "number",
    "passport",
    "phases_picture",
    "prompt",
    "recorded",
    "recording",
    "recovery_picture",
    "sendable",
    "short",
    "specificity_lab",
    "spoken",
    "stream",
    "toy_labels",
    "toy_picture",
]
