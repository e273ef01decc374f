"""Exercises of 04_find_features.ipynb."""

from __future__ import annotations

from typing import Any

from saewidgets.course import answers, setting
from saewidgets.course.exercise import Exercise, Said, Wrong, right
from saewidgets.miniworld import load_clamps

TOKEN = " owl"
BOTH = ("I love the little owl.", "An owl sat on the tall tower.")
OTHER = "I love the little dog."
BRIDGE = "golden_gate_bridge"
NAME = ("golden", "gate")  # words that the text may not hold
LONGEST = 60  # words
HALF = 0.5  # of the feature's measured maximum


def promotes(answer: Any) -> Said:
    """The feature whose decoder direction raises the logit of one token most."""
    model, sae = setting.model(), setting.sae()
    (token,) = model.vocabulary.continuation(TOKEN)
    logits = model.direction_logits(sae.decoder_directions)[:, token].detach().cpu().numpy()  # [d_sae]
    found = answers.feature(answer, len(logits))
    place = int((logits > logits[found]).sum()) + 1
    if place == 1:
        return right(
            "Yes: per unit of activation it adds {logit:.1f} to the logit of {token!r}.",
            logit=float(logits[found]),
            token=TOKEN,
        )
    said = {"f": found, "place": place, "token": TOKEN}
    if place > 20 and setting.read(BOTH[1])[:, found].max() > 0:
        raise Wrong(
            "Feature {f} is *active* in texts about owls. What it promotes is another thing: for {token!r} it is number {place}.",
            **said,
        )
    if place <= 20:
        raise Wrong("Close: feature {f} is number {place} for {token!r}.", **said)
    raise Wrong("Feature {f} is number {place} for {token!r}; asked was number 1.", **said)


def on_in_both(answer: Any) -> Said:
    """A feature that is on in two texts about an owl, and off in one about a dog."""
    found = answers.feature(answer, setting.sae().config.d_sae)
    for text in BOTH:
        if setting.read(text)[:, found].max() == 0:
            raise Wrong("Feature {f} is off at every token of {text!r}.", f=found, text=text)
    least, most = (setting.read(text)[:, found].max() for text in (BOTH[0], OTHER))
    if most > 0:
        raise Wrong("Feature {f} is on in {text!r}, too, at {most:.1f}.", f=found, text=OTHER, most=float(most))
    return right(
        "Yes: feature {f} reaches {a:.1f} in the first, and is off at every token about the dog.",
        f=found,
        a=float(least),
    )


def without_the_name(answer: Any) -> Said:
    """A text without the bridge's name in which the bridge's feature reaches half of its maximum."""
    text = answers.text(answer)
    entry = load_clamps()[BRIDGE]
    used = [word for word in NAME if word in text.lower()]
    if used:
        raise Wrong("Your text has the word {word!r}: without the name, please.", word=used[0])
    if len(text.split()) > LONGEST:
        raise Wrong("At most {most} words; yours has {n}.", most=LONGEST, n=len(text.split()))
    found = setting.read(text, entry.sae)[:, entry.feature]  # [pos]
    asked = HALF * entry.maximum
    at = int(found.argmax())
    piece = setting.model().display(setting.model().tokens(text))[at + 1].strip()
    said = {"a": float(found[at]), "piece": piece, "asked": asked}
    if found[at] == 0:
        raise Wrong(
            "Feature {f} is off at every token of your text. What would the bridge say of itself?", f=entry.feature
        )
    if found[at] < asked:
        raise Wrong(
            "It reaches {a:.1f}, at {piece!r}; asked was {asked:.1f}. More of what a bridge is made of?", **said
        )
    return right("Yes: {a:.1f} at {piece!r}, and the name does not occur.", **said)


EXERCISES = (
    Exercise(
        "04.1",
        "Which feature's direction raises the logit of the token ` owl` most?",
        (
            "Section 1 asked the same about ` Gate`. It is a question about the decoder, not about where a feature is active.",
            '`source("token", token=" owl")`, and take the first.',
        ),
        '`source("token", token=" owl")["feature"][0]`. A feature that promotes a word is mostly active *before* it; '
        'the features that are active *at* "owl" promote what comes after.',
        promotes,
    ),
    Exercise(
        "04.2",
        "Write a text without the words *Golden* and *Gate*, of 60 words at most, in which the feature of "
        '`sw.load_clamps()["golden_gate_bridge"]` reaches at least half of its maximum.',
        (
            "Put your text into a `FeatureProbe` and look where the feature is active, and where it is not.",
            "It is strongest where the bridge speaks of what it is: of towers, of its color, of being long.",
        ),
        '*I am a long suspension bridge with two tall orange towers.* reaches 5.1 at "orange". The feature that makes the '
        "model say it is the bridge reads descriptions rather than the name.",
        without_the_name,
    ),
    Exercise(
        "04.3",
        "Find a feature that is on in *I love the little owl.* and in *An owl sat on the tall tower.*, and off in "
        "*I love the little dog.*",
        (
            "Section 3 did this for the bridge. One list of texts with, one without.",
            '`source("prompts", positive=[...], negative=["I love the little dog."])`',
        ),
        '`source("prompts", positive=["I love the little owl.", "An owl sat on the tall tower."], '
        'negative=["I love the little dog."])["feature"][0]`. Few are left: two texts and one against them take away nearly all.',
        on_in_both,
    ),
)
