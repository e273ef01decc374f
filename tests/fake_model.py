"""Models whose activations say where they came from or are written down, and rows of tokens for them."""

from __future__ import annotations

import threading

import numpy as np
import torch

from saewidgets.models import Model
from saewidgets.records import ActivationSite


class FakeModel(Model):
    """An activation says its token, its position, the token before and a constant: enough to know where it came from."""

    name, d_model, d_vocab, n_ctx, bos_token_id, prepend_bos = "fake", 4, 50, 64, 0, True
    weight_processing, device = "none", torch.device("cpu")

    def __init__(self):
        self.lock = threading.RLock()
        self.passes = []

    def text_ids(self, text, *, prepend_bos=None):
        return [0] + [ord(c) - 96 for c in text]

    def activations(self, tokens, hook_name):
        self.passes.append(tuple(tokens.shape))
        before = torch.cat([torch.zeros_like(tokens[:, :1]), tokens[:, :-1]], dim=1)
        position = torch.arange(tokens.shape[1]).expand_as(tokens)
        return torch.stack([tokens, position, before, torch.ones_like(tokens)], dim=-1).float()


class PlantedModel(Model):
    """Activations that a test writes down: token id -> vector."""

    name, d_model, d_vocab, n_ctx, bos_token_id, prepend_bos, weight_processing = "p", 4, 9, 9, 0, True, "none"
    device = torch.device("cpu")

    def __init__(self, table):
        self.table = torch.as_tensor(table, dtype=torch.float32)

    def activations(self, tokens, hook_name):
        rows = torch.as_tensor(tokens).clamp(min=0)
        return self.table[rows if rows.ndim == 2 else rows[None]]


SITE = ActivationSite("fake", "blocks.0.hook_resid_post", 4)


def random_rows(n=40, longest=12, seed=1):
    rng = np.random.default_rng(seed)
    rows = np.full((n, longest), -1, np.int32)
    for row in rows:
        length = rng.integers(1, longest + 1)
        row[:length] = rng.integers(1, 50, length)
        row[0] = 0
    return rows


def expected_rows(rows):
    """(token, position, token before, 1) of every counted token, sorted: written as plain loops."""
    out = []
    for row in rows:
        for position, token in enumerate(row):
            if token > 0:
                out.append((token, position, row[position - 1] if position else 0, 1))
    return sorted(out)


def as_rows(batches):
    return sorted(tuple(int(v) for v in row) for batch in batches for row in batch)
