"""Superposition undone: twenty features in six dimensions, and SAEs of several sizes on their hidden layer."""

from __future__ import annotations

from functools import lru_cache

from toy_models import trained

from saewidgets.analysis.toys.geometry import norms
from saewidgets.analysis.toys.sae_recovery import RecoveredFeatures, recover_features
from saewidgets.records import ToyRun
from superposition_rows.kinds import Found, claim

N = 20  # features of the toy model


@lru_cache(maxsize=1)
def _toy(seed: int) -> ToyRun:
    run = trained(
        "M0", 4, n_features=N, n_hidden=6, n_instances=1, feature_probability=0.05, importance=1.0, steps=3000,
        seed=seed,
    )  # fmt: skip
    assert norms(run.final[run.best[0]]).min() > 0.5, "a feature of the toy model is not represented"
    return run


def _row(
    seed: int, d_sae: int, architecture: str = "relu", penalty: float = 0.3, k: int = 2
) -> tuple[RecoveredFeatures, str]:
    one = recover_features(_toy(seed), d_sae, architecture=architecture, l1_coefficient=penalty, k=k, seed=seed)
    r = one.recovery
    text = (
        f"mean max cosine {r.mean_max_cosine:.2f}, missed {len(r.missed)}, split {len(r.split)}, mixtures "
        f"{len(one.mixtures)}"
    )
    return one, text


@claim("SAE", "ReLU, λ = 0.3, 10 features: nearly none of the twenty comes out (mean max cosine below 0.85)")
def too_few(seed: int) -> Found:
    one, text = _row(seed, N // 2)
    return Found(text, one.recovery.mean_max_cosine < 0.85 and len(one.recovery.missed) >= 15)


@claim("SAE", "ReLU, λ = 0.3, 20: at most five missed; with exactly as many the start matters")
def as_many(seed: int) -> Found:
    one, text = _row(seed, N)
    return Found(text, one.recovery.mean_max_cosine > 0.85 and len(one.recovery.missed) <= 5)


@claim("SAE", "ReLU, λ = 0.3, 40: none missed, a part of them split")
def twice(seed: int) -> Found:
    one, text = _row(seed, 2 * N)
    return Found(text, len(one.recovery.missed) == 0 and 5 <= len(one.recovery.split) < N)


@claim("SAE", "ReLU, λ = 0.3, 80: none missed, nearly all split")
def four_times(seed: int) -> Found:
    one, text = _row(seed, 4 * N)
    return Found(text, len(one.recovery.missed) == 0 and len(one.recovery.split) >= N - 2)


@claim("SAE", "ReLU, λ = 0.1, 20: five or more missed, the directions are not the true ones")
def too_dense(seed: int) -> Found:
    one, text = _row(seed, N, penalty=0.1)
    return Found(text, one.recovery.mean_max_cosine < 0.93 and len(one.recovery.missed) >= 5)


@claim("SAE", "TopK, k = 2, 20: up to half missed; here too the start matters")
def topk_as_many(seed: int) -> Found:
    one, text = _row(seed, N, "topk")
    return Found(text, one.recovery.mean_max_cosine > 0.8 and 0 < len(one.recovery.missed) <= 12)


@claim("SAE", "TopK, k = 2, 40: none missed, two split at most")
def topk_twice(seed: int) -> Found:
    one, text = _row(seed, 2 * N, "topk")
    return Found(text, len(one.recovery.missed) == 0 and len(one.recovery.split) <= 2)


@claim("SAE", "TopK, k = 2, 80: none missed, five split at most; the rest dead or mixtures")
def topk_four_times(seed: int) -> Found:
    one, text = _row(seed, 4 * N, "topk")
    return Found(text, len(one.recovery.missed) == 0 and len(one.recovery.split) <= 5)
