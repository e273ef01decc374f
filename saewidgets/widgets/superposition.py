"""SuperpositionLab: a slider moves, many small models are trained, and the pictures of the best of them answer."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import traitlets

from saewidgets.analysis.toys import gallery, geometry
from saewidgets.frontend import css, esm, payloads
from saewidgets.frontend.payloads import settable
from saewidgets.languages import said
from saewidgets.records import PhaseDiagram, ToyConfig, ToyRun
from saewidgets.records.states import SuperpositionState
from saewidgets.widgets._base import Instrument
from saewidgets.widgets._live import Live, Ticket
from saewidgets.widgets._toy_jobs import (
    INTERVAL,
    PhaseTrainer,
    Recoverer,
    ToyJobs,
    coordinates_of,
    curves_of,
    diagram_frame,
    looking,
    phase_code,
    recover,
    train_phases,
)
from saewidgets.widgets._toy_presets import ToyPresets, require_preset
from saewidgets.widgets._toy_recipe import lead_of, recipe_for, said_of, settings_of
from saewidgets.widgets._toy_settings import SETTINGS, ToySettings, check_names
from saewidgets.widgets._traits import Real, Whole

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

VIEWS = ("overview", "graph", "matrix", "loss", "attack", "recovery")  # groups of views, a tab each
VALUES = 250_000  # numbers that one picture may carry, 2 bytes each; snapshots are thinned to keep to it
LIVE_VALUES = 40_000  # while training, when several pictures a second are sent
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
    shares = (step.steps_done / training.config.steps for step in training)
    for _, run in looking(shares, training.record, wait=INTERVAL):
        yield run


@dataclass
class _Training:
    """One setting of the panel, being trained."""

    config: dict[str, Any]
    runs: Iterator[ToyRun] | None = None


class SuperpositionLab(ToySettings, ToyPresets, ToyJobs, Instrument):
    """Toy models of superposition (Elhage et al. 2022), trained anew whenever a slider moves.

        h = W x,  x' = ReLU(W^T h + b),  loss = sum_i importance_i (x_i - x'_i)^2

    For each density P(x_i != 0) several models are trained from different starts, all of them at once, and the one with
    the lowest loss is shown: its arrows (up to three dimensions), W^T W and bias, the lengths of its directions and how
    far others share them, the share of a dimension that each feature has, and its loss. Other groups of views (`view`)
    draw the graph of its features and the polytopes in it, W^T W beside the directions as points, and the worst attack
    on an input; `marked` is the feature that all of them mark. A scrub bar goes back through the training. Every model
    is turned so that its first feature lies along the first axis, which changes nothing that it computes: pictures can
    be compared, and do not jump.

    Args:
        n_features: n.
        n_hidden: m, dimensions of the hidden space.
        run: a recorded `ToyRun` to show first; it opens without torch. What is trained next is its recipe, to the last
            number, and the settings below show it; one that is given, or moved later, replaces what it stands for.
        densities: P(x_i != 0) of the models side by side, one to eight.
        importance_decay: importance of feature i is this to the power i.
        relation: "independent", or features in sets that are "correlated" (on together) or "anticorrelated" (never).
        set_size: features in each such set, the first ones in the first.
        activation: of the read-out, "relu" or "linear".
        hidden: of the hidden layer, "linear" or "relu".
        task: "reconstruct" or "absolute", y = |x|.
        l1: weight of |h| in the loss.
        tries: models trained for each density; fewer where they are large.
        preset: an experiment of the paper, such as "M10"; it sets all of these that are not given.
        steps: of training.
        seed: of the starts and the inputs.
        train: (mapping of `ToyConfig` fields) -> iterator of `ToyRun`; instances of one density stand together in it.
        phases: (mapping of arguments of `PhaseTraining`) -> iterator of (share done, `PhaseDiagram`).
        recover: (run, instance, mapping of arguments of `RecoveryTraining`) -> iterator of (share done,
            `RecoveredFeatures`).

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
    _carried = (
        *(*SETTINGS, "selected", "snapshot", "view", "marked", "attack", "sample", "status", "recipe_note", "_picture"),
        *("preset", "shows", "_diagram", "_recovered", "sae_features", "sae_architecture"),
    )

    selected = Whole(0, min=0, help="The model whose details are shown.").tag(sync=True)
    snapshot = Whole(-1, min=-1, help="The snapshot that is shown; -1 is the last.").tag(sync=True)
    view = traitlets.Enum(VIEWS, VIEWS[0], help="The group of views of the chosen model that is open.").tag(sync=True)
    marked = Whole(None, allow_none=True, min=0, help="The feature of the toy models that is marked.").tag(sync=True)
    attack = Real(0.1, min=0.0, max=2.0, help="Length of the attack that is drawn, in mean lengths of an input.")
    attack.tag(sync=True)
    sample = Whole(1, min=1, help="The input that is attacked, where no feature is marked: a number of a sample.")
    sample.tag(sync=True)
    status = traitlets.Enum(("ready", "training", "finished", "stopped", "recorded", "error"), "ready").tag(sync=True)
    recipe_note = traitlets.Unicode(
        "", read_only=True, help="What is trained next that no slider shows, of a lab that began with a run."
    ).tag(sync=True)
    _live: Live
    _picture = traitlets.Dict().tag(sync=True)  # all that is drawn, in one message an update

    def __init__(
        self,
        n_features: int | None = None,
        n_hidden: int | None = None,
        *,
        run: ToyRun | None = None,
        train: Trainer = train,
        phases: PhaseTrainer = train_phases,
        recover: Recoverer = recover,
        preset: str = "",
        **settings: Any,
    ) -> None:
        check_names(settings)
        self.train, self._train_phases, self._recoverer = train, phases, recover
        self.population: ToyRun | None = None  # every model that was trained; `run` holds those that are shown
        self._shown: gallery.Gallery | None = None
        sizes = {"n_features": n_features, "n_hidden": n_hidden}
        settings |= {name: size for name, size in sizes.items() if size is not None}
        if preset and run is not None:
            raise TypeError(
                f"give SuperpositionLab a run or a preset, not both: the run's recipe or that of {preset!r}"
            )
        recipe = None if run is None else recipe_for(run)
        self._put_together = recipe if run is not None and run.recipe is None else None
        if recipe is not None:
            settings = settings_of(recipe) | settings
        self._live = Live(self)
        if preset:
            require_preset(preset)
            settings = self._adopted(preset) | settings
        super().__init__(**{"recipe": recipe, "preset": preset, **settings})
        self._tell()
        if run is not None:
            self.status = "recorded"
            self._show(run)
        self.observe(self._tell, names=[*SETTINGS, "recipe", "preset", "shows"])
        self.observe(self._moved, names=list(SETTINGS))
        self.observe(self._preset_chosen, names=["preset"])

    # -- what one asks of it -----------------------------------------------------------------------------------------

    @property
    def run(self) -> ToyRun:
        """The models that are shown, with all snapshots, turned as in the pictures. ValueError before there are any."""
        if self._shown is None:
            raise ValueError("nothing is trained yet; call start() and wait(), or press the button")
        return self._shown.run

    @property
    def data(self) -> ToyRun | PhaseDiagram:
        """The record behind the pictures: `run`, or `diagram`. ValueError before there is one."""
        return self.diagram if self.shows == "phases" else self.run

    def start(self) -> None:
        """Train with the present settings; returns at once. A training that is under way is dropped."""
        self.error = ""
        self.status = "training"
        self.snapshot = -1
        if self.shows == "phases":
            self._start_phases()
            return
        self._forget()
        self._live.submit(SuperpositionLab._step, _Training(self.config))

    def stop(self) -> None:
        """Stop training; what was learned stays."""
        self._live.stop()
        if self.status == "training":
            self.status = "stopped"
        self._rest()

    def set(self, state: Any) -> None:
        """Set everything that `state` holds, at once, and train it if anything was trained before."""
        with self._at_once():
            super().set(state)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the training ends; False where `timeout` seconds did not suffice. Raises what went wrong."""
        finished = self._live.wait(timeout)
        self.check()
        return finished

    @property
    def figure(self) -> Figure:
        """The pictures as a plain Plotly figure: arrows for two dimensions, else W^T W of the chosen model."""
        from saewidgets import views

        if self.shows == "phases":
            return views.phase_diagram(self.diagram, best=True)
        if self.run.n_hidden == 2:
            return views.superposition_arrows(self.run, snapshot=self.snapshot)
        return views.gram_matrix(self.run, min(self.selected, self.run.n_instances - 1), snapshot=self.snapshot)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per model and feature of the snapshot that is shown.

        Columns: model, density, feature, importance, norm, superposition, dimensionality, bias, loss. Where a phase
        diagram is shown, one row per cell: density, importance, phase, same, models, norm, superposition, loss.
        """
        if self.shows == "phases":
            return diagram_frame(self.diagram)
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
            if self._live.busy and self.status == "training":
                self.status = "error"
            self._rest()
            super()._failed(error)

    # -- drawing -----------------------------------------------------------------------------------------------------

    def _show(self, run: ToyRun, config: Mapping[str, Any] | None = None, most: int | None = None) -> None:
        """Choose the models to show, turn them, and send the picture."""
        self.population = run
        shown = self._shown = gallery.shown(run, starts=config is None or self.recipe is not None)
        still = config is None or most is not None  # it does not train any more
        self._picture = payloads.toy_picture(
            shown.run,
            instances=shown.instances.tolist(),
            trained=shown.trained,
            settings=shown.settings,
            total=int(config["steps"] if config else run.steps[-1]),
            code=ToySettings.to_code(self),
            most=most or (VALUES if config is None else LIVE_VALUES),
            loss_parts=gallery.loss_parts(shown.run) if still else (),
            curves=curves_of(shown.run, followed=still),
            vulnerability=gallery.vulnerability(shown.run) if still else (),
            examples=gallery.examples(shown.run) if shown.run.n_hidden <= 3 else None,
            coordinates=coordinates_of(gallery.chosen(run, shown.instances)) if still else (),
        )

    # -- settings ----------------------------------------------------------------------------------------------------

    def follow(self, recipe: ToyConfig) -> None:
        """Begin with a recipe: the settings show it, as near as they can, and what is trained next is it, to the last
        number. It is trained at once if anything was trained before.

        Example:
            >>> lab.follow(sw.toy.experiment("M10", lr=0.001)); lab.start()  # doctest: +SKIP
        """
        with self._at_once():
            for name, value in {"preset": "", "recipe": recipe, "shows": "models", **settings_of(recipe)}.items():
                setattr(self, name, value)

    def _tell(self, change: Any = None) -> None:
        """Say what is trained next and no slider shows."""
        if self._together:
            return
        recipe = self.recipe
        said = ""
        if recipe is not None and self.shows == "models":
            lead = "" if self.preset else lead_of(self.moved, recorded=recipe is not self._put_together)
            said = said_of(lead, recipe, ToyConfig(**self.config))
        self.set_trait("recipe_note", said)

    def _moved(self, change: Any) -> None:
        if self._together:
            return
        if change["name"] != "seed":  # which a phase diagram has as well
            self.shows = "models"
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
        elif kind == "recover":
            self.recover()
        elif kind == "again":
            self._adopt()
        elif kind == "back":
            self.back()
        else:
            raise ValueError(f"a message of an unknown kind: {kind!r:.80}")

    def to_code(self) -> str:
        """Python that trains what is shown again and shows it, to paste in a cell."""
        if self.shows == "phases":
            return phase_code(self._phase_config)
        return super().to_code()

    def _view(self) -> dict[str, Any]:
        view = super()._view()
        view["state"]["_presets"] = [row for row in self._presets if row["name"] == self.preset]
        return view

    def _links(self) -> dict[str, settable.Allowed]:
        shown = self._shown
        if shown is None:
            return {}
        return {
            "selected": settable.whole(0, shown.run.n_instances - 1),
            "snapshot": settable.whole(-1, len(shown.run.steps) - 1),
            "view": settable.one_of(VIEWS),
            "marked": settable.optional(settable.whole(0, shown.run.n_features - 1)),
            "attack": settable.number(0, 2),
            "sample": settable.whole(1, 1_000),
        }

    def _summary(self) -> dict[str, Any]:
        return {
            "n_features": self.n_features,
            "n_hidden": self.n_hidden,
            "models": 0 if self.population is None else self.population.n_instances,
            "status": self.status,
        }

    def _fallback(self) -> str:
        shown = self._shown  # once: a training that goes on puts another in its place
        if shown is None:
            return super()._fallback()
        run, final = shown.run, shown.run.final
        labels, name = payloads.toy_labels(run, shown.instances.tolist())
        table = pd.DataFrame(
            {
                name: labels,
                said("features represented"): (geometry.norms(final) > geometry.REPRESENTED).sum(-1),
                said("mean dimensionality"): geometry.feature_dimensionality(final).mean(-1).round(3),
                said("loss"): run.losses[-1].round(5),
            }
        )
        value: str = f"<p>{html.escape(repr(self))}</p>" + table.to_html(index=False)
        return value
