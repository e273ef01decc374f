"""Three papers that followed: rows M24."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from saewidgets.analysis.toys import bases, codes, memorization
from saewidgets.toy import ToyConfig, experiment, train_toy
from superposition_rows.kinds import Found, claim, listed

SIZES = (5, 8, 30, 40, 400, 2000)


@claim(
    "M24-memorization",
    "100 features in 2 dimensions on data sets of 5 to 2000 inputs: the loss on fresh inputs is half as high again "
    "or more at 30 and 40 as at 5 and 8, and lower at 400 and 2000 than anywhere before (medians of 3)",
)
def memorization_loss(seed: int) -> Found:
    rows = _by_size(seed)
    test = {size: float(np.median(row.test_losses)) for size, row in rows.items()}
    few, peak = max(test[5], test[8]), max(test[30], test[40])
    agrees = peak > 1.5 * few and test[2000] < test[400] < min(test[5], test[8])
    return Found(f"{listed(list(test.values()))} at {', '.join(map(str, SIZES))} inputs", agrees)


@claim(
    "M24-memorization",
    "few inputs (5, 8) have 2/T of a dimension each and no feature much; at 30 and 40 neither; at 2000 five "
    "features have 2/5 and the inputs nothing",
)
def memorization_shares(seed: int) -> Found:
    rows = _by_size(seed)
    inputs = {size: float(np.median(row.examples)) for size, row in rows.items()}
    five = {size: float(np.sort(row.features)[-5:].mean()) for size, row in rows.items()}
    agrees = (
        all(abs(inputs[size] * size / 2 - 1) < 0.15 and five[size] < 0.25 for size in (5, 8))
        and all(inputs[size] < 0.15 and five[size] < 0.25 for size in (30, 40))
        and abs(five[2000] - 0.4) < 0.06 and inputs[2000] < 0.05
    )  # fmt: skip
    text = f"inputs {listed(list(inputs.values()))}; five largest features {listed(list(five.values()))}"
    return Found(text, agrees)


@lru_cache(maxsize=1)
def _by_size(seed: int) -> dict[int, memorization.DataSetSize]:
    sizes = np.repeat(SIZES, 3).tolist()
    config = experiment("M24-memorization", data_size=sizes, n_instances=len(sizes), seed=seed, snapshots=2)
    return {row.size: row for row in memorization.double_descent(train_toy(config).run())}


@claim(
    "M24-privileged",
    "64 features, always on, in 16 dimensions: trained with Adam, the kurtosis of h is more than 2.5 times that of "
    "a random basis (2.65); with gradient descent it is that to a quarter, at a loss as low (means of 4)",
)
def privileged(seed: int) -> Found:
    runs = [
        train_toy(experiment(name, seed=seed, n_instances=4, snapshots=2)).run()
        for name in ("M24-privileged", "M24-privileged-sgd")
    ]
    adam, sgd = (float(bases.basis_alignment(run).kurtosis.mean()) for run in runs)
    losses = [float(run.losses[-1].mean()) for run in runs]
    plain = bases.isotropic_kurtosis(16)
    agrees = adam > 2.5 * plain and abs(sgd / plain - 1) < 0.25 and abs(losses[0] / losses[1] - 1) < 0.15
    return Found(f"kurtosis {adam:.1f} and {sgd:.1f}; loss {losses[0]:.2f} and {losses[1]:.2f}", agrees)


@claim(
    "M24-privileged",
    "not so where features are rare (100 in 30 at p = 0.02): with Adam the kurtosis is below that of a random basis "
    "(means of 3)",
)
def rare_features(seed: int) -> Found:
    config = ToyConfig(
        100, 30, n_instances=3, feature_probability=0.02, steps=1500, batch_size=64, snapshots=2, seed=seed
    )
    found = bases.basis_alignment(train_toy(config).run(), 1000)
    text = f"{found.kurtosis.mean():.2f}, in random bases {found.turned.mean():.2f}"
    return Found(text, bool(found.kurtosis.mean() < found.turned.mean() - 0.05))


@claim(
    "M24-distributed",
    "six colors and six shapes, twelve features in four dimensions: the best of 12 gives back combinations that it "
    "never saw, with a loss below 0.05",
)
def distributed(seed: int) -> Found:
    return _unseen("M24-distributed", seed, lambda seen, unseen: seen < 0.05 and unseen < 0.05)


@claim(
    "M24-local",
    "the 36 combinations as features of their own, in four dimensions: those that it never saw are lost (loss 1, as "
    "for an output of 0), the others given back (below 0.1)",
)
def local(seed: int) -> Found:
    return _unseen("M24-local", seed, lambda seen, unseen: seen < 0.1 and abs(unseen - 1) < 0.02)


def _unseen(name: str, seed: int, agrees: Callable[[float, float], bool]) -> Found:
    found = codes.generalization(train_toy(experiment(name, seed=seed, snapshots=2)).run())
    seen, unseen = float(found.seen_loss[found.best]), float(found.unseen_loss[found.best])
    text = f"loss {seen:.3f} of those seen, {unseen:.3f} of the {int((~found.seen[found.best]).sum())} others"
    return Found(text, agrees(seen, unseen))
