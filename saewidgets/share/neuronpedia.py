"""Feature dashboards as Neuronpedia takes them: JSON files, each the body of one request to its upload of features.

What it takes, and how much of it, is what its server checks (`/api/feature/upload-batch`, as of August 2026). A body
that breaks one of the rules is refused there as a whole, so each is checked here before anything is written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from saewidgets.bars import bar
from saewidgets.files import new_folder, short, write_json
from saewidgets.records import DashboardData, FeatureData, FeatureExample, TokenEffect
from saewidgets.records.arguments import expect, whole
from saewidgets.records.dashboards import FeatureSource, not_here

PER_BATCH = 128  # features in one request
MAX_INDEX = 10_000_000  # of a feature
MAX_LOGITS = 20  # tokens at each end
MAX_TOKENS = 1_024  # of one text
MAX_EXPLANATION = 512  # characters
MAX_QUANTILE = 99_999_999  # an activation that bounds an interval
_BLOCK = re.compile(r"blocks\.(\d+)\.")
_SOURCE = re.compile(r"(\d+|e)-[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class NeuronpediaBatches:
    """What `save_neuronpedia` wrote."""

    files: tuple[Path, ...]  # one request body each, in order
    features: tuple[int, ...]  # that are in them, ascending
    silent: tuple[int, ...]  # left out: they have no example of an activation, and Neuronpedia takes none without


def save_neuronpedia(
    data: DashboardData,
    folder: str | Path,
    *,
    model_id: str,
    source: str,
    features: Iterable[int] | None = None,
    per_batch: int = PER_BATCH,
    progress: bool = True,
) -> NeuronpediaBatches:
    """Write features into a new folder as `batch-0000.json` and so on, each a request to Neuronpedia's upload.

    Per feature: its index, its density, up to 20 tokens that it raises most and lowers most, its label as an
    explanation (`data.relabeled(selection.labels)` puts yours in), and its examples. Those of an activation interval
    have the interval's bounds as `quantileMin` and `quantileMax`, and as `quantileFraction` the share of the feature's
    activations inside, where its histogram tells; the top examples have none. Values are in SAE units. Tokens have
    their own text; where its bytes are no text by themselves, the text that the dashboard shows.

    Args:
        data: the records. Labels and examples are taken as they are.
        folder: must not be there yet; it appears whole or not at all.
        model_id: the model's on Neuronpedia, such as "gpt2-small".
        source: the SAE's on Neuronpedia, "[layer]-[source set]", such as "8-mine"; create the set there first.
        features: which of them; by default all that have an example of an activation.
        per_batch: features per file, 128 at most.
        progress: show a bar where it takes more than half a second.

    Raises:
        ValueError: what the schema does not hold (an id with capital letters, a source of another layer than the
            SAE's, a feature without an activation, a text of more than 1,024 tokens, a label of more than 512
            characters, a number that is not finite), or a feature that is not here; nothing is written then.
        FileExistsError: the folder is there already.

    Example:
        >>> data = sw.dashboard_data(model, sae, acts, features=[31, 42])
        >>> done = save_neuronpedia(data, "upload", model_id="miniworld", source="2-mine")
        >>> [path.name for path in done.files], done.features
        (['batch-0000.json'], (31, 42))
    """
    expect(data, DashboardData, "data", "save_neuronpedia", "give sw.dashboard_data(model, sae, acts)")
    _check_ids(data, model_id, source)
    per_batch = whole(per_batch, "per_batch", minimum=1, maximum=PER_BATCH)
    chosen = sorted(data.features) if features is None else sorted(set(features))
    for f in chosen:
        if f not in data.features:
            raise ValueError(not_here(f, data.features))
    written: list[int] = []
    silent: list[int] = []
    names: list[str] = []
    rows: list[dict[str, Any]] = []
    texts: dict[int, str] = {}
    with new_folder(folder) as inside, bar(len(chosen), "writing features", "features", progress=progress) as advance:

        def close() -> None:
            names.append(f"batch-{len(names):04d}.json")
            write_json(inside / names[-1], {"modelId": model_id, "source": source, "features": rows})
            rows.clear()

        for own in _records(data, chosen):
            if features is None and not (own.top or own.intervals):
                silent.append(own.feature)
            else:
                rows.append(_feature(own, data.token_bytes, texts))
                written.append(own.feature)
            if len(rows) == per_batch:
                close()
            advance(1)
        if rows:
            close()
        if not names:
            raise ValueError("there is nothing to upload: no feature here has an example of an activation")
    return NeuronpediaBatches(tuple(Path(folder) / name for name in names), tuple(written), tuple(silent))


def _records(data: DashboardData, chosen: Sequence[int]) -> Iterator[FeatureData]:
    """The records of some features, ascending; all of a source that makes them come a block at a time."""
    if isinstance(data.features, FeatureSource) and len(chosen) == len(data.features):
        yield from data.features.values()
    else:
        yield from (data.features[f] for f in chosen)


def _check_ids(data: DashboardData, model_id: str, source: str) -> None:
    for name, value, example in (("model_id", model_id, "gpt2-small"), ("source", source, "8-mine")):
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{name} must be a text such as {example!r}, not {short(value)}")
        if value != value.lower() or value != value.strip():
            raise ValueError(
                f"Neuronpedia's ids are in lower case: give {name}={value.strip().lower()!r}, not {value!r}"
            )
    if not _SOURCE.fullmatch(source):
        raise ValueError(f"source must be a layer and a source set, such as '8-mine', not {short(source)}")
    hook = data.passport.site.hook_name
    layer = _BLOCK.match(hook)
    if layer and source.partition("-")[0] != layer[1]:
        raise ValueError(
            f"source {source!r} is of layer {source.partition('-')[0]}, and this SAE reads {hook}: "
            f"give source={layer[1] + '-' + source.partition('-')[2]!r}"
        )


def _feature(own: FeatureData, raw: Mapping[int, str], texts: dict[int, str]) -> dict[str, Any]:
    """One feature as the schema has it. Raises ValueError, naming the feature, on what it does not hold."""
    where = f"feature {own.feature}"
    if not 0 <= own.feature <= MAX_INDEX:
        raise ValueError(f"{where}: Neuronpedia's numbers end at {MAX_INDEX:,}")
    if not 0 <= own.density <= 1:
        raise ValueError(f"{where}: its density is {own.density}, not a share from 0 to 1")
    if len(own.label) > MAX_EXPLANATION:
        raise ValueError(
            f"{where}: its label has {len(own.label):,} characters, and an explanation on Neuronpedia {MAX_EXPLANATION} at most"
        )
    if not (own.top or own.intervals):
        raise ValueError(
            f"{where} has no example of an activation, and Neuronpedia takes no feature without: leave it out"
        )
    bounds = _quantiles(own)
    return {
        "index": own.feature,
        "density": own.density,
        "topLogits": _logits(own.promoted, raw, texts, where),
        "bottomLogits": _logits(own.suppressed, raw, texts, where),
        "explanations": [{"text": own.label}] if own.label.strip() else [],
        "activations": [_activation(e, bounds.get(e.interval), raw, texts, where) for e in (*own.top, *own.intervals)],
    }


def _quantiles(own: FeatureData) -> dict[int, dict[str, float | None]]:
    """{interval: its bounds and its share of the activations}. The intervals are equal parts of [0, maximum], and the
    last one has examples, those at the maximum.
    """
    n = 1 + max((e.interval for e in own.intervals), default=-1)
    if n and not own.maximum <= MAX_QUANTILE:
        raise ValueError(
            f"feature {own.feature}: its maximum is {own.maximum:.4g}, and an interval on Neuronpedia ends at {MAX_QUANTILE:,}"
        )
    counts = own.histogram.counts
    each, rest = divmod(len(counts), max(n, 1))
    total = sum(counts)
    # The share is known where the bins, which are equal parts of [0, maximum] as well, end where the intervals do.
    edge = own.histogram.edges[-1] if own.histogram.edges else math.nan
    known = bool(each) and not rest and total > 0 and math.isclose(edge, own.maximum, rel_tol=1e-6)
    return {
        i: {
            "quantileMin": _number(own.maximum * i / n),
            "quantileMax": _number(own.maximum * (i + 1) / n),
            "quantileFraction": sum(counts[i * each : (i + 1) * each]) / total if known else None,
        }
        for i in range(n)
    }


def _activation(
    example: FeatureExample,
    bounds: Mapping[str, float | None] | None,
    raw: Mapping[int, str],
    texts: dict[int, str],
    where: str,
) -> dict[str, Any]:
    n = len(example.tokens)
    if n > MAX_TOKENS:
        raise ValueError(
            f"{where}: an example has {n:,} tokens, and a text on Neuronpedia {MAX_TOKENS:,} at most: "
            "make the records with a smaller window"
        )
    pairs = zip(example.token_ids, example.tokens, strict=True)
    return {
        "tokens": [_text(number, shown, raw, texts, where) for number, shown in pairs],
        "values": _finite(example.activations, f"{where}: an example holds an activation"),
        **(bounds or dict.fromkeys(("quantileMin", "quantileMax", "quantileFraction"))),
    }


def _logits(
    effects: Sequence[TokenEffect], raw: Mapping[int, str], texts: dict[int, str], where: str
) -> list[dict[str, Any]]:
    first = effects[:MAX_LOGITS]
    values = _finite([e.logit for e in first], f"{where}: an effect on a token is")
    return [
        {"token": _text(e.token_id, e.token, raw, texts, where), "value": value}
        for e, value in zip(first, values, strict=True)
    ]


def _text(number: int, shown: str, raw: Mapping[int, str], texts: dict[int, str], where: str) -> str:
    """A token's own text: what is shown of it may stand for other bytes."""
    if number in raw and number not in texts:
        try:
            texts[number] = bytes.fromhex(raw[number]).decode()
        except ValueError:  # half a character
            texts[number] = ""
    text = texts.get(number, "")
    text = shown if not text or "\0" in text else text  # a database of texts holds no NUL
    if not text or "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError(
            f"{where}: token {number} is shown as {short(shown)}, which Neuronpedia does not hold as a text"
        )
    return text


def _finite(values: Sequence[float], what: str) -> list[float]:
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{what} {value}, which is not finite")
    return [_number(value) for value in values]


def _number(value: float) -> float:
    """The shortest decimals that are the same float32: 3.9, not 3.9000000953674316."""
    return float(str(np.float32(value)))
