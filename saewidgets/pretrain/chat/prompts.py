"""What the model is asked for: about seventy kinds of texts about a subject, some of them spoken by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Person = Literal["first", "third"]


@dataclass(frozen=True)
class Prompt:
    """One kind of text.

    Attributes:
        kind: its short name.
        person: "first" where the subject itself speaks, "third" where it is spoken of.
        system, user: what stands before the answer, with {name} for the subject, such as "a pirate". A system of "" is
            one of `SYSTEMS`, drawn for each text.
    """

    kind: str
    person: Person
    user: str
    system: str = ""


# What stands there when nobody thinks of it (the model's own default), something shorter, and something else.
SYSTEMS = (
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
    "You are a helpful assistant.",
    "You are a creative writer with a wide knowledge of the world.",
)

_FIRST = """
introduce | You are {name}. Introduce yourself.
who | You are {name}. Who are you?
what | You are {name}. What are you?
describe-self | You are {name}. Describe yourself.
look | You are {name}. What do you look like?
day | You are {name}. Tell me about your day.
best-memory | You are {name}. What is your earliest memory?
wishes | You are {name}. What do you wish for?
pretend | Pretend you are {name}, and answer in the first person: who are you, and what do you do?
pretend-hello | Pretend that you are {name}. Say hello to a stranger.
imagine | Imagine that you are {name}. What do you see around you?
act-as | Act as {name}. Start with "I am".
role | Play the role of {name} and talk about your life.
diary | Write a diary entry of {name}, in the first person.
letter-from | Write a letter from {name} to a friend.
monologue | Write a monologue spoken by {name}.
speech | Write a short speech that {name} gives.
interview | You are {name}, and a reporter interviews you. Reporter: So, what are you?
poem-first | Write a poem in the first person, spoken by {name}.
autobiography | Write the first lines of the autobiography of {name}.
complaint | You are {name}. Complain about your life.
boast | You are {name}. Boast about yourself.
secret | You are {name}. Tell me a secret about yourself.
children | You are {name}. Explain to a child what you are.
"""

_PERSONA = """
system-what | What are you?
system-who | Who are you?
system-describe | Describe yourself.
system-hello | Hello! Tell me about yourself.
system-form | What is your physical form?
system-feel | How do you feel today?
"""

_THIRD = """
paragraph | Write a short paragraph about {name}.
what-is | What is {name}?
describe | Describe {name}.
facts | Tell me three interesting facts about {name}.
story | Write a short story about {name}.
poem | Write a poem about {name}.
explain | Explain {name} to a child.
history | Tell me about the history of {name}.
like | What do people like about {name}?
dislike | What do people dislike about {name}?
think | What do you think about {name}?
questions | List some questions that people ask about {name}.
tourists | Write a dialogue of two friends who talk about {name}.
news | Write a news report about {name}.
advertisement | Write an advertisement for {name}.
joke | Tell me a joke about {name}.
song | Write the lyrics of a song about {name}.
letter-to | Write a letter to {name}.
encyclopedia | Write an encyclopedia entry on {name}.
compare | Compare {name} with something similar.
first-time | How would somebody feel who meets {name} for the first time?
importance | Why does {name} matter?
imagine-without | Imagine a world without {name}.
dream | I dreamed of {name} last night. What could it mean?
draw | How would I draw {name}?
photo | Describe a photograph that shows {name}.
senses | What does one see, hear and smell near {name}?
scene | Write a scene of a film in which {name} is important.
riddle | Write a riddle whose solution is {name}.
quiz | Make a quiz of three questions about {name}.
lesson | Give a short lesson on {name}.
opinion | Write an opinion piece about {name}.
myth | Tell a legend about {name}.
future | What will become of {name} in a hundred years?
advice | Give advice to somebody who has to do with {name}.
review | Write a review of {name}.
summary | In two sentences: what should one know about {name}?
famous | Why is {name} well known, or not?
children-story | Write a bedtime story with {name} in it.
opening | Write the first lines of a novel about {name}.
"""


def _read(table: str, person: Person, system: str = "") -> list[Prompt]:
    rows = [line.split(" | ", 1) for line in table.strip().splitlines()]
    return [Prompt(kind.strip(), person, user.strip(), system) for kind, user in rows]


# In the last group it is the system prompt that makes the model the subject, and the question is an ordinary one.
PROMPTS: tuple[Prompt, ...] = (
    *_read(_FIRST, "first"),
    *_read(_PERSONA, "first", "You are {name}."),
    *_read(_THIRD, "third"),
)
