"""Chat models as something else: the subjects that a real chat model is made to speak as."""

from saewidgets.chat.subjects import Subject, more_subjects, subject, subjects

__all__ = ["Subject", "more_subjects", "subject", "subjects"]
