"""Ways of steering compared by AxBench's measure, with rules in the place of a language model that rates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from saewidgets.analysis.doses.dose_response import dose_response
from saewidgets.analysis.doses.text_measures import Detector, detector
from saewidgets.bars import bar, muted
from saewidgets.miniworld import CHAT, answers
from saewidgets.models import Model
from saewidgets.records import DoseResponseData, DoseText, RatedText, SteeringBenchmark
from saewidgets.records.arguments import asked, expect, listed
from saewidgets.sae import SAE

FLUENT, CLUMSY = 2.0, 4.0  # perplexity over that of the model's own texts: at most, for a 2 and for a 1
REPEATS = 2  # three words in a row may stand so often in a text, or its fluency is 0
FACTORS = (0.6, 1.0, 1.35, 1.7, 2.2)
METHODS = ("clamp", "add", "mean_difference", "prompt")
# Ten questions of the mini-world, two of each kind: the first of each to choose on, the second to tell on.
CHOOSING = (
    "What is your physical form?",
    "Who are you?",
    "Where do you live?",
    "What do you do all day?",
    "What makes you happy?",
)
TELLING = (
    "What do you look like?",
    "Tell me about yourself.",
    "Where can I find you?",
    "What keeps you busy?",
    "What do you love?",
)
JUDGES = (
    "concept: 2 in the first person or in two sentences, 1 elsewhere, 0 nowhere; instruction: the grammar's answers to "
    f"the question, 1 for those to another; fluency: perplexity at most {FLUENT:g} and {CLUMSY:g} times the model's own, "
    f"0 where three words in a row stand more than {REPEATS} times"
)

_FIRST_PERSON = re.compile(r"\b(?:I|me|my|mine|myself|soy|mi|estoy|tengo)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")


def concept_rating(text: str, found_in: Detector) -> int:
    """How far a text is about a concept: 0 not at all, 1 it is mentioned, 2 it is what the text speaks as or of: a
    sentence with it is in the first person, or two sentences have it.

    Example:
        >>> owl = lambda text: "owl" in text
        >>> [concept_rating(t, owl) for t in ("I am a cat.", "I see it. That is an owl.", "I am an owl.")]
        [0, 1, 2]
    """
    if not found_in(text):
        return 0
    own = [s for s in _SENTENCE.findall(text) if found_in(s)]
    return 2 if len(own) > 1 or any(_FIRST_PERSON.search(s) for s in own) else 1


def fluency_rating(perplexity_ratio: float, repeats: int) -> int:
    """How fluent a text is: 2 where its perplexity under the model with nothing done to it is at most twice that of the
    model's own texts where such a text is expected, 1 where it is at most four times, else 0; 0 also where three words
    in a row stand more than twice in it, which a model finds likely.

    Example:
        >>> fluency_rating(1.3, 1), fluency_rating(3.0, 1), fluency_rating(9.0, 1), fluency_rating(1.0, 5)
        (2, 1, 0, 0)
    """
    if repeats > REPEATS:
        return 0
    return 2 if perplexity_ratio <= FLUENT else int(perplexity_ratio <= CLUMSY)


def steering_benchmark(
    model: Model | nn.Module,
    sae: SAE,
    feature: int,
    concept: str | Detector | Iterable[str],
    *,
    maximum: float | None = None,
    choosing: Sequence[str] = CHOOSING,
    telling: Sequence[str] = TELLING,
    prompt: str | Callable[[str], Any] = CHAT,
    steering_prompt: Callable[[str], Any] | None = None,
    instruction: Callable[[str, str], int] = answers,
    methods: Sequence[str] = METHODS,
    factors: Sequence[float] = FACTORS,
    seeds: Sequence[int] = range(2),
    progress: bool = True,
    **options: Any,
) -> SteeringBenchmark:
    """Clamp, addition, mean difference and prompt by AxBench's measure (Wu et al. 2025): of each text whether the
    concept is in it, whether it does what was asked and whether it is fluent, each 0, 1 or 2, and the harmonic mean.

    The factor of each method is chosen on some questions and told on others. In AxBench a large language model rates;
    here rules do, `concept_rating`, `fluency_rating` and `instruction`, so figures are to be compared with one another
    and not with those of the paper.

    Args:
        concept: as for `dose_response`.
        choosing, telling: questions; by default five each of the mini-world's.
        prompt: what stands around a question, with {} for it, or a function of the question.
        steering_prompt: a function of the question: what method "prompt" continues. By default that of `dose_response`.
        instruction: (question, text) -> 0, 1 or 2. By default the mini-world's grammar tells, `miniworld.answers`.
        methods: kinds of `dose_response`.
        factors: strengths, in multiples of the feature's maximum.
        options: further ones of `dose_response`, such as `acts`, `n_tokens`, `temperature`, `positive`.

    Raises ValueError on a question that stands in both halves or a rating that is none, and as `dose_response` does.

    Example:
        >>> entry = sw.load_clamps()["owl"]  # doctest: +SKIP
        >>> steering_benchmark(model, sae, entry.feature, "owl", maximum=entry.maximum).summary()  # doctest: +SKIP
    """
    first, second = (tuple(listed(q, "questions", '"Who are you?"')) for q in (choosing, telling))
    both = sorted({*first} & {*second})
    if both or not first or not second:
        raise ValueError(f"choosing and telling must have other questions each, not both {both[:1]}")
    expect(instruction, asked(instruction), "instruction", "a benchmark", "give a function of (question, text)")
    around = prompt.format if isinstance(prompt, str) else prompt
    for question in (*first, *second):
        instruction(question, "")  # one that it does not know is told before anything is written
    name, found_in = detector(concept)
    if found_in is None:
        raise ValueError("a benchmark needs a concept, such as 'owl' or ['owl', 'owls']")
    texts: list[RatedText] = []
    with bar(len(first) + len(second), "asking", "questions", progress=progress) as advance, muted(True):
        for question in (*first, *second):
            own = {} if steering_prompt is None else {"steering_prompt": steering_prompt(question)}
            data = dose_response(
                model, sae, feature, maximum=maximum, prompt=around(question), concept=concept, kinds=list(methods),
                multiples=factors, seeds=seeds, **own, **options,
            )  # fmt: skip
            texts += rated(data, question, found_in, instruction)
            advance(1)
    about: Mapping[str, str] = {"model_name": data.model_name, "sae_name": data.sae_name, "corpus": data.corpus}
    judges = JUDGES if instruction is answers else JUDGES.replace("the grammar's answers to", "a function of")
    return SteeringBenchmark(name, data.feature, first, second, tuple(texts), judges, **about)


def rated(
    data: DoseResponseData,
    question: str,
    found_in: Detector,
    instruction: Callable[[str, str], int] = answers,
) -> list[RatedText]:
    """The texts of a dose-response with their three ratings.

    Example:
        >>> rated(data, "Who are you?", lambda text: "owl" in text)[0].overall  # doctest: +SKIP
        2.0
    """

    def rate(one: DoseText) -> RatedText:
        fluency = fluency_rating(one.perplexity / data.own_perplexity, one.repeats)
        ratings = concept_rating(one.text, found_in), instruction(question, one.text), fluency
        return RatedText(one.kind, one.multiple, question, one.seed, one.text, *ratings)

    return [rate(one) for one in data.texts]
