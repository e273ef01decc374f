"""The doctor: what does not fit between an SAE and a model, found by trying the alternatives."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.bars import bar
from saewidgets.doctor.readings import Bench, Reading, hook_points, short_texts
from saewidgets.doctor.search import POOR, USELESS, Search, finite
from saewidgets.doctor.texts import ENGLISH
from saewidgets.files import unknown
from saewidgets.miniworld import own_corpus
from saewidgets.models import Model
from saewidgets.models.belonging import ROUNDING, differences, embedding_apart
from saewidgets.records import Diagnosis, Finding, Trial
from saewidgets.sae import SAE, check_sae, refuse_transcoder, top_share
from saewidgets.sae.norms import CURE, doubt

N_TOKENS = 512
SAME = 0.98  # mean cosine of an encoder column and the decoder row of its feature: 1 before training, .5 to .7 after
AT_START = 0.05  # root mean square of biases, in SAE units, where inputs have about 1
FEW = 64  # tokens that say too little of a pair for this to be remembered
OWN_TEXTS, OWN_LENGTH = 16, 32  # of a model without a tokenizer: how many texts, and the tokens of each
MAX_COPIED = 500_000_000  # parameters of a model that is copied to the CPU to check its device
DEVICE_ERROR = 1e-2  # largest difference of logits, over their spread, that two devices may have in float32


@torch.inference_mode()
def diagnose(
    model: Model | nn.Module, sae: SAE, text: Any = None, *, n_tokens: int = N_TOKENS, progress: bool = True
) -> Diagnosis:
    """Whether an SAE fits a model as it is read, or which change would make it fit.

    Runs about `n_tokens` tokens and compares the SAE's FVU as it is with what it would be at other hook points and
    layers of the same width, with and without a beginning-of-text token, with b_dec subtracted from the encoder's input
    or not, at the usual input scales (sqrt(d_in) / mean |x|, sqrt(d_in / mean |x|^2), 1) and under layer norm, and with
    centered activations, as TransformerLens's weight processing makes them. A change that helps enough is taken over,
    and the rest tried again, so that two mistakes are both found. It also compares the site that the SAE names with the
    model's, the fingerprints of the weights, looks for values that are not finite and for features that are all silent,
    and, on a GPU, runs one forward pass on the CPU as well.

    Of an SAE that explains next to nothing as it is read, another reading is told only if that explains half of the variance:
    directions at random explain a little everywhere. One that is as it was before training is not tried otherwise at all.

    What it cannot tell: an alternative that is as good on these tokens (a small difference in scale, say) is not a
    mistake here.

    Args:
        model: a `Model`, or a TransformerLens model.
        sae: the SAE, with a site or without.
        text: a text, a list of texts, a corpus, or token rows; None: a few paragraphs (of the mini-world, for its
            model).
        n_tokens: how many are run.
        progress: show how many ways to read the inputs have been tried, if it takes more than half a second.

    A model without a tokenizer, given no rows, is examined on texts that it writes itself.

    Raises ValueError only for a transcoder, a text without tokens, or a text for a model without a tokenizer.

    Example:
        >>> print(sw.diagnose(sw.load_model(), sw.load_sae()))  # doctest: +SKIP
    """
    check_sae(sae, "diagnose")
    refuse_transcoder(sae.config, "diagnose")
    return examine(Model.wrap(model), sae, text, n_tokens, progress=progress)


def examine(
    model: Model, sae: SAE, text: Any, n_tokens: int, *, brief: bool = False, progress: bool = True
) -> Diagnosis:
    """`diagnose`; if `brief`, an SAE that explains anything as it is read is not tried otherwise: one pass, up to its
    site.
    """
    with bar(None, "checking how the SAE fits", "readings", progress=progress) as advance:
        return _examined(model, sae, text, n_tokens, brief, advance)


def _examined(
    model: Model, sae: SAE, text: Any, n_tokens: int, brief: bool, advance: Callable[[int], None]
) -> Diagnosis:
    site, config = sae.config.site, sae.config
    findings: list[Finding] = []

    def result(trials: tuple[Trial, ...] = (), n: int = 0) -> Diagnosis:
        return Diagnosis(model.name, sae.name, site.hook_name if site else "", n, tuple(findings), trials)

    broken = [name for name, weight in sae.weights.items() if not bool(torch.isfinite(weight).all())]
    if broken:
        bad = sum(int((~torch.isfinite(sae.weights[name])).sum()) for name in broken)
        findings.append(
            Finding(
                "weights", False, f"{bad:,} values of {', '.join(broken)} are not finite.", "load it from another file"
            )
        )
        return result()
    findings += _recorded(model, sae)
    texts, bos = short_texts(model, default_texts(model) if text is None else text, n_tokens)
    if brief and text is not None and sum(map(len, texts)) < FEW:
        with suppress(ValueError):  # without a tokenizer there is nothing else to read
            texts, bos = short_texts(model, default_texts(model), n_tokens)
    bench = Bench(model, sae, texts)
    bench.advance = advance
    own = Reading(
        hook_name=site.hook_name if site else "",
        bos=bos,
        subtracts_b_dec=config.subtracts_b_dec,
        scale=sae.scale,
        normalization=config.input_normalization,
    )
    start, start_fit = own, None
    if own.hook_name in model.hook_names and bench.load([own.hook_name], own.bos):
        start_fit = bench.fit(own)
        sinks = _sinks(bench, own)
        if sinks:
            findings += sinks
            start_fit = bench.fit(own)
        useless = start_fit.fvu >= USELESS or start_fit.l0 == 0
        if (useless or start_fit.fvu >= POOR) and untrained(sae):
            findings.append(_untrained(start_fit.fvu))
        elif brief and not useless:
            findings.append(_seen(start_fit.fvu))
        if findings and findings[-1].topic == "fit":
            return result((Trial("", own.hook_name, start_fit.fvu, start_fit.l0),), bench.n_tokens)
    else:
        named = bench.load(hook_points(model, own.hook_name), own.bos)
        if not named:
            why = f"no hook point of {model.name} that was tried holds vectors of its {config.d_in} numbers."
            findings.append(Finding("hook", False, why, "load the model that the SAE was trained on"))
            return result(n=bench.n_tokens)
        if untrained(sae):
            findings.append(_untrained())
            return result(n=bench.n_tokens)
        fits = {h: bench.fit(replace(own, hook_name=h)) for h in named}
        best = min(named, key=lambda h: finite(fits[h].fvu))
        start, start_fit = replace(own, hook_name=best), fits[best]
    search = Search(bench, own, start, start_fit)
    search.run()
    findings += search.findings()
    if start_fit.l0 == 0:
        findings.append(
            Finding(
                "dead",
                False,
                f"no feature is active on any of {bench.n_tokens:,} tokens.",
                "sw.load_sae it again, or train it",
            )
        )
    findings += _device(model, bench, own.bos)
    trials = [Trial(own.change_to(start), start.hook_name, start_fit.fvu, start_fit.l0, bench.loss_recovered(start))]
    trials += [
        Trial(own.change_to(r), r.hook_name, f.fvu, f.l0, bench.loss_recovered(r) if r == search.now else float("nan"))
        for r, f in search.tried.items()
        if r != start
    ]
    return result(tuple(trials), bench.n_tokens)


def _sinks(bench: Bench, own: Reading) -> list[Finding]:
    """Whether a few tokens hold most of the variance of what is read: then they are left out of all that follows, since
    any reading that tames them, such as under layer norm, would look right beside one that does not.
    """
    x = bench.inputs(own)
    say = doubt(top_share((x - x.mean(0)).square().sum(-1)))
    if not say:
        return []
    bench.leaves_out = True
    n = len(x) - len(bench.inputs(own))
    return [Finding("outliers", None, f"{say}. {n} of {len(x)} tokens, of outlying norm, are left out here.", CURE)]


def untrained(sae: SAE) -> bool:
    """Whether its encoder and decoder are still the same directions and its biases still about 0, as before training."""
    same = nn.functional.cosine_similarity(sae.W_enc.T.float(), sae.W_dec.float(), dim=-1).mean()
    biases = [w.float().square().mean().sqrt() for name, w in sae.weights.items() if name.startswith("b_")]
    return bool(same >= SAME) and all(bool(bias <= AT_START) for bias in biases)


def _untrained(fvu: float | None = None) -> Finding:
    measured = "" if fvu is None else f"FVU {fvu:.3f}; "
    say = f"{measured}it is not trained: its encoder and decoder are the same directions, as before the first step."
    return Finding("fit", False, say, "train it: for step in sw.train(sae, store, sw.TrainConfig(steps=...)): ...")


def _seen(fvu: float) -> Finding:
    """What one look at an SAE that explains something says."""
    if np.isnan(fvu):
        return Finding("fit", None, "its inputs do not vary on these tokens, so that nothing can be said of it.")
    if fvu < POOR:
        return Finding("fit", True, f"it reconstructs what it reads: FVU {fvu:.3f}.")
    say = f"it leaves {fvu:.0%} of the variance in these texts unexplained, more than an SAE usually does where it belongs."
    return Finding("fit", None, say, "sw.diagnose(model, sae) tries other ways to read its input")


def _recorded(model: Model, sae: SAE) -> list[Finding]:
    """What the SAE says of its site, against the model."""
    site = sae.config.site
    if site is None:
        return []
    out = []
    if site.hook_name not in model.hook_names:
        out.append(Finding("hook name", False, unknown("hook", site.hook_name, model.hook_names) + "."))
    for found in differences(model, site, width=False):
        if found.field in _TOPICS:
            say = f"the SAE was trained with {found.field} {found.of_sae}, this model has {found.of_model}."
            out.append(Finding(_TOPICS[found.field], False, say, found.cure))
    apart = embedding_apart(model, site)
    if apart is not None and apart <= ROUNDING:
        out.append(Finding("fingerprint", True, "its embedding is the one that the SAE was trained with."))
    elif apart is not None:
        say = f"its embedding is not the one that the SAE was trained with: it differs by {apart:.0%} of its largest value."
        if model.quantization:
            say += f" Its weights were {model.quantization}, a coarser copy: what counts is how much the SAE explains."
        action = "" if model.quantization else "load the same model, at the same revision and with the same processing"
        out.append(Finding("fingerprint", None if model.quantization else False, say, action))
    return out


_TOPICS = {"model_name": "model", "weight_processing": "weights", "prepend_bos": "BOS recorded"}


def default_texts(model: Model) -> list[str] | list[list[int]]:
    """Texts to look at where none were given. A model without a tokenizer writes its own: random tokens would be none
    that it knows.
    """
    own = own_corpus(model.name, 32, seed=3)
    if own is not None:
        return list(own.texts)
    if model.has_tokenizer:
        return ENGLISH
    length = min(OWN_LENGTH, model.n_ctx)
    starts = [i * model.d_vocab // OWN_TEXTS for i in range(OWN_TEXTS)]
    return [
        [start, *(token for token, *_ in model.stream([start], n_tokens=length - 1, seed=start))] for start in starts
    ]


def _device(model: Model, bench: Bench, bos: bool) -> list[Finding]:
    """One forward pass here and one on the CPU, where the model is elsewhere."""
    if model.device.type == "cpu":
        return []
    if sum(p.numel() for p in model.hooked.parameters()) > MAX_COPIED:
        return [
            Finding(
                "device", None, f"{model.name} is too large to be copied to the CPU, so {model.device} is unchecked."
            )
        ]
    ids = bench.tokens(bos)[0][:2]
    here = model.logits(ids).float().cpu()
    with torch.inference_mode(False):
        twin = Model(copy.deepcopy(model.hooked).to("cpu"), name=model.name)
    return [compare_devices(here, twin.logits(ids).float(), ids, str(model.device))]


def compare_devices(here: Tensor, there: Tensor, ids: Tensor, device: str) -> Finding:
    """Whether logits [text, pos, d_vocab] of a device are those of the CPU, at the real tokens."""
    real = ids >= 0
    apart = float((here[real] - there[real]).abs().max() / there[real].std())
    if apart <= DEVICE_ERROR:
        return Finding("device", True, f"{device} gives the CPU's logits to {apart:.1e} of their spread.")
    say = f"{device} gives other logits than the CPU, by {apart:.2g} of their spread."
    return Finding("device", False, say, "update torch, or load_model(..., device='cpu')")
