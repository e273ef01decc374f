"""A training as a plain progress bar, for where no widget is wanted: a terminal, a script, a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from saewidgets.records import TrainStep

T = TypeVar("T", TrainStep, dict[str, TrainStep])


def progress(run: Iterable[T], *, total: int | None = None, **options: Any) -> Iterator[T]:
    """The steps of a run or a sweep, unchanged, with a tqdm bar that shows loss, FVU and L0 as it goes.

    Args:
        run: a `Run`, a `Sweep`, or any iterable of their steps. Of a sweep the bar shows FVU/L0 run by run.
        total: how many steps there will be; read off the run where it says so.
        options: for tqdm, e.g. `file`, `desc`, `disable`.

    Raises ImportError if tqdm is not installed (the extra `models` brings it).

    Example:
        >>> for step in progress(train(sae, store, config)):  # doctest: +SKIP
        ...     pass
        100%|██████████| 500/500 [00:12<00:00, 41.2it/s, loss=13.1, FVU=0.108, L0=12]
    """
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError('progress needs tqdm: pip install tqdm, or "saewidgets[models]"') from error
    if total is None:
        total = getattr(run, "steps", None) or getattr(getattr(run, "config", None), "steps", None)
    done = getattr(run, "step", 0)
    with tqdm(total=total, initial=done, **options) as bar:
        for step in run:
            bar.set_postfix(_postfix(step), refresh=False)
            bar.update()
            yield step


def _postfix(step: TrainStep | Mapping[str, TrainStep]) -> dict[str, str]:
    if isinstance(step, Mapping):
        return {name: f"{own.fvu:.3g}/{own.l0:.3g}" for name, own in step.items()}
    return {"loss": f"{step.loss:.4g}", "FVU": f"{step.fvu:.3g}", "L0": f"{step.l0:.3g}"}
