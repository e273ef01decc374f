"""Peak memory of what one does with a real chat model in bfloat16, each call in a process of its own.

    python benchmarks/memory.py            # all of them
    python benchmarks/memory.py generate   # one, in this process

The bound is 1.6 GB for each, so that a hosted notebook with 2 GB can run it; the exit status is 1 where one takes more.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile

BOUND = 1.6e9  # bytes
CALLS = (
    "load",
    "read",
    "feature_activations",
    "generate",
    "store",
    "dashboard_data",
    "measured",
    "quality",
    "diagnose",
    "prober",
    "attribution",
    "searcher by token",
    "searcher by prompts",
    "page of 8 features",
    "feature_map",
    "match_features",
)
TEXT = "The bridge over the bay is red, and the fog is cold today. " * 8


def call(what: str) -> None:
    """Load the model and do one thing with it."""
    import torch

    import saewidgets as sw
    from saewidgets.analysis.search import by_prompts, by_token_promoted

    model = sw.load_model("smollm2", dtype="bf16")
    if what == "load":
        return
    if what == "read":
        model.activations(torch.arange(1024)[None], "blocks.12.hook_resid_post")
        return
    site = sw.site(model, "blocks.12.hook_resid_post")
    sae = sw.SAE(sw.SAEConfig(model.d_model, 8192, "topk", k=32, site=site))
    if what == "store":
        store = sw.ActivationStore(model, site, [TEXT] * 64, batch_size=512)
        next(iter(store))
        return
    verbs = {
        "generate": lambda: sw.Steerer(model, sae).generate(
            model.chat("What are you?"), [sw.Clamp(3, 1.0)], n_tokens=32
        ),
        "feature_activations": lambda: sw.feature_activations(model, sae, [TEXT] * 16),
        "quality": lambda: sw.quality(model, sae, [TEXT] * 2),
        "diagnose": lambda: sw.diagnose(model, sae),
        "prober": lambda: sw.prober(model, sae)(TEXT),
        "attribution": lambda: sw.analysis.attribution(model, sae, "The bridge over the bay is", " red", " cold"),
        "searcher by token": lambda: by_token_promoted(model, sae, " red"),
        "feature_map": lambda: sw.feature_map(sae, model=model),
        "searcher by prompts": lambda: by_prompts(model, sae, [TEXT], ["The cat sat on the mat."]),
    }
    if what in verbs:
        verbs[what]()
        return
    acts = sw.feature_activations(model, sae, [TEXT] * 2)
    if what == "match_features":
        sw.analysis.quality.match_features(acts, acts, (sae, sae), model)
        return
    features = acts.maximum.argsort()[-8:].tolist()
    data = sw.dashboard_data(model, sae, acts, features)
    if what == "page of 8 features":
        with tempfile.TemporaryDirectory() as folder:
            sw.FeatureDashboard(data).to_html(f"{folder}/page.html")
        return
    _ = data.measured(features[0]) if what == "measured" else data[features[0]]


def peak() -> float:
    """Bytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(arguments: list[str]) -> int:
    if arguments:
        call(arguments[0])
        print(f"{arguments[0]:<20} {peak() / 1e9:.2f} GB", flush=True)
        return int(peak() > BOUND)
    return max(subprocess.run([sys.executable, __file__, what], check=False).returncode for what in CALLS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
