"""Labeled spans from a file, carried over to tokens: against the characters themselves, and against planted labels."""

from __future__ import annotations

import json

import numpy as np
import pytest

from saewidgets.analysis.judges import LabelJudge, label_tokens, read_spans
from saewidgets.files import LoadError
from saewidgets.miniworld.corpus import label, write_documents
from saewidgets.models import load_model

LINES = [
    {"id": 1, "text": "Find me a bus to Seattle on Monday.", "spans": [[17, 24, "city"], [28, 34, "date"]]},
    {"text": "No city here.", "spans": []},
    {"text": "A table in Rome", "spans": [{"start": 11, "end": 15, "label": "city", "by": "ann"}]},
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "dialogues.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)) + "\n\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model():
    return load_model()


def test_both_forms_of_spans_are_read(file):
    found = read_spans(file)
    assert found.texts == tuple(line["text"] for line in LINES)
    assert found.spans == (((17, 24, "city"), (28, 34, "date")), (), ((11, 15, "city"),))
    assert found.labels == ("city", "date") and found.name == "dialogues.jsonl"
    assert len(read_spans(file, file, most=4)) == 4


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: not JSON"),
        ('{"text": "ab"}', 'line 2 needs a "text" and a list "spans"'),
        ('{"text": "ab", "spans": [[0, 3, "x"]]}', "line 2: the span .* within a text of 2 characters"),
        ('{"text": "ab", "spans": [[1, 1, "x"]]}', "line 2: the span"),
        ('{"text": "ab", "spans": [[0, true, "x"]]}', "line 2: the span"),
        ('{"text": "ab", "spans": [[0, 1, ""]]}', "line 2: the span"),
        ('{"text": "ab", "spans": [[0, 1]]}', "line 2: the span"),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path, line, says):
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(LINES[0]) + "\n" + line, encoding="utf-8")
    with pytest.raises(LoadError, match=says):
        read_spans(path)


def test_files_that_hold_nothing(tmp_path):
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(LoadError, match="no text"):
        read_spans(tmp_path / "empty")
    with pytest.raises(LoadError):
        read_spans(tmp_path / "none")
    with pytest.raises(TypeError, match="path"):
        read_spans()


def test_each_labeled_token_shares_a_character_with_its_span(file, model):
    spans = read_spans(file)
    found = label_tokens(model, spans)
    assert found.concepts == ("city", "date") and found.n_lost == 0
    told = {"city": "", "date": ""}
    for row, column, concept in zip(found.label_doc, found.label_pos, found.label_concept, strict=True):
        told[found.concepts[concept]] += model.token_text([int(found.token_rows[row, column])])[0].strip()
    assert told == {"city": "SeattleRome", "date": "Monday"}


def test_planted_spans_as_a_file_give_the_planted_labels(tmp_path, model):
    """The mini-world's own documents and marks, through the file and the model's tokens."""
    documents = write_documents(30, seed=11)
    path = tmp_path / "planted.jsonl"
    lines = [
        {"text": d.text, "spans": [[a, b, m] for a, b, marked in d.spans for m in marked if d.text[a:b].strip()]}
        for d in documents
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    found, planted = label_tokens(model, read_spans(path)), label(documents, name="planted")
    np.testing.assert_array_equal(found.token_rows, planted.token_rows)
    own = LabelJudge(found)
    compared = 0
    for concept in found.concepts:
        marked = np.zeros(planted.token_rows.shape, bool)
        for row, document in enumerate(documents):
            text = document.text
            offsets = model.vocabulary.offsets(text)
            for a, b, names in document.spans:
                if concept in names:
                    for i, (first, last) in enumerate(offsets):
                        marked[row, i + 1] |= any(
                            max(a, first) <= c < min(b, last) for c in range(len(text)) if text[c].strip()
                        )
        np.testing.assert_array_equal(own.labels(concept).mask, marked)
        assert (own.labels(concept).mask <= planted.concept_mask(concept)).all()  # which has what is implied as well
        compared += marked.sum()
    assert compared > 100


def test_a_text_longer_than_the_context_is_split_and_stays_one_text(tmp_path, model):
    text = "The owl sat. " * 400
    path = tmp_path / "long.jsonl"
    start = text.index("owl", 3000)
    path.write_text(
        json.dumps({"text": text, "spans": [[start, start + 3, "owl"]]}) + '\n{"text": "An owl", "spans": []}'
    )
    found = label_tokens(model, read_spans(path))
    assert found.token_rows.shape[1] == model.n_ctx and found.text_of_row.tolist()[-2:] == [0, 1]
    assert (found.token_rows[:, 0] == model.bos_token_id).all()
    (row,), (column,) = found.label_doc, found.label_pos
    assert row > 0 and model.token_text([int(found.token_rows[row, column])])[0].strip() == "owl"
    n = int((found.token_rows >= 0).sum()) - len(found.token_rows)
    assert n == len(model.vocabulary.encode(text)) + len(model.vocabulary.encode("An owl"))


def test_the_length_of_a_line_is_bounded(tmp_path, monkeypatch):
    from saewidgets.analysis.judges import spans

    monkeypatch.setattr(spans, "MAX_LINE", 100)
    path = tmp_path / "wide.jsonl"
    path.write_text(json.dumps({"text": "a" * 200, "spans": []}))
    with pytest.raises(LoadError, match="line 1 has more than the 100 bytes"):
        read_spans(path)
