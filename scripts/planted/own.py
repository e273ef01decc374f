"""Silent bugs that this package had itself, or could have again."""

from __future__ import annotations

from planted.kinds import Bug

BUGS: tuple[Bug, ...] = ()
