"""Which clamp makes the bundled model speak as each concept, as it was measured (`saewidgets.pretrain.clamps`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from saewidgets.files import read_json
from saewidgets.records import MeasuredClamps, typed

SAES_FOLDER = Path(__file__).parent / "saes"
CLAMPS_FILE = Path(__file__).parent / "clamps.json"


@cache
def load_clamps() -> MeasuredClamps:
    """The measured clamps of the bundled SAEs: a mapping from concepts to their `MeasuredClamp`, with the prompt and
    the bounds.

    Raises LoadError where the file is missing or broken.

    Example:
        >>> clamps = load_clamps()
        >>> entry = clamps["golden_gate_bridge"]
        >>> entry.sae, entry.feature, entry.multiple, entry.window
        ('miniworld-2048', 96, 1.35, (1.2, 1.7))
        >>> clamps.prompt
        'Human: What is your physical form?\\nAssistant:'
    """
    data = read_json(CLAMPS_FILE)
    with typed.refusing(CLAMPS_FILE):
        return MeasuredClamps.from_dict(data)
