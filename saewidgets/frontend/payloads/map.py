"""A map of features as what the instrument draws: columns of numbers as bytes, texts once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from saewidgets.frontend.payloads.numbers import number, sendable
from saewidgets.records.candidates import SteeringScores
from saewidgets.records.map import FeatureMapData

N_TOKENS = 5


def map_points(data: FeatureMapData, scores: Sequence[SteeringScores] = ()) -> dict[str, Any]:
    """The columns, little-endian: place uint16 [2, point] (0 to 65535 for -1 to 1), sae uint8, feature int32, density,
    maximum and precision float32 (nan where unknown), concept int16; tokens int32 [point, N_TOKENS], indices into
    `words`, -1 for none; cluster and order int32; links parent and child int32, cosine float32. `labels` holds those
    that are not empty, by point; `regions` are [name, x, y, number of features], the best named first. With `scores`,
    of SAEs of the map, output and input float32 (nan where unknown).
    """
    words: dict[str, int] = {}
    table = np.full((len(data), N_TOKENS), -1, "<i4")
    for i, tokens in enumerate(data.tokens):
        for j, token in enumerate(tokens[:N_TOKENS]):
            table[i, j] = words.setdefault(token, len(words))
    place = np.round((np.stack([data.x, data.y]).astype(np.float64).clip(-1, 1) + 1) * 32767.5)
    told = {name: data.scored(scores, name).astype("<f4").tobytes() for name in ("output", "input") if scores}
    return told | {
        "n": len(data),
        "saes": [{"name": sendable(s.name), "d_sae": s.d_sae} for s in data.saes],
        "place": place.astype("<u2").tobytes(),
        "sae": data.sae.astype(np.uint8).tobytes(),
        "feature": data.feature.astype("<i4").tobytes(),
        "density": data.density.astype("<f4").tobytes(),
        "maximum": data.maximum.astype("<f4").tobytes(),
        "precision": data.precision.astype("<f4").tobytes(),
        "concept": data.concept.astype("<i2").tobytes(),
        "cluster": data.cluster.astype("<i4").tobytes(),
        "order": data.order.astype("<i4").tobytes(),
        "concepts": sendable(list(data.concepts)),
        "labels": {str(i): sendable(text) for i, text in enumerate(data.labels) if text},
        "tokens": table.tobytes(),
        "words": sendable(list(words)),
        "parent": data.parent.astype("<i4").tobytes(),
        "child": data.child.astype("<i4").tobytes(),
        "cosine": data.cosine.astype("<f4").tobytes(),
        "threshold": number(data.threshold),
        "regions": [[sendable(region.name), number(region.x), number(region.y), region.n] for region in data.regions],
    }
