"""Which clamp makes the bundled model speak as each concept, as it was measured (`saewidgets.pretrain.clamps`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saewidgets.files import read_json

SAES_FOLDER = Path(__file__).parent / "saes"
CLAMPS_FILE = Path(__file__).parent / "clamps.json"


def load_clamps() -> dict[str, Any]:
    """The measured clamps of the bundled SAEs.

    Returns:
        {"prompt": the question asked, "temperature": of the sampling, "clamps": {concept: entry}}. An entry has `sae` (name of
        the SAE), `feature`, `label`, `maximum` (SAE units, over the corpus named in "corpus"), `multiple` (of the maximum: the
        best one), `window` ([lowest, highest] multiple that passes all three bounds), `concept_rate` (share of answers that
        mention the concept), `warmer_rate` (the same at temperature 0.8), `repeats` (most often that three words in a row
        stand in one answer), `perplexity_ratio` (to the model's own answer where such an answer is expected), `expected`
        (that prompt) and `example` (one answer).

    Raises LoadError where the file is missing or broken.
    """
    return read_json(CLAMPS_FILE)
