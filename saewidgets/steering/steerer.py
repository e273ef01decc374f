"""The steered model as a source of text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from saewidgets.activations import check_pair
from saewidgets.bars import bar
from saewidgets.doctor.meeting import verdict
from saewidgets.models import Edit, Model, Prompt, Tokens
from saewidgets.models.sampling import finite
from saewidgets.models.threads import check_threads
from saewidgets.records import (
    OPENINGS,
    QUESTIONS,
    TEMPERATURE,
    ClampRecording,
    DashboardData,
    Dialogue,
    Generation,
    Intervention,
    NotFiniteError,
    Token,
    Turn,
    interventions,
)
from saewidgets.records.arguments import expect, listed, real, seed_of, whole
from saewidgets.records.carried import Carried
from saewidgets.records.dialogues import prompt_of
from saewidgets.records.steering import one_token
from saewidgets.records.tables import frame
from saewidgets.sae import SAE
from saewidgets.steering.batches import ROWS, Asked, BatchStream, Settings, several
from saewidgets.steering.carried import carried
from saewidgets.steering.edits import PromptReading, Spans, check_feature, check_features, intervention_edit
from saewidgets.steering.few_shot import FewShot
from saewidgets.steering.turns import answers_asked, until


class Steerer:
    """A model that writes under clamps: the `TextSource` of a `ClampPanel`.

    The SAE must have been trained at a site of this very model (name, hook point, weight processing, beginning-of-text
    token): in other coordinates the result would look right and be wrong.

    Raises ValueError if the SAE's site is not this model's, and TypeError if `model` is not a model or `sae` no SAE.

    Example:
        >>> steer = Steerer(load_model(), load_sae())
        >>> steer.generate("The cat", [Clamp(feature=31, value=8.0)], n_tokens=20).text
    """

    def __init__(self, model: Model | nn.Module, sae: SAE) -> None:
        self.model, own = check_pair(model, sae, "a clamp", reconstructs=True)
        self.sae = sae
        self.hook_name = own.hook_name
        self._memory = PromptReading(sae)
        check_threads()
        verdict(self.model, sae)  # warns if the two do not belong together

    def __repr__(self) -> str:
        return f"Steerer({self.model.name!r}, {self.sae.name or 'SAE'!r}, at {self.hook_name!r})"

    def __call__(
        self,
        prompt: Prompt,
        clamps: Sequence[Intervention] = (),
        *,
        n_tokens: int = 60,
        seed: int = 0,
        temperature: float = TEMPERATURE,
        kl: bool = True,
        cancel: Callable[[], bool] | None = None,
    ) -> Iterator[Token]:
        """Yield at most `n_tokens` tokens that continue `prompt`, each as soon as it is there.

        `prompt` is a text, token ids, or a dialogue (a `Dialogue`, or a list of {"role": ..., "content": ...}), which is
        put in the model's own form; the answer then ends with its turn, and scope "assistant" acts on the assistant's
        words, those of earlier turns too.

        One seed gives one text, and the same luck at each step whatever the clamps, so a clamped text parts from the
        unclamped one only where the clamp makes it. It ends early at a token of `Model.end_token_ids`, at a full context,
        or once `cancel()` is true. With `kl`, each token carries KL(clamped || unclamped) in nats, both on the text so
        far; the unclamped model runs as a second row of the same forward pass.

        Raises, at the call: TypeError on clamps that are none, ValueError on a feature outside the SAE, a prompt too
        long, a bad seed, temperature or number of tokens, or a position that the text does not reach. While it writes:
        NotFiniteError where the logits are not finite, since then there is no next token (`generate` keeps what was
        written, and why it stopped).
        """
        clamps = interventions(clamps)
        n_tokens, seed = whole(n_tokens, "n_tokens", minimum=0), seed_of(seed)
        temperature = real(temperature, "temperature", minimum=0)
        prompt = prompt_of(prompt)
        tokens, answers = self._read(prompt), answers_asked(self.model, prompt, clamps)
        reference = kl and bool(clamps)
        stream = self.model.stream(
            tokens,
            n_tokens=n_tokens,
            temperature=temperature,
            seed=seed,
            edit=self._edit(clamps, len(tokens), min(len(tokens) + n_tokens - 1, self.model.n_ctx), answers),
            reference=reference,
            cancel=cancel,
        )
        written = self._texts(stream, tokens, reference, 0.0 if not clamps else math.nan)
        return until(written, self.model.turn_end_text(prompt))

    def _texts(
        self, stream: Iterator[tuple[int, float, Tensor]], prompt: Tensor, reference: bool, otherwise: float
    ) -> Iterator[Token]:
        read = self.model.text_reader(after=prompt)
        for token, logprob, logits in stream:
            yield Token(token, read(token), logprob, _kl(logits) if reference else otherwise)

    def generate(self, prompt: Prompt, clamps: Sequence[Intervention] = (), **options: Any) -> Generation:
        """The whole text at once. Takes the options of a call: n_tokens, seed, temperature, kl, cancel.

        A text that breaks off because the logits are not finite says so: `Generation.stopped` holds the sentence.
        """
        clamps, tokens, stopped = interventions(clamps), list[Token](), ""
        try:
            tokens.extend(self(prompt, clamps, **options))
        except NotFiniteError as error:
            stopped = str(error)
        return Generation(
            self._shown(prompt),
            tuple(tokens),
            clamps,
            seed=options.get("seed", 0),
            temperature=options.get("temperature", TEMPERATURE),
            stopped=stopped,
        )

    def generate_batch(
        self,
        prompts: Prompt | Sequence[Prompt],
        grid: Sequence[Sequence[Intervention]] = ((),),
        seeds: Sequence[int] = (0,),
        *,
        n_tokens: int = 60,
        temperature: float = TEMPERATURE,
        kl: bool = True,
        rows_per_batch: int = ROWS,
        progress: bool = True,
        cancel: Callable[[], bool] | None = None,
    ) -> list[Generation]:
        """Every prompt under every set of clamps with every seed, many texts at a time: what `generate` gives of each, at
        a fraction of the cost.

        All texts of a prompt are written side by side, a row each, and a row ends on its own. A text is that of
        `generate` with the same settings, up to rounding where two tokens are as good as tied.

        Args:
            prompts: one or several, each a text, a dialogue or token ids.
            grid: sets of clamps, as for a call; `[]` is the model as it is.
            seeds: one text each.
            kl: measure KL(clamped || unclamped) at every token; without it clamped texts have nan.
            rows_per_batch: texts that are written at once; more take more memory.
            progress: show a bar, if it takes more than half a second.
            cancel: asked between tokens; once it is true, all texts end where they are. `stream_batch` gives them as
                they grow.

        Returns:
            One `Generation` per text: all of the first prompt, of which all of the first set of clamps, one per seed.

        Raises as a call does, before any text is written; ValueError without a prompt, a set or a seed. A text whose
        logits are not finite is kept as far as it got, with `Generation.stopped`.

        Example:
            >>> grid = [[], [Clamp(31, 4.0)], [Clamp(31, 8.0)]]
            >>> texts = steer.generate_batch(["I am", "The cat"], grid, seeds=range(5), n_tokens=4)
            >>> len(texts), texts[5].clamps
            (30, (Clamp(feature=31, value=4.0, scope='all'),))
        """
        stream = self.stream_batch(
            prompts, grid, seeds, n_tokens=n_tokens, temperature=temperature, kl=kl, rows_per_batch=rows_per_batch
        )
        if cancel is not None and cancel():
            return stream.texts()
        with bar(stream.total, "writing", "tokens", progress=progress) as advance:
            for n in stream:
                advance(n)
                if cancel is not None and cancel():
                    break
        return stream.texts()

    def stream_batch(
        self,
        prompts: Prompt | Sequence[Prompt],
        grid: Sequence[Sequence[Intervention]] = ((),),
        seeds: Sequence[int] = (0,),
        *,
        n_tokens: int = 60,
        temperature: float = TEMPERATURE,
        kl: bool = True,
        rows_per_batch: int = ROWS,
    ) -> BatchStream:
        """What `generate_batch` writes, step by step: iterate over it, and look at its `texts()` whenever you like.

        Takes and raises what `generate_batch` does, at the call. Without `kl` all sets of clamps are written in one batch,
        the model as it is beside them.

        Example:
            >>> stream = steer.stream_batch("The cat", [[], [Clamp(31, 8.0)]], seeds=range(4), n_tokens=20, kl=False)
            >>> for n in stream:
            ...     print(stream.texts()[-1].text)
        """
        sets = [interventions(row, f"grid[{i}]") for i, row in enumerate(listed(grid, "grid", "[sw.Clamp(31, 8.0)]"))]
        for row in sets:
            check_features(self.sae, row)
        seeds = [seed_of(seed) for seed in listed(seeds, "seeds", "0")]
        how = Settings(
            whole(n_tokens, "n_tokens", minimum=0),
            real(temperature, "temperature", minimum=0),
            kl,
            whole(rows_per_batch, "rows_per_batch", minimum=1),
        )
        asked = [self._asked(prompt, sets, how.n_tokens) for prompt in several(prompts)]
        for name, given in (("prompt", asked), ("set of clamps", sets), ("seed", seeds)):
            if not given:
                raise ValueError(f"give at least one {name}: there is nothing to write")
        rows = [(clamps, seed) for clamps in sets for seed in seeds]
        return BatchStream(self.model, self.sae, self.hook_name, asked, rows, how)

    def _read(self, prompt: Prompt) -> Tensor:
        """The tokens of a prompt [pos]. Raises ValueError where there is none."""
        tokens = self.model.tokens(prompt)
        if not len(tokens):
            raise ValueError(f"{self.model.name} has no beginning-of-text token, so it needs a prompt to continue")
        return tokens

    def _asked(self, prompt: Prompt, sets: Sequence[Sequence[Intervention]], n_tokens: int) -> Asked:
        """A prompt on which every set of clamps can act. Raises ValueError where a set cannot."""
        tokens = self._read(prompt)
        answers = answers_asked(self.model, prompt, (clamp for clamps in sets for clamp in clamps))
        for clamps in sets:
            self._edit(clamps, len(tokens), min(len(tokens) + n_tokens - 1, self.model.n_ctx), answers)
        return Asked(self._shown(prompt), tokens, answers, self.model.turn_end_text(prompt))

    def prompt_ids(self, prompt: Prompt) -> tuple[int, ...]:
        """The tokens of a prompt, as they are read: what a preset keeps of it.

        Example:
            >>> len(steer.prompt_ids("The cat"))
            3
        """
        return tuple(self.model.tokens(prompt).tolist())

    def room(self, prompt: Prompt) -> int:
        """How many tokens can be written after `prompt`. A `ClampPanel` names it as the limit.

        The last of them is written from a full context, so it is one more than the prompt leaves free. Raises
        ValueError on a prompt that does not fit itself.

        Example:
            >>> steer.room("The cat")
            254
        """
        return self.model.n_ctx - len(self.model.tokens(prompt)) + 1

    def waiting(self, seconds: float = 0.0) -> str:
        """Why this thread must wait before the model writes on, after waiting up to `seconds`: another thread holds
        hooks on it. "" where it need not. A `ClampPanel` shows it; a call without it waits by itself.

        Example:
            >>> steer.waiting()
            ''
        """
        return self.model.lock.waiting(seconds)

    @property
    def examples(self) -> dict[str, str | Dialogue]:
        """{name: prompt}: prompts for a `ClampPanel` to offer. To a model with a chat template the questions are put as
        dialogues, to the mini-world's as texts in its own form (what its bundled clamps were measured after); every
        model with a tokenizer gets texts to continue. Empty for a model that is used by token ids.

        Example:
            >>> steer.examples["Tell me about yourself."]
            'Human: Tell me about yourself.\\nAssistant:'
        """
        if not self.model.has_tokenizer:
            return {}
        asked: dict[str, str | Dialogue] = {}
        try:
            for question in QUESTIONS if self.model.chats else ():
                text = self.model.chat(question)  # whether the template takes it
                asked[question] = text if self.model.chat_format else Dialogue((Turn("user", question),))
        except (ValueError, ImportError):  # a template that does not take them, or cannot be run here
            asked = {}
        return asked | {text: text for text in OPENINGS}

    def comparisons(self, data: DashboardData) -> dict[str, FewShot]:
        """{name: comparison} for a `ClampPanel` to offer beside those that it is given: the mean difference of the
        features' examples, as strong as the clamps (see `FewShot`). Empty for a model without a tokenizer, or records of
        fewer than two features with examples.

        Example:
            >>> list(steer.comparisons(data))  # doctest: +SKIP
            ['mean difference']
        """
        told = sum(bool(f.top) for f in data.features.values()) > 1 and self.model.has_tokenizer
        return {"mean difference": FewShot(self.model, self.sae, data)} if told else {}

    def carried(self, features: Iterable[int]) -> Carried:
        """The model and the SAE as a page carries them, to clamp these features without a kernel: numbers of 16 bits, and
        what is said of them. `ClampPanel.to_html(path, live=True)` writes it into a page.

        Raises ValueError, in one sentence, for what a page cannot carry: too large, another family than GPT-2's, a
        tokenizer that is no byte-level BPE, hooks on the model.

        Example:
            >>> steer.carried([31]).about["parts"]["n_layers"]  # doctest: +SKIP
            6
        """
        return carried(self.model, self.sae, self.hook_name, features)

    def perplexity(self, prompt: Prompt, text: str | Tokens, clamps: Sequence[Intervention] = ()) -> float:
        """exp(mean negative log-probability) of `text` after `prompt`, at temperature 1, under the clamps.

        1 is certainty; d_vocab is a blind guess. Scopes "generated" and "assistant" cover the tokens of `text`. Raises
        ValueError if `text` has no token, or both do not fit in the context, TypeError on clamps that are none, and
        NotFiniteError if the logits are not finite.
        """
        clamps = interventions(clamps)
        before = self.model.tokens(prompt)
        own = self.model.continuation(text)
        if not len(before) or not len(own):
            raise ValueError("perplexity needs a text of at least one token, and a token before it")
        tokens = torch.cat([before, own])
        edit = self._edit(clamps, len(before), len(tokens) - 1, answers_asked(self.model, prompt, clamps))
        logits = self.model.logits(tokens, edit)[0, len(before) - 1 : -1]  # [n, d_vocab]
        if not bool(finite(logits).all()):
            raise self.model.not_finite(f"over the text {text!r:.40}", edit)
        logprobs = logits.double().log_softmax(-1)[torch.arange(len(own)), own]
        return float(torch.exp(-logprobs.mean()))

    def perplexities(self, prompt: Prompt, texts: Sequence[Tokens]) -> list[float]:
        """`perplexity` of several texts after one prompt, each given as token ids, under the model as it is, in one batch
        that reads the prompt once: how likely the model finds them; inf for a text of no token.

        Raises ValueError where a text does not fit in the context after the prompt.

        Example:
            >>> steer.perplexities("The cat", [[t.id for t in text.tokens] for text in steer.generate_batch("The cat")])
        """
        given = listed(texts, "texts", "[31, 7]")
        own = [self.model.continuation(text).tolist() if len(text) else [] for text in given]
        found = self.model.logprobs(self._read(prompt), own)
        return [math.exp(-float(row.mean())) if len(row) else math.inf for row in found]

    def measure(
        self,
        prompt: Prompt,
        clamps: Sequence[Intervention],
        features: Sequence[int],
        hook_names: Sequence[str] | None = None,
        *,
        tokens: Sequence[Token] = (),
    ) -> pd.DataFrame:
        """The features measured again after the clamp, where it acts and further up, without and with it.

        At the SAE's own site the activation a_f is read again by the SAE. At later sites there is no SAE, so what is
        read is how far the residual stream x lies along the feature's direction d_f, counted in the same SAE units:

            (x . d_f) / |d_f|^2

        with d_f what one unit of the activation adds at that token (`SAE.directions_at`, of x as it comes to the SAE).
        Where a clamp survives, that coefficient stays high from layer to layer.

        Args:
            prompt, clamps: as for a call. Scope "generated" covers `tokens`.
            features: which features to measure.
            hook_names: where. By default at the SAE's site and after every later block.
            tokens: tokens already written after the prompt, such as those of a `Generation`.

        Returns:
            One row per (feature, site, position): feature, hook_name, measure ("activation" or "projection"), position,
            token (as it is displayed), default, clamped.

        Raises ValueError on an unknown feature or hook, or one that holds vectors of another width.

        Example:
            >>> found = steer.measure("The cat", [Clamp(31, 8.0)], [31])
            >>> found.groupby("hook_name", sort=False)[["default", "clamped"]].mean()
        """
        clamps = interventions(clamps)
        features = [check_feature(self.sae, feature) for feature in listed(features, "features", "31")]
        before = self.model.tokens(prompt)
        ids = torch.cat([before, torch.tensor([t.id for t in tokens], dtype=torch.long, device=before.device)])
        names = list(dict.fromkeys(hook_names if hook_names is not None else self._later_sites()))
        edits = (None, self._edit(clamps, len(before), len(ids), answers_asked(self.model, prompt, clamps)))
        found = [self.model.read(ids, [*names, self.hook_name], edit) for edit in edits]
        home = self.sae.W_dec.device
        # One site is edited, so what comes to it is the same in both passes: the unit is that in which the clamp acts.
        own = found[0][self.hook_name][0].to(home)[:, None]  # [pos, 1, d_in]
        directions = self.sae.directions_at(own, features).double()  # [pos, feature, d_in]
        shown = self.model.display(ids)
        tables = []
        for name in names:
            here = name == self.hook_name
            read = []  # default, clamped: [pos, feature]
            for reading in found:
                x = reading[name][0].to(home)
                if x.shape[-1] != self.sae.config.d_in:
                    raise ValueError(
                        f"{name} is {x.shape[-1]} wide, and the feature's direction {self.sae.config.d_in}"
                    )
                if here:
                    with torch.no_grad():
                        read.append(self.sae.activations_of(x.float(), features).cpu())
                else:
                    along = (x.double()[:, None] * directions).sum(-1)
                    read.append((along / directions.square().sum(-1)).cpu())
            for column, feature in enumerate(features):
                tables.append(
                    frame(
                        {
                            "feature": feature,
                            "hook_name": name,
                            "measure": "activation" if here else "projection",
                            "position": range(len(ids)),
                            "token": shown,
                            "default": read[0][:, column].numpy().astype(float),
                            "clamped": read[1][:, column].numpy().astype(float),
                        }
                    )
                )
        columns = ["feature", "hook_name", "measure", "position", "token", "default", "clamped"]
        return pd.concat(tables, ignore_index=True) if tables else frame(columns=columns)

    def _later_sites(self) -> list[str]:
        """The SAE's own site, and the residual stream after each block from there on."""
        parts = self.hook_name.split(".")
        own = int(parts[1]) if parts[0] == "blocks" and len(parts) > 2 else -1
        after = [f"blocks.{layer}.hook_resid_post" for layer in range(max(own, 0), self.model.n_layers)]
        return list(dict.fromkeys([self.hook_name, *after]))

    def _shown(self, prompt: Prompt) -> str | Dialogue:
        """A prompt as a record keeps it: a dialogue as it is, token ids as their text."""
        found = prompt_of(prompt)
        return found if isinstance(found, Dialogue) else self.model.written(found)

    def _edit(
        self, clamps: Sequence[Intervention], n_prompt: int, n_read: int = 1 << 62, answers: Spans = ()
    ) -> Edit | None:
        """The clamps as an edit; ValueError on one that holds at no token that is read, all of which are `n_read`."""
        for clamp in clamps:
            first = clamp.scope if isinstance(clamp.scope, int) else one_token(clamp.scope) or 0
            if first >= max(n_read, n_prompt):
                raise ValueError(
                    f"scope {clamp.scope!r} covers nothing: the model reads {n_read} tokens here, numbers 0 to {n_read - 1}, "
                    f"{n_prompt} of them the prompt's: choose an earlier position, or more tokens"
                )
        if not clamps:
            return None
        edit = intervention_edit(self.sae, clamps, n_prompt=n_prompt, answers=answers, memory=self._memory)
        return Edit(self.hook_name, edit)


def _kl(logits: Tensor) -> float:
    """KL(clamped || unclamped) of two next-token distributions given as logits [2, d_vocab], in nats; never below 0."""
    p, q = logits.double().log_softmax(-1)
    return max(float(p.exp() @ (p - q)), 0.0)


def record_clamps(
    steerer: Steerer,
    prompt: str | Dialogue | Sequence[Mapping[str, str]],
    grid: Sequence[Sequence[Intervention]],
    seeds: Sequence[int] = (0,),
    *,
    n_tokens: int = 60,
    temperature: float = TEMPERATURE,
    maxima: Mapping[int, float] | None = None,
    progress: bool = True,
) -> ClampRecording:
    """Write a text for every set of clamps in `grid` and every seed, the default text too, and keep them for playback.

    `maxima` gives each feature's maximum in SAE units, so that the recording knows its multiples. `progress=False`
    draws no bar. Raises as a call of the steerer does, before any text is written. A text whose logits are not finite
    is kept as far as it got, with `Generation.stopped`.

    Example:
        >>> grid = [[Clamp(31, m * 4.0)] for m in (-2, 0, 2, 4)]  # doctest: +SKIP
        >>> record_clamps(steer, "The cat", grid, seeds=[0, 1], maxima={31: 4.0}).save("clamps.json")  # doctest: +SKIP
    """
    expect(steerer, Steerer, "steerer", "record_clamps")
    rows = [interventions(row, f"grid[{i}]") for i, row in enumerate(listed(grid, "grid", "[sw.Clamp(31, 8.0)]"))]
    seeds = [seed_of(seed) for seed in listed(seeds, "seeds", "0")]
    texts = steerer.generate_batch(
        [prompt],  # one, whatever its kind
        list(dict.fromkeys([(), *rows])),
        list(dict.fromkeys(seeds)),
        n_tokens=n_tokens,
        temperature=temperature,
        progress=progress,
    )
    return ClampRecording(prompt_of(prompt), tuple(texts), maxima or {}, n_tokens)
