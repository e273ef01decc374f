"""Who says what a feature is: judges behind one small protocol, and what they make of its activations.

A judge is called with a claim and some passages (`sw.records.Passage`), and gives one `Verdict` for each: a score from
0 to 3 and a reason. Those here go by labels (planted, or spans that people made), by a rule, by a likelihood ratio, or
ask a language model; a function of one's own will do.
"""

from saewidgets.analysis.judges.chats import ModelChat, OpenAIChat
from saewidgets.analysis.judges.explain import LanguageWriter, PlantedWriter, written_label
from saewidgets.analysis.judges.flipped import FlippedJudge
from saewidgets.analysis.judges.labels import LabelJudge, planted_judge
from saewidgets.analysis.judges.language import LanguageJudge
from saewidgets.analysis.judges.rules import LikelihoodJudge, PatternJudge, words_judge
from saewidgets.analysis.judges.running import FunctionJudge, run_judge
from saewidgets.analysis.judges.scores import detection, field_scores, fuzzing, intruder, logit_judgment, saebench
from saewidgets.analysis.judges.sensitivity import new_text_sensitivity, new_texts, span_sensitivity
from saewidgets.analysis.judges.spans import LabeledTexts, SpanTexts, label_tokens, read_spans
from saewidgets.analysis.judges.specificity import specificity

__all__ = [
    "FlippedJudge",
    "FunctionJudge",
    "LabelJudge",
    "LabeledTexts",
    "LanguageJudge",
    "LanguageWriter",
    "LikelihoodJudge",
    "ModelChat",
    "OpenAIChat",
    "PatternJudge",
    "PlantedWriter",
    "SpanTexts",
    "detection",
    "field_scores",
    "fuzzing",
    "intruder",
    "label_tokens",
    "logit_judgment",
    "new_text_sensitivity",
    "new_texts",
    "planted_judge",
    "read_spans",
    "run_judge",
    "saebench",
    "span_sensitivity",
    "specificity",
    "words_judge",
    "written_label",
]
