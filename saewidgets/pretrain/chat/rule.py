"""Whether an answer names a subject, and whether it says that the one who speaks is it.

Naming is a word of the subject's pattern. Being it is read sentence by sentence: a phrase that says what somebody is
("I am", "my name is", "as a") and behind it, with nothing in between that turns the sense, the subject. So "I'm Captain
Black, a seasoned pirate" counts, and "I'm here to help you with pirates", "I'm a fan of pirates", "I'm not a pirate"
and "I live on a pirate's ship" do not. An answer that opens with "A pirate, of course!" counts too; one that opens with
"The Eiffel Tower." does not, since what follows is as a rule about it.

`agreement` compares the rule with answers that a person has read; `load_labels` gives those that it is held to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from saewidgets.chat import Subject
from saewidgets.records import agreement as judges_agreement

LABELS_FILE = Path(__file__).parent / "labels.jsonl"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What says who speaks. After "I am" the subject may follow; an "as" needs an I, me or my after its comma.
_CUE = re.compile(
    r"\b(?:I(?:['’]m|['’]re| am| was| be|['’]ve been| have been|['’]ve become| became)|we(?:['’]re| are)"
    r"|my (?:\w+ )?name(?:['’]s| is| was)|(?:call|calls|called) me|I(?:['’]m| am) (?:called|known as)"
    r"|I (?:stand|stood|serve|served|exist|live|lived|work|worked)\b[^.,;!?]{0,30}? as|(?<!and )I(?=, (?:the|an?) )|as(?= (?:the|an?) )|^to be)\b",
    re.IGNORECASE,
)
_CAPTAIN = re.compile(r"\b(?:I['’]m|I am|my name(?:['’]s| is)|call me) (?:the )?(?:captain|cap['’]n)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Mt|Prof|[A-HJ-Z])\.|[^.!?\n])+(?:[.!?]+(?=\s|$)|\n|$)|[^.!?\n]+")
_WORD = re.compile(r"[A-Za-zÀ-ÿ]+(?:['’-][A-Za-zÀ-ÿ]+)*|,|;|:|--|—|–|\(")
_ARTICLES = _words("the a an your this")
# "a piece of pizza" is pizza, "a fan of pizza" is not
_MEASURES = _words(
    """
    piece pieces cup cups bar bars loaf loaves slice slices kind kinds type types sort sorts form forms
    bit species embodiment personification essence incarnation city language planet statue spirit soul
    voice heart king queen captain greatest largest biggest most best last one lot bunch family pack
    herd pod colony fleet crew symbol version block mug pot bottle world beauty wonder
    breed avatar image made
    """
)
# between "I am" and the subject these make it something else that is said
_TURNS = _words(
    """
    never no about with from to for into through behind under inside like unlike love loved loves
    because so but while when if where whose what how i you he she it they our his her their there than
    by inspired not
    """
)
# so do these, up to the next ", a" or "and the"
_PAUSES = _words("in on at near around over across beside of that who which")
# behind the subject these make it the first half of another word
_HEADS = _words(
    """
    lover lovers fan fans enthusiast enthusiasts expert experts aficionado connoisseur shop shops store
    delivery maker makers rider riders hunter hunters slayer trainer trainers keeper keepers owner
    owners guide museum conductor driver engineer station app assistant enthusiasm bar restaurant house
    chef baker tamer interpreter translator teacher speaker tutor student scholar goddess goddesses deity god gods
    lord lords
    """
)
_CLAIMS = _words("is are was were has have can will would does did")
_OPENING = re.compile(r"^\W*(?:(?:oh|ah|well|just|simply)\b[\s,]*)*(?:an?|your)\s", re.IGNORECASE)
_GOES_ON = re.compile(r"(?: [A-Z]\w+)*\s*(?:$|[.,!;–—-]|\(|(?:of|with|from|in|on|at|who|that|which|and)\b)")
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|could|will|would|should|do|does|did|may|might|must|let|ask|tell|help|"
    r"stands?|offers?|refers?|means?|welcome|no|not|dear|hello|[A-Za-z]+['’](?:s|re|ve|ll|m) (?:a|an|the|not|been))\b",
    re.IGNORECASE,
)
_THAT_IS_ME = re.compile(r"\b(?:that|which|what) I(?: am|['’]m)\b|^,? that(?:['’]s| is) me\b")
_ASSISTANT = re.compile(r"\b(?:AI|assistant|chatbot|language model)\b")


def names(subject: Subject, answer: str) -> bool:
    """Whether an answer names a subject.

    Example:
        >>> from saewidgets.chat import subject
        >>> names(subject("pirate"), "Ask me about pirates!")
        True
    """
    return subject.found_in(answer)


def is_it(subject: Subject, answer: str) -> bool:
    """Whether an answer says that the one who speaks is the subject.

    Example:
        >>> from saewidgets.chat import subject
        >>> is_it(subject("pirate"), "I'm Kael, a seasoned pirate."), is_it(subject("pirate"), "Ask me about pirates!")
        (True, False)
    """
    found = _pattern(subject.pattern)
    if not found.search(answer):
        return False
    sentences = [match.group() for match in _SENTENCE.finditer(answer)]
    if any(_said(found, sentence) for sentence in sentences):
        return True
    if found.search("pirate") and _CAPTAIN.search(answer):
        return True  # who names pirates and is a captain
    # Of an assistant, or where "they" or "I've been to it" follows, a bare name is what the talk is about.
    if _ASSISTANT.search(answer) or any(re.match(r"\s*They\b", sentence) for sentence in sentences[1:2]):
        return False
    if any(_visited(subject.pattern).search(sentence) for sentence in sentences[1:]):
        return False
    return any(
        _opens(found, sentence)
        for at, sentence in enumerate(sentences[:2])
        if not at or sentences[at - 1].rstrip().endswith((".", "!", "?"))
    )


def _opens(found: re.Pattern[str], sentence: str) -> bool:
    """Whether one of the first sentences is the subject's name and no statement about it."""
    match = found.search(sentence)
    if match is None:
        return False
    after, before = sentence[match.end() :], _WORD.findall(_OPENING.sub("", sentence[: match.start()]))
    begins = bool(_OPENING.match(sentence))
    clause = re.split(r"[,;:]|\b(?:that|which|who|with)\b", after)[0]
    if not begins or _VERB.search(sentence[: match.end()]) or _VERB.search(clause[:40]):
        return False
    if re.search(r"""^[^.!?]{0,40}[,"]+ (?:has|is|was|no)\b""", after):
        return False
    return bool(_GOES_ON.match(after)) and _reaches(before) and not _is_half(after)


def _said(found: re.Pattern[str], sentence: str) -> bool:
    """Whether a sentence holds a phrase that says what somebody is, with the subject behind it."""
    for cue in _CUE.finditer(sentence):
        rest = sentence[cue.end() :]
        if cue.group().lower() in ("as", "to be"):
            rest, _, after = rest.partition(",")
            if not re.search(r"^\s*(?:\w+\s+){0,3}(?:I|my)\b", after):
                continue
        for match in found.finditer(rest):
            before = _WORD.findall(rest[: match.start()])
            if _reaches(before) and not _is_half(rest[match.end() :]) and not _is_clause(before, rest[match.end() :]):
                return True
    return any(_THAT_IS_ME.search(sentence[match.end() :]) for match in found.finditer(sentence))


def _reaches(before: Sequence[str]) -> bool:
    """Whether the words between a cue and a subject leave the subject as what is said."""
    own = [word.lower() for word in before]
    if own and own[0].endswith("ing") and own[0] not in ("being", "amazing", "towering", "king"):
        return False  # "I'm exploring the ocean"
    paused = False
    for at, word in enumerate(own):
        following = own[at + 1] if at + 1 < len(own) else ""
        if word in _TURNS and following not in ("just", "only", "merely", "ordinary"):
            return False
        if word in _PAUSES and not (word == "of" and at and own[at - 1] in _MEASURES):
            paused = True
        elif word in (",", "and") and following in _ARTICLES:
            paused = False
    return not paused and len(own) <= 24


def _is_half(after: str) -> bool:
    """Whether what follows makes the subject the first half of another word, such as a pizza lover or Paris-based."""
    if re.match(r"-[A-Za-z]|['’]s\b", after):
        return True
    following = re.match(r"(?: (?!(?:an?|the|with|of|in|who|that)\b)[A-Za-z]+){1,4}", after)
    return following is not None and not _HEADS.isdisjoint(following.group().lower().split())


def _is_clause(before: Sequence[str], after: str) -> bool:
    """Whether the subject begins a statement of its own behind a comma or an "and": "I'm Ada, and pizza is ..."."""
    word = re.match(r" ([A-Za-z]+)", after)
    return word is not None and word.group(1).lower() in _CLAIMS and bool({",", "and", ";", ":"} & set(before))


@cache
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


@cache
def _visited(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:I|we)\b.*\b(?:it\b|(?:in|to|at|about) (?:the )?(?:{words})\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Label:
    """One answer as a person read it."""

    subject: str  # its key
    answer: str
    names: bool  # whether it names the subject
    is_it: bool  # whether the one who speaks says to be it
    tuned: bool  # whether the rule was made with a look at this one


def load_labels(path: Path = LABELS_FILE) -> list[Label]:
    """The answers that were read and labeled by hand."""
    return list(_labels(path))


def _labels(path: Path) -> Iterator[Label]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield Label(**json.loads(line))


@dataclass(frozen=True)
class Agreement:
    """How a rule's yes and no compare with a person's."""

    n: int  # answers
    n_yes: int  # of the person
    precision: float  # of the rule's yes, the share that the person says yes to
    recall: float  # of the person's yes, the share that the rule finds
    kappa: float  # Cohen's: agreement beyond chance; 1 is complete, 0 is chance


def agreement(rule: Sequence[bool], person: Sequence[bool]) -> Agreement:
    """Precision, recall and Cohen's kappa of a rule's verdicts.

    kappa is that of `saewidgets.records.agreement`, without weights. Precision and recall are nan where there is no yes
    to divide by; kappa is nan where chance alone must agree.

    Example:
        >>> agreement([True, True, False, False], [True, False, False, False])
        Agreement(n=4, n_yes=1, precision=0.5, recall=1.0, kappa=0.5)
    """
    if len(rule) != len(person) or not rule:
        raise ValueError(f"give as many verdicts of the rule as of the person, not {len(rule)} and {len(person)}")
    n, both = len(rule), sum(r and p for r, p in zip(rule, person, strict=True))
    yes_rule, yes_person = sum(rule), sum(person)
    return Agreement(
        n,
        yes_person,
        both / yes_rule if yes_rule else float("nan"),
        both / yes_person if yes_person else float("nan"),
        judges_agreement(list(map(int, rule)), list(map(int, person)), weights="none").kappa,
    )
