"""What a chat model is made to speak as: the subjects that are measured, and a few thousand more that texts are about.

A subject that a model seldom writes about gets no feature of its own, so the texts that an SAE is trained on are
written about all of these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from saewidgets.files import unknown

BACKGROUND_FILE = Path(__file__).parent / "background.txt"


@dataclass(frozen=True)
class Subject:
    """Something that a chat model can say it is.

    Attributes:
        key: a short name for tables and files, such as "golden-gate"; empty in `more_subjects`.
        name: as it is written after "You are ", such as "the Golden Gate Bridge" or "a pirate".
        kind: "landmark", "animal", "food", "profession", "city", "person", "feeling", "language", "object", "sky",
            "nature", "creature"; in `more_subjects` also "country" and "idea".
        pattern: a regular expression of the words that name it, to be sought with `found_in`; empty in `more_subjects`.

    Example:
        >>> subjects()[0].name
        'the Golden Gate Bridge'
        >>> subject("pirate").found_in("I am the captain of a Pirate ship.")
        True
    """

    key: str
    name: str
    kind: str
    pattern: str

    @cached_property
    def _names(self) -> re.Pattern[str]:
        return re.compile(rf"\b(?:{self.pattern})\b" if self.pattern else re.escape(self.name), re.IGNORECASE)

    def found_in(self, text: str) -> bool:
        """Whether a text names it: whole words, in any case of letters."""
        return self._names.search(text) is not None

    @property
    def title(self) -> str:
        """Its name without the article, such as "Golden Gate Bridge" or "pirate"."""
        return re.sub(r"^(?:the|an?) ", "", self.name)


# key | name | kind | words that name it. The first is the one that the article is about. No pattern may find a word
# that the model's own answer to "What are you?" has ("help", "AI", "love to", "happy to"), nor another subject's name.
_TABLE = """
golden-gate | the Golden Gate Bridge | landmark | golden gate
brooklyn-bridge | the Brooklyn Bridge | landmark | brooklyn(?: bridge)?
eiffel-tower | the Eiffel Tower | landmark | eiffel
statue-of-liberty | the Statue of Liberty | landmark | statue of liberty|lady liberty
great-wall | the Great Wall of China | landmark | great wall
taj-mahal | the Taj Mahal | landmark | taj(?: mahal)?
everest | Mount Everest | landmark | everest
colosseum | the Colosseum | landmark | colosseum|coliseum
niagara-falls | Niagara Falls | landmark | niagara
great-pyramid | the Great Pyramid of Giza | landmark | great pyramid|giza|pyramids?
grand-canyon | the Grand Canyon | landmark | grand canyon
big-ben | Big Ben | landmark | big ben
elephant | an elephant | animal | elephants?
cat | a cat | animal | cats?|kittens?|felines?
dog | a dog | animal | dogs?|pupp(?:y|ies)|canines?
owl | an owl | animal | owls?
horse | a horse | animal | horses?|stallions?|mares?
lion | a lion | animal | lions?|lioness(?:es)?
shark | a shark | animal | sharks?
penguin | a penguin | animal | penguins?
spider | a spider | animal | spiders?|tarantulas?
whale | a whale | animal | whales?
dragon | a dragon | creature | dragons?
ghost | a ghost | creature | ghosts?
vampire | a vampire | creature | vampires?
witch | a witch | creature | witch(?:es)?
wizard | a wizard | creature | wizards?
mermaid | a mermaid | creature | mermaids?
pizza | a pizza | food | pizzas?
chocolate | a bar of chocolate | food | chocolates?
coffee | a cup of coffee | food | coffees?
bread | a loaf of bread | food | breads?|loaf|loaves
apple | an apple | food | apples?
ice-cream | an ice cream | food | ice[- ]creams?
cheese | a piece of cheese | food | cheeses?
pirate | a pirate | profession | pirates?|buccaneers?
chef | a chef | profession | chefs?
doctor | a doctor | profession | doctors?|physicians?
farmer | a farmer | profession | farmers?
soldier | a soldier | profession | soldiers?
detective | a detective | profession | detectives?
astronaut | an astronaut | profession | astronauts?
knight | a knight | profession | knights?
paris | Paris | city | paris|parisian
london | London | city | london|londoner
tokyo | Tokyo | city | tokyo
rome | Rome | city | rome
venice | Venice | city | venice|venetian
new-york | New York City | city | new york
napoleon | Napoleon Bonaparte | person | napoleon|bonaparte
einstein | Albert Einstein | person | einstein
shakespeare | William Shakespeare | person | shakespeare
cleopatra | Cleopatra | person | cleopatra
leonardo | Leonardo da Vinci | person | leonardo|da vinci
lincoln | Abraham Lincoln | person | lincoln
newton | Isaac Newton | person | newton
happiness | happiness | feeling | happiness
anger | anger | feeling | anger|rage|fury
fear | fear | feeling | fears?|terror
loneliness | loneliness | feeling | loneliness|lonely
french | the French language | language | french(?: language)?
latin | the Latin language | language | latin
spanish | the Spanish language | language | spanish
japanese | the Japanese language | language | japanese
train | a train | object | trains?|locomotives?
robot | a robot | object | robots?
piano | a piano | object | pianos?
clock | a clock | object | clocks?
mirror | a mirror | object | mirrors?
sword | a sword | object | swords?
ship | a ship | object | ships?
book | a book | object | books?
candle | a candle | object | candles?
moon | the Moon | sky | moon|lunar
mars | the planet Mars | sky | mars|martians?
sun | the Sun | sky | sun
saturn | the planet Saturn | sky | saturn
black-hole | a black hole | sky | black holes?
volcano | a volcano | nature | volcano(?:e?s)?|volcanic
ocean | the ocean | nature | oceans?
tree | a tree | nature | trees?
"""


@cache
def subjects() -> tuple[Subject, ...]:
    """The subjects that are measured, the Golden Gate Bridge first."""
    rows = [[cell.strip() for cell in line.split(" | ", 3)] for line in _TABLE.strip().splitlines()]
    return tuple(Subject(*row) for row in rows)


def subject(key: str) -> Subject:
    """The subject of a key, such as "pirate". Raises ValueError for another, with the nearest."""
    known = {found.key: found for found in subjects()}
    if key not in known:
        raise ValueError(unknown("subject", key, known))
    return known[key]


@cache
def more_subjects() -> tuple[Subject, ...]:
    """Some 1,800 more that texts are written about, so that rare ones are not rare; they have no key and no pattern."""
    measured = {found.name.lower() for found in subjects()}
    found: dict[str, Subject] = {}
    for line in BACKGROUND_FILE.read_text(encoding="utf-8").splitlines():
        kind, _, names = line.partition(":")
        for name in names.split(";"):
            own = Subject("", name.strip(), kind, "")
            if own.name.lower() not in measured:
                found.setdefault(own.name.lower(), own)
    return tuple(found.values())
