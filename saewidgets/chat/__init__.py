"""Chat models as something else: the subjects that a real chat model is made to speak as, and what comes with the
package for it.
"""

from saewidgets.chat.bundled import (
    CLAMPS_FILE,
    DTYPE,
    MODEL,
    MODEL_NAME,
    SAES_FOLDER,
    TEXTS_FILE,
    OwnText,
    load_clamps,
    load_texts,
)
from saewidgets.chat.subjects import Subject, more_subjects, subject, subjects

__all__ = [
    "CLAMPS_FILE",
    "DTYPE",
    "MODEL",
    "MODEL_NAME",
    "SAES_FOLDER",
    "TEXTS_FILE",
    "OwnText",
    "Subject",
    "load_clamps",
    "load_texts",
    "more_subjects",
    "subject",
    "subjects",
]
