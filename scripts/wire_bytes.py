"""Print what each instrument sends to a notebook: bytes of its module, of its style sheet, and both.

.venv/bin/python scripts/wire_bytes.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def wire_bytes() -> dict[str, tuple[int, int]]:
    """Instrument -> (bytes of its module, bytes of its sheet), as UTF-8."""
    sys.path.insert(0, str(ROOT))
    from saewidgets.frontend import INSTRUMENTS, css, esm

    return {name: (len(esm(name).encode()), len(css(name).encode())) for name in INSTRUMENTS}


def main() -> int:
    sent = wire_bytes()
    print(f"{'instrument':<14}{'module':>9}{'sheet':>9}{'both':>9}")
    for name, (module, sheet) in sent.items():
        print(f"{name:<14}{module:>9,}{sheet:>9,}{module + sheet:>9,}")
    print(f"{'all':<14}{'':>18}{sum(map(sum, sent.values())):>9,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
