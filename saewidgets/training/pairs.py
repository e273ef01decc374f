"""Two streams as one of pairs, for transcoders."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from saewidgets.activations import ActivationStore


class Pairs:
    """Batches (x, y) of the same tokens at two sites: what a transcoder reads, and what it predicts.

    Each store runs the model for itself. Raises ValueError unless both give the same tokens in the same order: the same
    texts, seed, batch size, buffer and epochs.

    Example:
        >>> x = ActivationStore(model, sw.site(model, "blocks.1.hook_resid_mid"), texts)
        >>> y = ActivationStore(model, sw.site(model, "blocks.1.hook_mlp_out"), texts)
        >>> config = SAEConfig(x.site.d_in, 2048, site=x.site, out_site=y.site)
        >>> run = train(SAE(config), Pairs(x, y), TrainConfig(steps=5_000))
    """

    def __init__(self, x: ActivationStore, y: ActivationStore) -> None:
        for name in ("n_tokens", "seed", "batch_size", "buffer_tokens", "epochs"):
            if getattr(x, name) != getattr(y, name):
                raise ValueError(
                    f"the stores of a pair must give the same tokens in the same order; {name} differs: "
                    f"{getattr(x, name)}, {getattr(y, name)}"
                )
        self.x = x
        self.y = y

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self.batches()

    def batches(self, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs from number `start` on, without computing those before."""
        return zip(self.x.batches(start), self.y.batches(start), strict=True)
