"""The names that a reader has given to features: one record, tied to the weights of the SAEs that they are of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from saewidgets.files import read_json, short, write_json
from saewidgets.records import typed

FORMAT = 1  # of the saved file; raised when an older reader would misread
MAX_BYTES = 16 << 20
LONGEST = 200  # characters of a label
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ReaderLabels:
    """What a reader calls features, by the digest of their SAE (`SAE.digest`), so that no label goes to another SAE's
    feature.

    Raises:
        ValueError: a digest that is not 64 hexadecimal digits, a negative feature, or a label that is empty, longer
            than 200 characters, or of more than one line.

    Example:
        >>> digest = "0f" * 32
        >>> mine = ReaderLabels().named(digest, 31, "bridges").named(digest, 42, " owls ")
        >>> mine.of(digest)
        {31: 'bridges', 42: 'owls'}
        >>> mine.named(digest, 31, "").of(digest)
        {42: 'owls'}
    """

    labels: Mapping[str, Mapping[int, str]] = field(default_factory=dict)  # digest of an SAE -> feature -> label

    def __post_init__(self) -> None:
        for sae, own in self.labels.items():
            if not _DIGEST.fullmatch(sae):
                raise ValueError(f"an SAE is named by its digest, 64 hexadecimal digits, not {short(sae)}")
            for feature, label in own.items():
                if feature < 0:
                    raise ValueError(f"a feature is a number from 0, not {feature}")
                check_label(feature, label)

    def __bool__(self) -> bool:
        return any(self.labels.values())

    def of(self, sae: str) -> dict[int, str]:
        """{feature: label} of the SAE with this digest, features ascending; {} where none was named."""
        return dict(sorted(self.labels.get(sae, {}).items()))

    def named(self, sae: str, feature: int, label: str) -> ReaderLabels:
        """These labels with one more, or another one, or, where `label` is empty, without that feature's."""
        own = self.of(sae)
        own.pop(feature, None)
        return self.replaced(sae, own | ({feature: label.strip()} if label.strip() else {}))

    def replaced(self, sae: str, own: Mapping[int, str]) -> ReaderLabels:
        """These labels with those of one SAE replaced by `own`; the other SAEs' stay."""
        others = {digest: dict(labels) for digest, labels in self.labels.items() if digest != sae}
        return ReaderLabels(others | ({sae: dict(sorted(own.items()))} if own else {}))

    def save(self, path: str | Path) -> None:
        """Write them as JSON."""
        labels = {sae: {str(feature): label for feature, label in self.of(sae).items()} for sae in sorted(self.labels)}
        write_json(path, {"format": FORMAT, "labels": labels}, indent=2)

    @classmethod
    def load(cls, path: str | Path) -> ReaderLabels:
        """The labels that `save` wrote. Raises LoadError where the file holds something else."""
        data = read_json(path, max_bytes=MAX_BYTES)
        with typed.refusing(path):
            typed.check_format(data, "a file of labels of", (FORMAT,))
            return typed.record(cls, {key: value for key, value in data.items() if key != "format"})


def check_label(feature: int, label: str) -> None:
    """Raise ValueError on a label that is empty, too long, or of more than one line."""
    if not label.strip() or len(label) > LONGEST or len(label.splitlines()) > 1:
        raise ValueError(f"feature {feature}: a label is one line of 1 to {LONGEST} characters, not {short(label)}")
