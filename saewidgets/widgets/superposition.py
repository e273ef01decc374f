"""SuperpositionLab: a slider moves, many small models are trained, and the pictures of the best of them answer."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import traitlets

from saewidgets.analysis.toys import gallery, geometry
from saewidgets.frontend import css, esm, payloads
from saewidgets.records import ToyRun
from saewidgets.records.states import SuperpositionState
from saewidgets.widgets._base import Instrument
from saewidgets.widgets._live import Live, Ticket
from saewidgets.widgets._traits import Real, Whole

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DENSITIES = (1.0, 0.5, 0.3, 0.2, 0.14, 0.1, 0.07, 0.05)
INTERVAL = 0.08  # seconds between two updates of the pictures
VALUES = 250_000  # numbers that one picture may carry, 2 bytes each; snapshots are thinned to keep to it
WEIGHTS = 300_000  # of all models together, about: with larger models fewer are tried
LIVE_VALUES = 40_000  # while training, when several pictures a second are sent
RANGES = {
    "n_features": (1, 1000),
    "n_hidden": (1, 200),
    "importance_decay": (0.01, 1.0),
    "set_size": (1, 1000),
    "l1": (0.0, 10.0),
    "steps": (1, 100_000),
    "tries": (1, 100),
    "seed": (0, 2**31 - 1),
}
SETTINGS = (*RANGES, "densities", "relation", "activation", "hidden", "task")

Trainer = Callable[[Mapping[str, Any]], Iterator[ToyRun]]


def train(config: Mapping[str, Any]) -> Iterator[ToyRun]:
    """Train toy models and give the run so far several times a second, the finished one last.

    Args:
        config: the fields of `ToyConfig`, by name.

    Raises:
        ImportError: torch is not installed.
        ValueError: what `ToyConfig` refuses.
    """
    from saewidgets.toy import ToyConfig, train_toy

    training = train_toy(ToyConfig(**config))
    due = time.monotonic() + INTERVAL
    for _ in training:
        if time.monotonic() < due or training.done:
            continue
        began = time.monotonic()
        yield training.record()
        due = time.monotonic() + max(
            INTERVAL, 3 * (time.monotonic() - began)
        )  # looking takes a quarter of the time at most
    yield training.record()


@dataclass
class _Training:
    """One setting of the panel, being trained."""

    config: dict[str, Any]
    runs: Iterator[ToyRun] | None = None


class SuperpositionLab(Instrument):
    """Toy models of superposition (Elhage et al. 2022), trained anew whenever a slider moves.

        h = W x,  x' = ReLU(W^T h + b),  loss = sum_i importance_i (x_i - x'_i)^2

    For each density P(x_i != 0) several models are trained from different starts, all of them at once, and the one with the
    lowest loss is shown: its arrows (up to three dimensions), W^T W and bias, the lengths of its directions and how far others share
    them, the share of a dimension that each feature has, and its loss. A scrub bar goes back through the training.
    Every model is turned so that its first feature lies along the first axis, which changes nothing that it computes: pictures
    can be compared, and do not jump.

    Args:
        n_features: n.
        n_hidden: m, dimensions of the hidden space.
        run: a recorded `ToyRun` to show first; it opens without torch. Its own numbers replace the settings below.
        densities: P(x_i != 0) of the models side by side, one to eight.
        importance_decay: importance of feature i is this to the power i.
        relation: "independent", or features in sets that are "correlated" (on together) or "anticorrelated" (never).
        set_size: features in each such set, the first ones in the first.
        activation: of the read-out, "relu" or "linear".
        hidden: of the hidden layer, "linear" or "relu".
        task: "reconstruct" or "absolute", y = |x|.
        l1: weight of |h| in the loss.
        tries: models trained for each density; fewer where they are large.
        steps: of training.
        seed: of the starts and the inputs.
        train: (mapping of `ToyConfig` fields) -> iterator of `ToyRun`; instances of one density stand together in it.

    Raises:
        TraitError: a setting that cannot be.

    Example:
        >>> lab = SuperpositionLab(n_features=5, n_hidden=2, densities=[1.0, 0.2, 0.05])  # doctest: +SKIP
        >>> lab.start(); lab.wait(); lab.to_dataframe()  # doctest: +SKIP
    """

    _esm = esm("superposition")
    _css = css("superposition")
    _instrument = "superposition"
    _states = SuperpositionState
    _carried = (*SETTINGS, "selected", "snapshot", "status", "_picture")

    n_features = Whole(5, help="n").tag(sync=True)
    n_hidden = Whole(2, help="m").tag(sync=True)
    densities = traitlets.List(Real(), minlen=1, maxlen=gallery.SHOWN, help="P(x_i != 0), one a model.").tag(sync=True)
    importance_decay = Real(0.9, help="Importance of feature i is this to the power i.").tag(sync=True)
    relation = traitlets.Enum(("independent", "correlated", "anticorrelated"), "independent").tag(sync=True)
    set_size = Whole(2, help="Features in each set.").tag(sync=True)
    activation = traitlets.Enum(("relu", "linear"), "relu").tag(sync=True)
    hidden = traitlets.Enum(("linear", "relu"), "linear").tag(sync=True)
    task = traitlets.Enum(("reconstruct", "absolute"), "reconstruct").tag(sync=True)
    l1 = Real(0.0, help="Weight of |h| in the loss.").tag(sync=True)
    steps = Whole(1000).tag(sync=True)
    tries = Whole(16, help="Models trained for each density; the best is shown.").tag(sync=True)
    seed = Whole(0).tag(sync=True)
    selected = Whole(0, min=0, help="The model whose details are shown.").tag(sync=True)
    snapshot = Whole(-1, min=-1, help="The snapshot that is shown; -1 is the last.").tag(sync=True)
    status = traitlets.Enum(("ready", "training", "finished", "stopped", "recorded", "error"), "ready").tag(sync=True)
    _live: Live
    _picture = traitlets.Dict().tag(sync=True)  # all that is drawn, in one message an update

    def __init__(
        self,
        n_features: int = 5,
        n_hidden: int = 2,
        *,
        run: ToyRun | None = None,
        densities: Sequence[float] = DENSITIES,
        importance_decay: float = 0.9,
        relation: str = "independent",
        set_size: int = 2,
        activation: str = "relu",
        hidden: str = "linear",
        task: str = "reconstruct",
        l1: float = 0.0,
        tries: int = 16,
        steps: int = 1000,
        seed: int = 0,
        train: Trainer = train,
    ) -> None:
        self.train = train
        self.population: ToyRun | None = None  # every model that was trained; `run` holds those that are shown
        self._run: ToyRun | None = None
        settings: dict[str, Any] = {
            "n_features": n_features,
            "n_hidden": n_hidden,
            "densities": [float(p) for p in densities],
            "importance_decay": importance_decay,
            "relation": relation,
            "set_size": set_size,
            "activation": activation,
            "hidden": hidden,
            "task": task,
            "l1": l1,
        }
        if run is not None:
            settings |= _settings_of(run)
        self._live = Live(self)
        super().__init__(**settings, tries=tries, steps=steps, seed=seed)
        if run is not None:
            self.status = "recorded"
            self._show(run)
        self.observe(self._moved, names=list(SETTINGS))

    # -- what one asks of it -----------------------------------------------------------------------------------------

    @property
    def run(self) -> ToyRun:
        """The models that are shown, with every snapshot, turned as the pictures are. ValueError before there are any."""
        if self._run is None:
            raise ValueError("nothing is trained yet; call start() and wait(), or press the button")
        return self._run

    @property
    def data(self) -> ToyRun:
        """The record behind the pictures, `run`. ValueError before there is one."""
        return self.run

    @property
    def models_each(self) -> int:
        """Models trained for each density: `tries`, or fewer where they are large."""
        return max(1, min(self.tries, WEIGHTS // (len(self.densities) * self.n_features * self.n_hidden)))

    @property
    def config(self) -> dict[str, Any]:
        """The settings as the fields of `ToyConfig`; `models_each` instances for each density, those of one density together."""
        n, size = self.n_features, min(self.set_size, self.n_features)
        tied = self.relation != "independent"
        most = 1 / size if self.relation == "anticorrelated" else 1.0  # of a set at most one feature is on
        return {
            "n_features": n,
            "n_hidden": self.n_hidden,
            "n_instances": len(self.densities) * self.models_each,
            "feature_probability": [[min(p, most)] for p in self.densities for _ in range(self.models_each)],
            "importance": [self.importance_decay**i for i in range(n)],
            "activation": self.activation,
            "hidden": self.hidden,
            "task": self.task,
            "sets": tuple(tuple(range(i, i + size)) for i in range(0, n - size + 1, size)) if tied else (),
            "relation": self.relation,
            "steps": self.steps,
            "batch_size": 256,
            "lr": 1e-2,
            "schedule": "cosine",
            "l1": self.l1,
            "snapshots": 40,
            "seed": self.seed,
        }

    def start(self) -> None:
        """Train with the present settings; returns at once. A training that is under way is dropped."""
        self.error = ""
        self.status = "training"
        self.snapshot = -1
        self._live.submit(SuperpositionLab._step, _Training(self.config))

    def stop(self) -> None:
        """Stop training; what was learned stays."""
        self._live.stop()
        if self.status == "training":
            self.status = "stopped"

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the training ends; False where `timeout` seconds did not suffice. Raises what went wrong."""
        finished = self._live.wait(timeout)
        self.check()
        return finished

    @property
    def figure(self) -> Figure:
        """The pictures as a plain Plotly figure: arrows where there are two dimensions, W^T W of the chosen model else."""
        from saewidgets import views

        if self.run.n_hidden == 2:
            return views.superposition_arrows(self.run, snapshot=self.snapshot)
        return views.gram_matrix(self.run, min(self.selected, self.run.n_instances - 1), snapshot=self.snapshot)

    def to_dataframe(self) -> pd.DataFrame:
        """One row a model and feature of the snapshot that is shown.

        Columns: model, density, feature, importance, norm, superposition, dimensionality, bias, loss.
        """
        run, at = self.run, self.snapshot
        W = run.weights[at]
        models, n = run.n_instances, run.n_features
        return pd.DataFrame(
            {
                "model": np.repeat(np.arange(models), n),
                "density": run.feature_probability.ravel(),
                "feature": np.tile(np.arange(n), models),
                "importance": run.importance.ravel(),
                "norm": geometry.norms(W).ravel(),
                "superposition": geometry.superposition(W).ravel(),
                "dimensionality": geometry.feature_dimensionality(W).ravel(),
                "bias": run.biases[at].ravel(),
                "loss": np.repeat(run.losses[at], n),
            }
        )

    def to_code(self) -> str:
        """Python that trains these models again and shows them, to paste in a cell."""
        config = self.config
        densities = [row[0] for row in config["feature_probability"][:: self.models_each]]
        written = {
            **config,
            "feature_probability": f"np.repeat({densities!r}, {self.models_each})[:, None]",
            "importance": f"{self.importance_decay!r} ** np.arange({self.n_features})",
        }
        fields = "\n".join(
            f"    {name}={value if name in ('feature_probability', 'importance') else repr(value)},"
            for name, value in written.items()
        )
        return (
            "import numpy as np\nimport saewidgets as sw\n\n"
            f"config = sw.ToyConfig(\n{fields}\n)\nsw.SuperpositionLab(run=sw.train_toy(config).run())"
        )

    # -- training: these run in the worker ---------------------------------------------------------------------------

    def _step(self, ticket: Ticket) -> float | None:
        """The next run of the training under way, drawn."""
        training: _Training = ticket.request
        if training.runs is None:
            training.runs = iter(self.train(training.config))
        run = next(training.runs, None)
        with self._guard:
            if ticket.cancelled:
                return 0.0  # stopped meanwhile: the worker will notice
            if run is not None:
                self._show(run, training.config)
                ticket.shown = True
                return 0.0
            if not ticket.replaced:
                self.status = "finished"
                if self.population is not None:
                    self._show(self.population, training.config, VALUES)  # the finished one, with all its snapshots
        return None

    def _failed(self, error: BaseException) -> None:
        with self._guard:
            if self._live.busy:
                self.status = "error"
            super()._failed(error)

    # -- drawing -----------------------------------------------------------------------------------------------------

    def _show(self, run: ToyRun, config: Mapping[str, Any] | None = None, most: int | None = None) -> None:
        """Choose the models to show, turn them, and send the picture."""
        self.population = run
        self._run = gallery.shown(run)
        self._picture = payloads.toy_picture(
            self._run,
            population=run.n_instances,
            total=int(config["steps"] if config else run.steps[-1]),
            code=self.to_code(),
            most=most or (VALUES if config is None else LIVE_VALUES),
            bills=gallery.loss_parts(self._run) if config is None or most is not None else (),  # not while it trains
        )

    # -- settings ----------------------------------------------------------------------------------------------------

    def _moved(self, change: Any) -> None:
        if self.status != "ready":  # a person has begun
            self.start()

    def _message(self, kind: str) -> None:
        if kind == "ready":
            if self.status == "ready":
                self.start()
        elif kind == "start":
            self.start()
        elif kind == "stop":
            self.stop()
        else:
            raise ValueError(f"a message of an unknown kind: {kind!r:.80}")

    @traitlets.validate(*RANGES)
    def _check_range(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = RANGES[name]
        if not low <= value <= high:  # NaN fails too
            raise traitlets.TraitError(f"{name} must be {low} to {high}, not {value}")
        return value

    @traitlets.validate("densities")
    def _check_densities(self, proposal: Any) -> list[float]:
        for p in proposal["value"]:
            if not 0 < p <= 1:
                raise traitlets.TraitError(
                    f"a density is the share of inputs in which a feature is on, above 0 to 1, not {p}"
                )
        value: list[float] = proposal["value"]
        return value

    def _summary(self) -> dict[str, Any]:
        return {
            "n_features": self.n_features,
            "n_hidden": self.n_hidden,
            "models": 0 if self.population is None else self.population.n_instances,
            "status": self.status,
        }

    def _fallback(self) -> str:
        run = self._run  # once: a training that goes on puts another in its place
        if run is None:
            return super()._fallback()
        labels, name = payloads.toy_labels(run)
        final = run.final
        table = pd.DataFrame(
            {
                name: labels,
                "features represented": (geometry.norms(final) > geometry.REPRESENTED).sum(-1),
                "mean dimensionality": geometry.feature_dimensionality(final).mean(-1).round(3),
                "loss": run.losses[-1].round(5),
            }
        )
        value: str = f"<p>{html.escape(repr(self))}</p>" + table.to_html(index=False)
        return value


def _settings_of(run: ToyRun) -> dict[str, Any]:
    """The settings of the panel that come closest to a recorded run."""
    shown = gallery.chosen(run, gallery.best_of_each(run))
    first, second = (float(x) for x in (*shown.importance[0, :2], shown.importance[0, 0])[:2])
    densities = np.clip(shown.feature_probability.mean(1), 1e-3, 1).round(4).tolist()
    return {
        "n_features": min(run.n_features, RANGES["n_features"][1]),
        "n_hidden": min(run.n_hidden, RANGES["n_hidden"][1]),
        "densities": densities,
        "importance_decay": min(1.0, max(0.01, round(second / first, 4)))
        if first > 0 and math.isfinite(second)
        else 1.0,
        "relation": run.relation,
        "set_size": len(run.sets[0]) if run.sets else 2,
        "activation": run.activation,
        "hidden": run.hidden,
        "task": run.task,
    }
