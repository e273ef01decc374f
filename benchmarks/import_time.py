"""How long `import saewidgets` takes in a fresh interpreter, beyond the start of Python itself. The target is under 0.3
s.

python benchmarks/import_time.py [runs]
"""

from __future__ import annotations

import subprocess
import sys
import time


def best(code: str, runs: int) -> float:
    """Seconds of the fastest of `runs` interpreters that run `code`."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    empty = best("pass", runs)
    for code in (
        "import saewidgets",
        "import saewidgets; saewidgets.DashboardData",
        "import saewidgets; saewidgets.load_model",
    ):
        print(f"{best(code, runs) - empty:6.3f} s  {code}")
