"""The course: the exercises of the notebooks, a checker that says what is wrong, hints, solutions, and who solved what.

`check("01.2", answer)` judges an answer by computing the right one itself; `hint("01.2")` and `solution("01.2")` help.
One module of `tables/` per notebook holds its exercises. Every sentence that a person reads is a template in one of those
modules, with its values apart, so that a translation can be looked up by the template.
"""

from saewidgets.course.checking import check, exercise, exercises, hint, solution
from saewidgets.course.exercise import Checked, Exercise, Note, Said, Wrong
from saewidgets.course.progress import progress_table, read_progress

__all__ = [
    "Checked",
    "Exercise",
    "Note",
    "Said",
    "Wrong",
    "check",
    "exercise",
    "exercises",
    "hint",
    "progress_table",
    "read_progress",
    "solution",
]
