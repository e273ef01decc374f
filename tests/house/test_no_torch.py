"""Every instrument opens on saved records where neither torch nor TransformerLens can be imported."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import sample_records

from saewidgets.records import Clamp, ClampRecording, Generation, Token

SCENE = """
    import sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("torch", "transformer_lens", "transformers", "tokenizers"):
                raise ImportError(f"{name} is blocked in this test")

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
    assert "torch" not in sys.modules and "transformer_lens" not in sys.modules
    print("opened", board)
"""


def test_every_instrument_opens_without_torch(tmp_path: Path):
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
    names = ("data.json", "recording.json", "dose.json", "run.safetensors", "parts.safetensors", "prompt.json")
    names += ("training.safetensors", "map.json", "judged.json", "directions.json", "completeness.json")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCENE), *(str(tmp_path / name) for name in names)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert "opened FeatureDashboard(feature=42, label='owl', features=5)" in done.stdout
