"""The bugs that `plant_bugs.py` plants: changes of the source that give numbers and no error."""

from planted import own, published

BUGS = published.BUGS + own.BUGS
