"""Every objective on the same activations of the bundled model: what it loses, how sparse it is, what a step costs.

    python benchmarks/objectives.py [--steps 600] [--d-sae 1024] [--only topk gated]

One thread. Quality is measured on activations that no step saw, at inference: with BatchTopK's threshold, not its
batch. Lambdas are set so that about 12 features are on, as in the bundled SAEs; they are not tuned further.
"""

from __future__ import annotations

import argparse
import time

import torch

import saewidgets as sw
from saewidgets.sae import SAE, SAEConfig
from saewidgets.training import OBJECTIVES, TrainConfig, train

UNIT = {"architecture": "relu", "apply_b_dec_to_input": True}
K = 12
# name -> (SAEConfig's fields, TrainConfig's)
SETTINGS = {
    "relu": ({"architecture": "relu", "l1_coefficient": 4.0}, {}),
    "relu_unit_norm": (UNIT | {"l1_coefficient": 2.0}, {}),
    "relu_p_annealing": (UNIT | {"l1_coefficient": 1.5}, {}),
    "topk": ({"architecture": "topk", "k": K}, {}),
    "batchtopk": ({"architecture": "batchtopk", "k": K}, {}),
    "batchtopk, nested": ({"architecture": "batchtopk", "k": K}, {"prefixes": (64, 256, 1024)}),
    "jumprelu": ({"architecture": "jumprelu", "l1_coefficient": 5.0}, {"bandwidth": 0.5}),
    "jumprelu_tanh": ({"architecture": "jumprelu", "l1_coefficient": 3.0}, {"l1_warmup": 1.0}),
    "gated": ({"architecture": "gated", "l1_coefficient": 3.0}, {}),
}


def main() -> None:
    """Train and print one row an objective."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--d-sae", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--only", nargs="*", default=list(SETTINGS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    assert {name.split(",")[0] for name in SETTINGS} == set(OBJECTIVES)
    model = sw.load_model()
    site = sw.site(model, "blocks.2.hook_resid_post")
    store = sw.ActivationStore(model, site, sw.load_corpus(1500), batch_size=args.batch)
    held_out = sw.ActivationStore(model, store.site, sw.load_corpus(200, seed=7), batch_size=8192)
    x = next(iter(held_out))
    print("| objective | FVU | L0 | dead | ms a step |\n|---|---|---|---|---|")
    for name in args.only:
        fields, more = SETTINGS[name]
        sae = SAE(SAEConfig(site.d_in, args.d_sae, site=store.site, **fields))
        config = TrainConfig(steps=args.steps, lr=2e-3, objective=name.split(",")[0], dead_window=100_000, **more)
        run, start = train(sae, store, config), time.process_time()
        last = list(run)[-1]
        spent = (time.process_time() - start) / args.steps
        with torch.no_grad():
            a = sae.encode(x)
            fvu = float((sae.decode(a, x) - x).square().sum() / (x - x.mean(0)).square().sum())
            l0 = float((a > 0).sum(-1).float().mean())
        print(f"| {name} | {fvu:.3f} | {l0:.1f} | {last.dead:.3f} | {1e3 * spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
