"""Everything that one does with a real chat model, SmolLM2-135M-Instruct in bfloat16, one thing after the other: time
and peak memory.

    OMP_NUM_THREADS=1 python benchmarks/every_call.py [STEPS [TEXTS]]

One process and one thread. The SAE has 8,192 features and is trained here for STEPS steps (40), which is enough to hold
an activation of its own to each feature and far too few to be good; the corpus is TEXTS (100) paragraphs of Python's
own help texts. CPU seconds are the process's; the peak is the most memory that it held during the call (Linux;
elsewhere since its start), the model and what earlier calls returned included. What each call takes in a process of its
own: benchmarks/memory.py. The exit status is 1 where a call fails.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import memory
import torch

import saewidgets as sw

HOOK = "blocks.12.hook_resid_post"
QUESTION = "What are you?"
TEXT = "The old bridge stands in the fog above the bay."


def documents(n: int | None = None) -> list[str]:
    """The first n paragraphs of prose in Python's help texts; None: all."""
    paragraphs = [" ".join(p.split()) for text in topics.values() for p in re.split(r"\n\s*\n", text)]
    return [p for p in paragraphs if 200 < len(p) < 700 and p[0].isupper() and p.endswith(".")][:n]


class Bench:
    """Runs calls, prints a line each, and remembers whether all went well."""

    def __init__(self) -> None:
        self.ok = True
        print(f"{'call':<58} {'CPU s':>7} {'wall s':>7} {'peak GB':>8}", flush=True)

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        _forget_peak()
        wall, cpu, out, failed = time.perf_counter(), time.process_time(), None, ""
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always", UserWarning)
                out = call()
        except Exception as error:
            failed, self.ok = f"  {type(error).__name__}: {error}", False
            traceback.print_exc()
        cpu, wall, peak = time.process_time() - cpu, time.perf_counter() - wall, _peak()
        told = "".join(f"\n    warns: {w.message}" for w in said if issubclass(w.category, UserWarning))
        print(f"{name:<58} {cpu:>7.1f} {wall:>7.1f} {peak / 1e9:>8.2f}{failed}{told}", flush=True)
        return out


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        pass  # not Linux, or not allowed: the peak is then that since the start


def _peak() -> float:
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024.0
    return memory.peak()


def analyses(bench: Bench, model: sw.Model, sae: sw.SAE, texts: list[str]) -> tuple[Any, Any, Any]:
    """Every analysis that reads a model; returns (activations, dashboard, the probe's function) for the instruments."""
    bench("diagnose", lambda: sw.diagnose(model, sae))
    acts = bench(
        f"feature_activations, {len(texts) - 30} texts", lambda: sw.feature_activations(model, sae, texts[:-30])
    )
    alive = sorted({sw.steering.random_live_feature(acts, seed) for seed in range(12)})
    data = bench(f"dashboard_data, {len(alive)} features", lambda: sw.dashboard_data(model, sae, acts, features=alive))
    bench("quality, 30 texts", lambda: sw.quality(model, sae, texts[-30:]))
    bench("firing, 30 texts", lambda: sw.analysis.quality.firing(model, sae, texts[-30:]))
    bench("prompt_activations", lambda: sw.prompt_activations(model, sae, TEXT, acts))
    bench("attribution", lambda: sw.analysis.attribution(model, sae, TEXT, " It", " The"))
    parts = bench("token_parts", lambda: sw.token_parts(model, sae, TEXT))
    bench("FeaturePlane.of", lambda: sw.FeaturePlane.of(parts.x[5], sae.decoder_directions[alive[:2]]))
    scores = bench("token_scores", lambda: sw.analysis.token_scores(model, acts, lambda t: t.strip().istitle()))
    bench("concept_proxy", lambda: sw.analysis.concept_proxy(acts, alive[0], scores, name="capital"))
    half = sw.SAE(sw.SAEConfig(model.d_model, 2048, "topk", k=32, site=sae.config.site), name="half")
    other = bench("feature_activations, another SAE", lambda: sw.feature_activations(model, half, texts[:-30]))
    bench("match_features", lambda: sw.analysis.quality.match_features(acts, other, (sae, half), model))
    bench("feature_map, 8,192 features", lambda: sw.feature_map(sae, acts, model=model))
    search = bench("searcher", lambda: sw.searcher(model, sae, acts, data=data))
    bench("searcher, token", lambda: search("token", token=" bridge"))
    bench("searcher, prompt", lambda: search("prompt", text=TEXT))
    bench("searcher, prompts", lambda: search("prompts", positive=[TEXT], negative=["A cat sat on a mat."]))
    bench("searcher, direction", lambda: search("direction", direction=alive[0]))
    probe = bench("prober", lambda: sw.prober(model, sae, acts))
    instruments(bench, model, sae, acts, data, parts, search, probe, alive)
    return acts, data, alive


def instruments(
    bench: Bench, model: Any, sae: Any, acts: Any, data: Any, parts: Any, search: Any, probe: Any, alive: Any
) -> None:
    """Every instrument, as far as it goes without a browser: it shows itself, works, and becomes a page."""
    steer = bench("Steerer", lambda: sw.Steerer(model, sae))
    clamp = [sw.Clamp(alive[0], data[alive[0]].maximum)]
    prompt = model.chat(QUESTION)
    bench("Steerer.generate, 40 tokens", lambda: steer.generate(prompt, clamp, n_tokens=40, kl=False))
    bench("Steerer.generate, 40 tokens, KL", lambda: steer.generate(prompt, clamp, n_tokens=40))
    bench("Steerer.perplexity", lambda: steer.perplexity(prompt, "I am a helpful assistant.", clamp))
    bench("Steerer.measure", lambda: steer.measure(prompt, clamp, alive[:1]))
    bench("mean_difference", lambda: sw.steering.mean_difference(model, HOOK, [TEXT] * 8, ["A cat sat on a mat."] * 8))
    bench("record_clamps, 3 texts", lambda: sw.record_clamps(steer, prompt, [clamp], seeds=[0], n_tokens=24))
    dose = bench(
        "dose_response, 2 kinds x 3 doses x 4 seeds",
        lambda: sw.dose_response(
            model, sae, alive[0], prompt=prompt, acts=acts, concept="assistant", multiples=(0, 1, 2),
            kinds=("clamp", "add"), seeds=range(4), n_tokens=24,
        ),
    )  # fmt: skip

    def shown(make: Callable[[], Any], use: Callable[[Any], object] = lambda widget: None) -> Any:
        widget = make()
        use(widget)
        widget.to_dataframe()
        with tempfile.TemporaryDirectory() as folder:
            widget.to_html(Path(folder) / "page.html")
        return widget

    def write(panel: Any) -> None:
        panel.write()
        assert panel.wait(600)

    def ask(search: Any) -> None:
        search.search("bridge")
        assert search.wait(600)

    def measure(probe: Any) -> None:
        probe.measure(" It")
        probe.wait(600)
        probe.ablate_listed()
        assert probe.wait(600)

    bench("FeatureDashboard", lambda: shown(lambda: sw.FeatureDashboard(data)))
    bench("FeatureProbe, with attribution and ablation", lambda: shown(lambda: sw.FeatureProbe(probe, TEXT), measure))
    bench("FeatureSearch", lambda: shown(lambda: sw.FeatureSearch(search, mode="prompt"), ask))
    bench("FeatureMap", lambda: shown(lambda: sw.FeatureMap(sw.feature_map(sae, acts, alive=True))))
    bench("ArchitecturePanel", lambda: shown(lambda: sw.ArchitecturePanel(parts)))
    bench("ClampPanel, 24 tokens twice", lambda: shown(
        lambda: sw.ClampPanel(steer, data, multiples={alive[0]: 1.0}, n_tokens=24), write))  # fmt: skip
    bench("DoseResponse", lambda: shown(lambda: sw.DoseResponse(dose)))


def main(steps: int = 40, n_texts: int = 100) -> int:
    torch.set_num_threads(1)
    bench, texts = Bench(), documents(n_texts + 30)
    model = bench("load_model", lambda: sw.load_model("smollm2", dtype="bfloat16"))
    store = bench(
        f"ActivationStore, {len(texts)} texts, first batch",
        lambda: (s := sw.ActivationStore(model, sw.site(model, HOOK), texts, batch_size=1024), next(iter(s)))[0],
    )
    sae = sw.SAE(sw.SAEConfig(model.d_model, 8192, "topk", k=32, site=store.site), name="mine")
    bench("the site's scale", lambda: store.site.scale)

    def monitored() -> None:
        monitor = sw.TrainingMonitor(sw.train(sae, store, sw.TrainConfig(steps=steps, lr=1e-3)))
        monitor.start()
        assert monitor.wait(600)
        monitor.to_dataframe()

    bench(f"train, {steps} steps of 1,024 tokens, in a TrainingMonitor", monitored)
    store = None  # its buffer goes
    analyses(bench, model, sae.requires_grad_(False), texts)
    return 0 if bench.ok else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
