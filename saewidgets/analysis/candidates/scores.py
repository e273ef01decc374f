"""Input and output scores of features: what tells, without writing a text, how well each will steer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair
from saewidgets.analysis.features.examples import Entries, top_positions
from saewidgets.analysis.prompts.activations import check_acts
from saewidgets.bars import bar
from saewidgets.memory import CELLS
from saewidgets.models import Model, Tokens
from saewidgets.records import FeatureActivations, JacobianLens, SteeringScores
from saewidgets.records.arguments import expect, real, require_features, whole
from saewidgets.sae import SAE

PROMPT = "From my experience,"  # says nothing about what comes
STRENGTH = 10.0
N_TOKENS = 20
N_EXAMPLES = 100


def steering_scores(
    model: Model | nn.Module,
    sae: SAE,
    acts: FeatureActivations | None = None,
    *,
    features: Sequence[int] | None = None,
    lens: JacobianLens | None = None,
    prompt: str | Tokens = PROMPT,
    strength: float = STRENGTH,
    n_tokens: int = N_TOKENS,
    n_examples: int = N_EXAMPLES,
    progress: bool = True,
) -> SteeringScores:
    """The input and output score of features (Arad, Mueller, Belinkov 2025): see `SteeringScores`.

    T are the `n_tokens` tokens that a feature promotes most, by `model.direction_logits` at its decoder row d: the
    logit lens; with a `lens`, at J d. For the output score the model reads `prompt` with

        x' = x + strength * (largest activation of any feature at the last token) * d

    at the last token, the reconstruction error kept. Two thousand features of the bundled model take seconds.

    Args:
        acts: over a corpus, for the input score; without them it is nan.
        features: which ones; by default all of the SAE.
        lens: from `jacobian_lens`, with a matrix at the SAE's site.
        prompt: a neutral text, or token ids.
        n_examples: strongest examples of a feature, at most one per context.
        progress: show a bar, if it takes more than half a second.

    Raises ValueError where the SAE does not write to the residual stream, on a prompt without a token, or one at which
    no feature is active, and if model, SAE, `acts` and `lens` do not belong together; NotFiniteError where logits are
    not finite.

    Example:
        >>> scores = steering_scores(model, sae, acts)  # doctest: +SKIP
        >>> scores.to_dataframe().sort_values("output", ascending=False).head()  # doctest: +SKIP
    """
    model, site = check_pair(model, sae, "steering scores", reconstructs=True)
    check_acts(sae, acts)
    strength = real(strength, "strength")
    if not strength > 0:
        raise ValueError(f"strength must be above 0, not {strength:g}: raised by nothing, a feature does nothing")
    n_tokens = min(whole(n_tokens, "n_tokens", minimum=1), model.d_vocab)
    n_examples = whole(n_examples, "n_examples", minimum=1)
    if site.d_in != model.d_model:
        raise ValueError(
            f"{site.hook_name} is {site.d_in} wide and the residual stream {model.d_model}: no token is promoted there"
        )
    d_sae = sae.config.d_sae
    own = list(range(d_sae)) if features is None else sorted(set(require_features(features, d_sae)))
    rows = sae.decoder_directions[torch.tensor(own, device=sae.W_dec.device)].float()
    wanted = _promoted(model, site.hook_name, rows, lens, n_tokens)  # [feature, n_tokens]
    ids = model.tokens(prompt)
    if not len(ids):
        raise ValueError("the prompt is empty: give a neutral text, such as 'From my experience,'")
    x = model.activations(ids, site.hook_name)[:, -1:].to(sae.W_enc.device).float()
    with torch.no_grad():
        largest = float(sae.encode(x).max())
        push = strength * largest * rows * sae.spread(x).reshape(-1)
    if not largest > 0:
        raise ValueError(f"no feature is active at the end of {model.written(ids)!r:.60}: give another prompt")
    output, probability, rank = _outputs(model, ids, site.hook_name, push, wanted, progress)
    input_score, count = _inputs(acts, np.array(own, np.int64), wanted.numpy(), n_examples)
    promoted = wanted.unique().tolist()
    shown = dict(zip(promoted, model.display(promoted), strict=True))
    return SteeringScores(
        feature=tuple(own),
        input=tuple(input_score.tolist()),
        output=tuple(output.tolist()),
        probability=tuple(probability.tolist()),
        rank=tuple(rank.tolist()),
        n_examples=tuple(count.tolist()),
        tokens=tuple(tuple(shown[token] for token in row) for row in wanted.tolist()),
        prompt=model.written(ids),
        strength=strength,
        amount=strength * largest,
        lens="logit lens" if lens is None else lens.name,
        d_vocab=model.d_vocab,
        model_name=model.name,
        sae_name=sae.name,
        hook_name=site.hook_name,
        weights=model.weights,
        corpus="" if acts is None else acts.corpus,
    )


def _promoted(model: Model, hook_name: str, rows: Tensor, lens: JacobianLens | None, n: int) -> Tensor:
    """int64 [feature, n], the tokens that decoder rows promote most, the most promoted first."""
    if lens is not None:
        expect(lens, JacobianLens, "lens", "steering_scores", "give jacobian_lens(model, texts)")
        if lens.model_name != model.name:
            raise ValueError(f"the lens is of {lens.model_name}, the model is {model.name}: make one of this model")
        rows = torch.from_numpy(lens.carried(hook_name, rows.cpu().numpy()))
    rows = rows.to(model.device)
    blocks = rows.split(max(1, CELLS // model.d_vocab))
    return torch.cat([model.direction_logits(block).topk(n, dim=1).indices.cpu() for block in blocks])


def _outputs(
    model: Model, ids: Tensor, hook_name: str, push: Tensor, wanted: Tensor, progress: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(output score, p, r) of each feature, [feature] each."""
    probability, rank = np.zeros(len(push)), np.zeros(len(push), np.int64)
    last = torch.full((len(push),), len(ids) - 1)
    with bar(len(push), "raising", "features", progress=progress) as advance:
        for part, logits in model.pushed_logits(ids, hook_name, last, push.to(model.device)):
            at = part.numpy()  # a tensor of one number would index as a number
            if not bool(logits.isfinite().all()):
                raise model.not_finite(f"after {model.written(ids)!r:.40} with a feature raised", None)
            best = logits.gather(1, wanted[at].to(logits.device)).max(1, keepdim=True).values  # [row, 1]
            probability[at] = (best - logits.logsumexp(1, keepdim=True)).double().exp()[:, 0].cpu().numpy()
            rank[at] = (logits > best).sum(1).cpu().numpy()
            advance(len(part))
    return (1 - rank / model.d_vocab) * probability, probability, rank


def _inputs(
    acts: FeatureActivations | None, features: np.ndarray, wanted: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """(input score, number of examples) of each feature, [feature] each."""
    if acts is None:
        return np.full(len(features), np.nan), np.zeros(len(features), np.int64)
    entries = Entries.of(acts, features)
    picked, _ = top_positions(entries, n)
    row, index = entries.row[picked], entries.index[picked]
    peak = acts.tokens[acts.context[index], acts.position[index]]
    hits = np.bincount(row, (wanted[row] == peak[:, None]).any(1), minlength=len(features))
    count = np.bincount(row, minlength=len(features))
    with np.errstate(invalid="ignore"):
        return hits / count, count
