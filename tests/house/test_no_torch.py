"""Every instrument opens on saved records where neither torch nor TransformerLens can be imported, as after `pip install
saewidgets` alone; and what needs torch says what to install.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest
import sample_records

from saewidgets.records import Clamp, ClampRecording, Generation, PhaseDiagram, Token
from saewidgets.records.labels import ReaderLabels

ROOT = Path(__file__).parents[2]

SCENE = """
    import sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("torch", "transformer_lens", "transformers", "tokenizers"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)  # as where it is not installed

    sys.meta_path.insert(0, Blocked())
    import saewidgets as sw

    data = sw.DashboardData.load(sys.argv[1])
    steps = [sw.records.TrainStep(1, 10, 2.0, 0.5, 3.0, 0.0, 1e-3)]

    def recorded(prompt, clamps, *, n_tokens, seed, temperature):
        yield sw.records.Token(1, " hello", -0.5, 0.1 if clamps else 0.0)

    board = sw.FeatureDashboard(data, feature=31)
    board.feature = 42
    board.interval = [42, 3.0, 9.0]
    assert board.bin and sw.DashboardData.from_json(board.data.to_json()) == data
    panel = sw.ClampPanel(recorded, data, multiples={31: 2.0}, selection=sw.Selection())
    panel.write()
    assert panel.wait(20) and panel.clamped.text == " hello"
    played = sw.ClampPanel(sw.ClampRecording.load(sys.argv[2]), data)
    played.multiples = {31: 3.9}
    played.write()
    assert played.wait(20) and played._texts["under"] == [[31, 4.0]] and played.clamped.text == " recorded"
    dose = sw.DoseResponse(sw.DoseResponseData.load(sys.argv[3]))
    dose.kind = "add"
    judged = sw.SpecificityLab(sw.Specificity.load(sys.argv[9]), judge="a small model")
    judged.level, judged.score = 4, 3
    assert judged.examples
    sheet = sw.GradingSheet(judged.data, n=9)
    sheet.grades = [[3, 1.0]] * 9
    assert sheet.judged.agreement(against=sheet.data.name).shape[0] == 2
    whole = sw.CompletenessLab(sw.records.Completeness.load(sys.argv[11]))
    whole.concept = whole.data.concept[1]
    words = sw.DirectionsLab(sw.records.DirectionsData.load(sys.argv[10]))
    words.relation = "capital"
    monitor = sw.TrainingMonitor(steps)
    monitor.start()
    assert monitor.wait(20) and monitor.status == "finished"
    compared = sw.TrainingMonitor(sw.TrainingRecord.load(sys.argv[7]))
    compared.selected = "2048, k = 12"
    assert compared.status == "finished" and compared.to_dataframe().shape[0] == 520
    plane = sw.FeaturePlane()
    lab = sw.SuperpositionLab(run=sw.records.ToyRun.load(sys.argv[4]))
    assert lab.status == "recorded" and lab.to_dataframe().shape[0] == 5
    inside = sw.ArchitecturePanel(sw.records.TokenParts.load(sys.argv[5]))
    prompt = sw.records.PromptActivations.load(sys.argv[6])
    probe = sw.FeatureProbe(prompt, pinned=[57], dashboard=data, selection=sw.Selection())
    probe.feature, probe.position = 31, 3
    search = sw.FeatureSearch(data, "bridge")
    search.search(" owl", mode="token")
    assert search.wait(20) and search.to_dataframe()["feature"].tolist() == [42]
    features = sw.FeatureMap(sw.records.FeatureMapData.load(sys.argv[8]), feature=2, selection=sw.Selection())
    for widget in (board, panel, played, dose, monitor, compared, plane, lab, inside, probe, search, features, judged, words, sheet, whole):
        assert widget._repr_mimebundle_() and widget.to_html()
    figures = (board.figure, dose.figure, monitor.figure, compared.frontier, plane.figure, lab.figure, inside.figure)
    figures += (features.figure, judged.figure)
    found = sw.records.Quality(0.1, 12.0, 0.0, 1.0, 1.5, 6.0, 99, 98)
    assert found.loss_recovered == 0.9 and sw.views.quality_measures(found).to_json()
    assert str(sw.records.Diagnosis("m", "s", "h", 0, (), ())).startswith("s on m at h")
    for figure in (*figures, sw.views.logit_effects(board.shown)):
        figure.to_json()
    told = sw.Findings.load(sys.argv[12])
    assert told.labels[0].label == "the bridge" and "the bridge" in told.to_html()
    panel.load_preset(sys.argv[13])
    assert panel.multiples[31] == 1.5
    assert sw.views.phase_diagram(sw.records.PhaseDiagram.load(sys.argv[14])).to_json()
    assert len(sw.records.SteeringScores.load(sys.argv[15]).to_dataframe()) == 3
    assert sw.records.ReaderLabels.load(sys.argv[16]).of("0f" * 32) == {31: "the bridge"}
    grown = sw.train_toy(sw.ToyConfig(n_features=3, n_hidden=2, steps=2)).run()  # numba's loop
    assert sw.SuperpositionLab(run=grown).to_html()
    kinds = [kind for name in sw.records.__all__ if hasattr(kind := getattr(sw.records, name), "load")]
    for kind in kinds:  # the others, of which there is no sample, read as far as to see that this is none
        try:
            kind.load(sys.argv[0])
        except sw.LoadError:
            continue
        raise AssertionError(kind)
    assert "torch" not in sys.modules and "transformer_lens" not in sys.modules
    print("opened", board)

    import json

    def needs(room, names):
        said = {}
        for name in names:
            try:
                getattr(room, name)
            except ModuleNotFoundError as error:
                said[name] = str(error)
        return said

    said = {"sw": needs(sw, sw.__all__), "sw.analysis": needs(sw.analysis, sw.analysis.__all__)}
    said |= {f"sw.{name}": needs(getattr(sw, name), getattr(sw, name).__all__) for name in ("share", "toy", "records")}
    print("needs", json.dumps(said))
    import contextlib
    from saewidgets.cli import main

    with contextlib.redirect_stderr(sys.stdout):
        assert main(["demo"]) == 2
    sys.modules["saewidgets.kernels.toy_numba"] = None  # and without numba
    for device in (None, "cuda"):
        try:
            sw.train_toy(sw.ToyConfig(n_features=3, n_hidden=2, steps=2, device=device))
        except ModuleNotFoundError as error:
            print("toy", device, error)
"""

# Of the names at the top: what computes with tensors. All others open and draw.
TENSORS = """
    ActivationStore Edit Model Processes Ray SAE SAEConfig Steerer TrainConfig clamp_edit concept_scores dashboard_data
    diagnose dose_response explore feature_activations feature_map formats harvest load_demo load_model load_sae prober
    progress prompt_activations quality record_clamps save_job save_sae searcher site specificity steering token_parts train train_sweep
    training
"""


def phases() -> PhaseDiagram:
    """Two cells, of one model each that learned its last feature."""
    x, y = np.array([0.1, 1.0]), np.array([1.0])
    weights, losses = np.ones((1, 2, 1, 1, 2), np.float32), np.zeros((1, 2, 1), np.float32)
    return PhaseDiagram("density", "importance", x, y, weights, losses, *np.meshgrid(x, y), np.full((1, 2), 2), 0)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> str:
    """What the scene printed."""
    tmp_path = tmp_path_factory.mktemp("records")
    sample_records.dashboard().save(tmp_path / "data.json")
    sample_records.prompt().save(tmp_path / "prompt.json")
    sample_records.dose_response().save(tmp_path / "dose.json")
    grid = ((), (Clamp(31, 25.0),), (Clamp(31, 50.0),))
    texts = [Generation("Hi", (Token(1, " recorded", -0.5, 0.1),), clamps, 0, 0.8) for clamps in grid]
    ClampRecording("Hi", tuple(texts), {31: 12.5}).save(tmp_path / "recording.json")
    sample_records.toy_run().save(tmp_path / "run.safetensors")
    sample_records.token_parts().save(tmp_path / "parts.safetensors")
    sample_records.training_record().save(tmp_path / "training.safetensors")
    sample_records.feature_map().save(tmp_path / "map.json")
    sample_records.specificity().save(tmp_path / "judged.json")
    sample_records.directions().save(tmp_path / "directions.json")
    sample_records.completeness().save(tmp_path / "completeness.json")
    sample_records.findings().save(tmp_path / "findings.json")
    sample_records.preset().save(tmp_path / "preset.json")
    phases().save(tmp_path / "phases.safetensors")
    sample_records.steering_scores().save(tmp_path / "scores.json")
    ReaderLabels().named("0f" * 32, 31, "the bridge").save(tmp_path / "labels.json")
    names = ("data.json", "recording.json", "dose.json", "run.safetensors", "parts.safetensors", "prompt.json")
    names += ("training.safetensors", "map.json", "judged.json", "directions.json", "completeness.json")
    names += ("findings.json", "preset.json", "phases.safetensors", "scores.json", "labels.json")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCENE), *(str(tmp_path / name) for name in names)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_instrument_opens_without_torch(scene):
    assert "opened FeatureDashboard(feature=42, label='owl', features=5)" in scene


def test_what_needs_torch_says_what_to_install(scene):
    said = json.loads(re.findall(r"^needs (.*)$", scene, flags=re.M)[0])
    assert sorted(said["sw"]) == sorted(TENSORS.split())
    assert list(said["sw.share"]) == ["save_control_vector"] and said["sw.records"] == {}
    assert set(said["sw.toy"]) == {"ToyActivations", "activations", "sample_features"}
    assert "quality" in said["sw.analysis"] and "geometry" not in said["sw.analysis"]
    for room, names in said.items():
        for name, sentence in names.items():
            assert sentence.startswith(f"{room}.{name} needs PyTorch, which is not installed: pip install "), sentence
    assert said["sw"]["load_sae"].endswith(
        'pip install "saewidgets[models]", or "saewidgets[torch]" where no language model is run'
    )
    assert "saewidgets demo: this command needs PyTorch, which is not installed: pip install " in scene
    toys = re.findall(r"^toy (\w+) .* needs PyTorch, which is not installed: (.*)$", scene, flags=re.M)
    assert toys == [
        ("None", 'pip install "saewidgets[fast]", whose loops do without it'),
        ("cuda", 'pip install "saewidgets[torch]"'),
    ]


def test_the_package_alone_asks_for_no_torch_and_its_extras_do():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def wanted(extra: str) -> set[str]:
        """Names of packages, those of nested extras included."""
        found = set()
        for line in project["optional-dependencies"][extra]:
            nested = re.fullmatch(r"saewidgets\[(.+)\]", line)
            found |= set().union(*map(wanted, nested[1].split(","))) if nested else {re.match(r"[\w-]+", line)[0]}
        return found

    assert not any(line.startswith("torch") for line in project["dependencies"])
    assert wanted("torch") == {"torch"} and "torch" not in wanted("fast")
    assert all("torch" in wanted(extra) for extra in ("models", "lab", "test", "dev"))
