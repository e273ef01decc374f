"""Feature dashboards against SAEDashboard: time and memory from loaded weights to one page on disk, each in a process
of its own.

Both read the same random GPT-2 style model (4 layers, width 128, 4,096 words), the same SAE (1,024 features, each
active at 2 % of the tokens, written in SAELens's format) and the same tokens. Each process takes one thread, so that
its processor time is what an idle machine would take by the clock; memory is the largest resident size of the process,
imports and all. "--effects" adds what SAEDashboard does not measure: the loss of every token shown without the feature,
and the logits that it moves there.

    python -m venv peer && peer/bin/pip install "sae-dashboard==0.8.0" "pyarrow<20"     # newer pyarrow breaks its import
    python benchmarks/dashboards.py --peer peer/bin/python [--texts 4096] [--features 256] [--rounds 1] [--effects]
    python benchmarks/dashboards.py --million          # 2,048 features of the bundled SAE over a million tokens, ours alone
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SHAPE = {
    "n_layers": 4,
    "d_model": 128,
    "n_heads": 4,
    "d_head": 32,
    "d_vocab": 4096,
    "n_ctx": 128,
    "d_mlp": 512,
    "act_fn": "gelu_new",
}
HOOK = "blocks.2.hook_resid_post"
D_SAE, DENSITY = 1024, 0.02


def prepare(folder: Path, texts: int) -> None:
    """Write the model, its tokenizer, the SAE and the tokens."""
    import numpy as np
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    from transformers import PreTrainedTokenizerFast

    import saewidgets as sw

    torch.manual_seed(0)
    words = {"<bos>": 0, **{f"w{i}": i for i in range(1, SHAPE["d_vocab"])}}  # type: ignore[dict-item]
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<bos>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<bos>", pad_token="<bos>")
    fast.save_pretrained(folder / "tokenizer")
    config = folder / "tokenizer" / "tokenizer_config.json"  # transformers 5 names a class that 4 does not have
    config.write_text(json.dumps({**json.loads(config.read_text()), "tokenizer_class": "PreTrainedTokenizerFast"}))
    fast = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")  # TransformerLens asks it where it came from
    hooked = HookedTransformer(HookedTransformerConfig(**SHAPE, seed=0), tokenizer=fast)
    save_file(
        {k: v.contiguous() for k, v in hooked.state_dict().items() if "mask" not in k and "IGNORE" not in k},
        folder / "model.safetensors",
    )
    tokens = np.random.default_rng(0).integers(1, SHAPE["d_vocab"], (texts, SHAPE["n_ctx"])).astype(np.int32)
    tokens[:, 0] = 0
    np.save(folder / "tokens.npy", tokens)
    model = sw.Model.wrap(hooked)
    sae = sw.SAE(sw.SAEConfig(SHAPE["d_model"], D_SAE, "relu", site=sw.site(model, HOOK)))  # type: ignore[arg-type]
    with torch.no_grad():
        pre = sae.pre_activations(model.activations(tokens[:32], HOOK)[:, 1:].flatten(0, 1))
        sae.b_enc -= pre.quantile(1 - DENSITY, dim=0)
    sw.save_sae(sae, folder / "sae", "saelens")


def hooked_model(folder: Path, kind: Any, config: Any) -> Any:
    """The model, over the TransformerLens class of whoever asks."""
    from safetensors.torch import load_file
    from transformers import PreTrainedTokenizerFast

    model = kind(
        config(**SHAPE, seed=0, device="cpu"), tokenizer=PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
    )
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    return model.eval()  # as a model that was loaded is: neither side trains it


def ours(folder: Path, features: int, effects: bool) -> dict[str, Any]:
    """A cold run of saewidgets."""
    import numpy as np
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    import saewidgets as sw

    model = sw.Model.wrap(hooked_model(folder, HookedTransformer, HookedTransformerConfig))
    sae = sw.load_sae(folder / "sae")
    sae = sw.SAE.from_weights(_at(sae, sw.site(model, HOOK)), {k: v.detach() for k, v in sae.weights.items()})
    tokens = np.load(folder / "tokens.npy")
    clock = Clock()
    acts = sw.feature_activations(model, sae, tokens)
    read = clock.lap()
    data = sw.dashboard_data(model, sae, acts, range(features))
    page = sw.export.dashboard_html(data, folder / "ours.html", effects=effects)
    return {**clock.total(), "forward": read, "page": len(page), "activations": len(acts.value)}


def _at(sae: Any, site: Any) -> Any:
    """The SAE's configuration at this model's own site; a published SAE does not know how weights were processed."""
    from dataclasses import replace

    return replace(sae.config, site=site)


def peer(folder: Path, features: int) -> dict[str, Any]:
    """A cold run of SAEDashboard, with its defaults."""
    import numpy as np
    import torch
    from sae_dashboard.data_writing_fns import save_feature_centric_vis
    from sae_dashboard.sae_vis_data import SaeVisConfig
    from sae_dashboard.sae_vis_runner import SaeVisRunner
    from sae_lens import SAE, HookedSAETransformer
    from transformer_lens import HookedTransformerConfig

    model = hooked_model(folder, HookedSAETransformer, HookedTransformerConfig)
    sae = SAE.load_from_disk(str(folder / "sae"))
    tokens = torch.from_numpy(np.load(folder / "tokens.npy").astype(np.int64))
    clock = Clock()
    data = SaeVisRunner(SaeVisConfig(hook_point=HOOK, features=list(range(features)))).run(
        encoder=sae, model=model, tokens=tokens
    )
    run = clock.lap()
    data.model = model
    save_feature_centric_vis(data, folder / "peer.html")
    return {**clock.total(), "run": run, "page": (folder / "peer.html").stat().st_size}


class Clock:
    """Time since it was made."""

    def __init__(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def lap(self) -> float:
        """Seconds of the processor so far."""
        return round(time.process_time() - self.processor, 2)

    def total(self) -> dict[str, float]:
        """Seconds by the clock and of the processor, and the largest resident size in MB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"wall": round(time.perf_counter() - self.wall, 2), "processor": self.lap(), "peak_mb": round(peak)}


def million() -> dict[str, Any]:
    """All features of the bundled SAE over a million tokens of the mini-world."""
    import saewidgets as sw

    model, sae = sw.load_model(), sw.load_sae()
    corpus = sw.load_corpus(23_400, seed=5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clock = Clock()
    acts = sw.feature_activations(model, sae, corpus)
    read = clock.total()
    data = sw.dashboard_data(model, sae, acts)
    n_features = len(data.summaries)
    data.features[next(iter(data.features))]  # makes the index by token
    ready = clock.total()
    times, measured = [], []
    for f in list(data.features)[::20]:
        start = time.process_time()
        data.features[f]
        times.append(time.process_time() - start)
    data.measured(31)  # correlates all features with the neurons
    for f in list(data.features)[7::200]:
        start = time.process_time()
        data.measured(f)
        measured.append(time.process_time() - start)
    times.sort(), measured.sort()
    return {
        "tokens": acts.n_tokens,
        "activations": len(acts.value),
        "features": n_features,
        "loaded_mb": round(before),
        "activations_read": read,
        "index_ready": ready,
        "a_feature_ms": {
            "median": round(1e3 * times[len(times) // 2], 1),
            "p95": round(1e3 * times[int(0.95 * len(times))], 1),
        },
        "its_effects_ms": {"median": round(1e3 * measured[len(measured) // 2]), "largest": round(1e3 * measured[-1])},
        "peak_mb": clock.total()["peak_mb"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--peer", help="the Python of an environment with SAEDashboard")
    parser.add_argument("--texts", type=int, default=4096)
    parser.add_argument("--features", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--effects", action="store_true", help="also with the effects of ablation, some 0.2 s a feature"
    )
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--job", choices=("prepare", "ours", "effects", "peer", "million"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.job:
        jobs = {
            "prepare": lambda: prepare(asked.folder, asked.texts),
            "ours": lambda: ours(asked.folder, asked.features, False),
            "effects": lambda: ours(asked.folder, asked.features, True),
            "peer": lambda: peer(asked.folder, asked.features),
            "million": million,
        }
        print("RESULT", json.dumps(jobs[asked.job]()))
        return
    with tempfile.TemporaryDirectory() as folder:

        def run(job: str, python: str = sys.executable) -> dict[str, Any]:
            environment = {
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1",
                "WANDB_MODE": "disabled",
                "HF_HUB_OFFLINE": "1",
            }
            if python != sys.executable:
                environment.pop("PYTHONPATH", None)
            command = [
                python,
                __file__,
                "--job",
                job,
                "--folder",
                folder,
                "--texts",
                str(asked.texts),
                "--features",
                str(asked.features),
            ]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
            if line is None:
                raise SystemExit(f"{job} failed:\n{done.stderr[-2000:]}")
            found: dict[str, Any] = json.loads(line.removeprefix("RESULT ")) or {}
            print(job, found, flush=True)
            return found

        if asked.million:
            run("million")
            return
        run("prepare")
        for _ in range(asked.rounds):
            mine = run("ours")
            if asked.effects:
                run("effects")
            if asked.peer:
                theirs = run("peer", asked.peer)
                for name in ("processor", "wall", "peak_mb", "page"):
                    print(f"  {name}: {theirs[name] / mine[name]:.1f} x ours")


if __name__ == "__main__":
    main()
