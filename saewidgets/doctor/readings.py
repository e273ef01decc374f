"""The ways in which an SAE's inputs may have been meant, and how well the SAE does on each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.memory import CELLS
from saewidgets.models import Model, counted_tokens, texts_of
from saewidgets.records import ActivationSite
from saewidgets.sae import SAE, above, norm_bound, unexplained

STREAM = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out")
NEAR = 2  # layers to either side that are tried in a model of more than `SMALL` layers
SMALL = 12


@dataclass(frozen=True)
class Reading:
    """How the SAE's inputs are read."""

    hook_name: str
    bos: bool  # whether texts begin with the beginning-of-text token
    subtracts_b_dec: bool  # whether the encoder reads s x - b_dec
    scale: float  # SAE units per model unit
    normalization: str  # as in SAEConfig
    centering: str = ""  # "centered": each vector's mean taken off; "restored": the mean of b_dec put on

    def change_to(self, other: Reading) -> str:
        """What `other` does differently, "" for nothing."""
        said = []
        if self.hook_name != other.hook_name:
            said.append(f"at {other.hook_name}")
        if self.bos != other.bos:
            said.append(f"{'with' if other.bos else 'without'} BOS")
        if self.subtracts_b_dec != other.subtracts_b_dec:
            said.append(f"apply_b_dec_to_input={other.subtracts_b_dec}")
        if self.normalization != other.normalization:
            said.append(f"input_normalization={other.normalization!r}")
        elif self.scale != other.scale:
            said.append(f"scale {other.scale:.4g}")
        if self.centering != other.centering:
            said.append({"centered": "activations centered", "restored": "mean of b_dec put on"}[other.centering])
        return ", ".join(said)


@dataclass(frozen=True, eq=False)
class Fit:
    """How well the SAE does on one reading."""

    fvu: float
    l0: float
    by_text: np.ndarray  # float64 [text], summed squared error over the variance of all: which texts got better


class Bench:
    """Texts that were run through a model once a beginning, to read an SAE's inputs from in many ways."""

    def __init__(self, model: Model, sae: SAE, texts: list[list[int]]) -> None:
        self.model, self.sae, self.texts = model, sae, texts
        _, own = self.tokens(False)
        self.n_tokens = int(own.sum())
        self.leaves_out = False  # tokens of outlying norm, wherever they are found
        self.advance: Callable[[int], None] = lambda n: None  # told of every reading that is tried
        self._read: dict[tuple[bool, str], Tensor] = {}
        self._text = own.nonzero()[:, 0]  # [token], whose text it is of

    def tokens(self, bos: bool) -> tuple[Tensor, Tensor]:
        """(ids [text, pos] padded with -1, bool [text, pos]: the texts' own tokens that count, special ones such as a
        chat template's not among them, unless there are no others).
        """
        begin = [self.model.bos_token_id] if bos and self.model.bos_token_id is not None else []
        width = max(map(len, self.texts)) + len(begin)
        ids = torch.full((len(self.texts), width), -1)
        for row, text in zip(ids, self.texts, strict=True):
            row[: len(begin) + len(text)] = torch.tensor([*begin, *text])
        own = ids >= 0
        own[:, : len(begin)] = False
        counted = own & torch.from_numpy(counted_tokens(self.model, ids.numpy()))
        return ids, counted if bool(counted.any()) else own

    def load(self, hook_names: list[str], bos: bool) -> list[str]:
        """Read these hook points in one pass, as far as they hold vectors of the SAE's width; give those that do.

        A pass for one hook point ends there.
        """
        missing = [h for h in hook_names if (bos, h) not in self._read]
        ids, own = self.tokens(bos)
        while missing:
            try:
                alone = len(missing) == 1
                found = (
                    {missing[0]: self.model.activations(ids, missing[0])} if alone else self.model.read(ids, missing)
                )
            except ValueError as error:  # nothing flows through one of them in this model: it is named first
                silent = [h for h in missing if str(error).startswith(f"{h} ")]
                if not silent:
                    raise
                missing = [h for h in missing if h not in silent]
                continue
            for name, x in found.items():
                if x.ndim == 3 and x.shape[-1] == self.sae.config.d_in:
                    self._read[bos, name] = x[own.to(x.device)].float().to(self.sae.W_enc.device)
            break
        return [h for h in hook_names if (bos, h) in self._read]

    def inputs(self, reading: Reading) -> Tensor:
        """x [token, d_in], of the tokens that count."""
        x, own = self._counted(reading)
        return recentered(x[own], self.sae, reading)

    def _counted(self, reading: Reading) -> tuple[Tensor, Tensor]:
        """(x [all tokens, d_in], bool [all tokens]: which of them count): the SAE's own site may have a bound of the
        norm.
        """
        self.load([reading.hook_name], reading.bos)
        x, site = self._read[reading.bos, reading.hook_name], self.sae.config.site
        bound = site.max_norm if site is not None and site.hook_name == reading.hook_name else None
        if bound is None and self.leaves_out:
            bound = norm_bound(torch.linalg.vector_norm(x, dim=-1))
        return x, ~above(x, bound)

    @torch.no_grad()
    def fit(self, reading: Reading) -> Fit:
        """FVU and L0 of the SAE on that reading; the FVU is nan where the inputs do not vary."""
        x, text = self.inputs(reading), self._text[self._counted(reading)[1].cpu()]
        sae = variant(self.sae, reading)
        active, errors = 0, []
        for block in x.split(max(1, CELLS // sae.config.d_sae)):
            a = sae.encode(block)
            active += int((a > 0).sum())
            errors.append((sae.decode(a, block) - block).double().square().sum(-1))
        error = torch.cat(errors).cpu()
        mean = x.mean(0)
        variance = float((x - mean).double().square().sum())
        by_text = torch.zeros(len(self.texts), dtype=torch.float64).index_add_(0, text, error)
        fvu = unexplained(float(error.sum()), variance, len(x) * float(mean.double().square().sum()))
        self.advance(1)
        return Fit(fvu, active / max(len(x), 1), by_text.numpy() / max(variance, 1e-300))

    @torch.no_grad()
    def loss_recovered(self, reading: Reading) -> float:
        """(ablated - spliced) / (ablated - clean) of the next-token loss; nan if ablation costs nothing."""
        ids, own = self.tokens(reading.bos)
        ids, mask = ids.to(self.model.device), own[..., None].to(self.model.device)
        x = self.model.activations(ids, reading.hook_name)  # [text, pos, d_in]
        moved = recentered(x.to(self.sae.W_enc.device).float(), self.sae, reading)
        back = variant(self.sae, reading)(moved) - moved + x.to(moved)  # the shift, if any, is taken off again
        row, position = (ids[:, 1:] >= 0).nonzero(as_tuple=True)  # where the next token is a real one
        target = ids[row, position + 1]
        losses = []
        for flow in (x, torch.where(mask, back.to(x), x), torch.where(mask, 0.0, x)):
            logits = self.model.resumed_logits(ids, reading.hook_name, flow, row, position)
            losses.append(float(nn.functional.cross_entropy(logits, target.to(logits.device))))
        clean, spliced, ablated = losses
        return (ablated - spliced) / (ablated - clean) if ablated != clean else float("nan")


def recentered(x: Tensor, sae: SAE, reading: Reading) -> Tensor:
    """x with its centering changed as the reading says."""
    if reading.centering == "centered":
        return x - x.mean(-1, keepdim=True)
    if reading.centering == "restored":
        return x + sae.b_dec.mean() / reading.scale
    return x


def variant(sae: SAE, reading: Reading) -> SAE:
    """The same weights, reading their input otherwise."""
    config, normalized = sae.config, reading.normalization != "none"
    own = config.site or ActivationSite("", reading.hook_name, config.d_in)
    config = replace(
        config,
        site=replace(own, scale=1.0 if normalized else reading.scale),
        apply_b_dec_to_input=reading.subtracts_b_dec,
        input_normalization=reading.normalization,
    )
    return SAE.from_weights(config, {name: weight.detach() for name, weight in sae.weights.items()})


def hook_points(model: Model, hook_name: str) -> list[str]:
    """The hook points that an SAE may have been meant for: the residual stream's and what is added to it, or, for
    another kind of site, the same kind in other layers. In a large model, near layers and every layer's output.
    """
    names = set(model.hook_names)
    found = re.fullmatch(r"blocks\.(\d+)\.(.+)", hook_name)
    layer, kind = (int(found[1]), found[2]) if found else (None, "")
    kinds = STREAM if not kind or kind in STREAM else (kind, *STREAM)
    out = []
    for other in range(model.n_layers):
        near = layer is None or model.n_layers <= SMALL or abs(other - layer) <= NEAR
        out += [f"blocks.{other}.{k}" for k in kinds if near or k == "hook_resid_post"]
    return [h for h in out if h in names]


def scales(x: Tensor) -> Iterator[tuple[str, float]]:
    """(name, value) of the usual input scales, on these activations."""
    d = x.shape[-1]
    norm, square = float(x.norm(dim=-1).mean()), float(x.double().square().sum(-1).mean())
    if norm > 0:
        yield "sqrt(d_in) / mean |x|", d**0.5 / norm
        yield "sqrt(d_in / mean |x|^2)", (d / square) ** 0.5
    yield "1", 1.0


def short_texts(model: Model, text: Any, n_tokens: int) -> tuple[list[list[int]], bool]:
    """(beginnings of texts as ids without a beginning-of-text token, whether they had one), together about `n_tokens`,
    and fewer where texts of unlike length would make a pass of more than twice as many, padding included.

    Of a long corpus only as much is looked at as is needed. Raises ValueError if there are no tokens.
    """
    rows = texts_of([text] if isinstance(text, str) else text)
    bos = model.prepend_bos
    listed: Iterable[list[int]]
    if not isinstance(rows, np.ndarray) and rows and isinstance(rows[0], str):
        listed = (model.vocabulary.encode(t) for t in rows)
    else:
        given = ([i for i in np.asarray(row).reshape(-1).tolist() if i >= 0] for row in rows)
        first = list(islice(given, max(n_tokens, 1)))
        if model.bos_token_id is not None and first:
            bos = sum(row[:1] == [model.bos_token_id] for row in first) * 2 > len(first)
        listed = ([i for i in row if i != model.bos_token_id] for row in first)
    # Many beginnings show a beginning-of-text token better than one long text.
    longest = min(max(n_tokens // 8, 1), model.n_ctx - 1)
    if len(rows) * longest < n_tokens:  # few long texts: cut them in pieces
        listed = (row[i : i + longest] for row in listed for i in range(0, max(len(row), 1), longest))
    out: list[list[int]] = []
    left, width = n_tokens, 0
    for row in listed:
        row = row[: min(longest, left)]
        width = max(width, len(row) + 1)  # with a beginning-of-text token
        if out and (len(out) + 1) * width > 2 * n_tokens:
            break
        if row:
            out.append(row)
            left -= len(row)
        if left <= 0:
            break
    if not out:
        raise ValueError("the text has no tokens: give one or more texts, about 512 tokens in all")
    return out, bos
