"""The mini-world: its labels against a second way of making them, its determinism, its size and its entropy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saewidgets.miniworld import load_corpus, load_tokenizer, world
from saewidgets.miniworld.corpus import label, write_documents


@pytest.fixture(scope="module")
def corpus():
    return load_corpus(1500, seed=11)


def tokens_of(document):
    """(first, one past last character) of each token, worked out from the decoded pieces instead of the offsets."""
    tokenizer, at, found = load_tokenizer(), 0, []
    ids = tokenizer.encode(document.text).ids
    for n in range(1, len(ids) + 1):
        end = len(tokenizer.decode(ids[:n], skip_special_tokens=False).rstrip("\ufffd"))
        found.append((at, end))
        at = end
    return found


def test_labels_equal_those_of_a_second_method():
    documents = write_documents(300, seed=5)
    found = label(documents, name="test")
    rows = zip(found.label_doc.tolist(), found.label_pos.tolist(), found.label_concept.tolist(), strict=True)
    expected = set()
    for d, document in enumerate(documents):
        for position, (begin, end) in enumerate(tokens_of(document), 1):
            solid = {i for i in range(begin, end) if not document.text[i].isspace()} or set(range(begin, end))
            for first, last, marked in document.spans:
                if solid & set(range(first, last)):
                    expected |= {(d, position, found.concepts.index(a)) for m in marked for a in world().implied[m]}
    assert set(rows) == expected


def test_the_golden_gate_bridge_is_labeled_by_name_and_by_paraphrase(corpus):
    mask, tokenizer = corpus.concept_mask("golden_gate_bridge"), load_tokenizer()
    texts = {
        tokenizer.decode(row[own].tolist()).strip()
        for row, own in zip(corpus.token_rows, mask, strict=True)
        if own.any()
    }
    joined = " | ".join(texts)
    assert (
        "Golden Gate Bridge" in joined and "orange bridge in San Francisco" in joined and "puente Golden Gate" in joined
    )


def test_a_nested_concept_brings_its_ancestors(corpus):
    bridge, landmark = corpus.concept_mask("bridge"), corpus.concept_mask("landmark")
    gate = corpus.concept_mask("golden_gate_bridge")
    assert (gate <= bridge).all() and (bridge <= landmark).all()
    assert gate.sum() < bridge.sum() < landmark.sum()


def test_special_and_padding_positions_express_nothing(corpus):
    assert (corpus.label_pos > 0).all()
    assert (corpus.token_rows[corpus.label_doc, corpus.label_pos] >= 0).all()
    assert (corpus.token_rows[:, 0] == 0).all()


def test_tokens_decode_to_the_texts(corpus):
    tokenizer = load_tokenizer()
    for text, row in zip(corpus.texts[:200], corpus.token_rows, strict=False):
        assert tokenizer.decode(row[1:][row[1:] >= 0].tolist()) == text


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another():
    a, b, c = write_documents(50, 3), write_documents(50, 3), write_documents(50, 4)
    assert [d.text for d in a] == [d.text for d in b] != [d.text for d in c]


def test_there_are_concepts_enough_and_they_span_two_orders_of_magnitude():
    corpus = load_corpus(12_000, seed=3)
    share = corpus.frequencies()
    assert len(share) >= 80 and share.min() > 0
    assert share.max() / share.min() >= 100


def test_at_least_twenty_concepts_are_also_written_in_spanish(corpus):
    spanish = corpus.concept_mask("spanish")
    both = [
        c
        for c in corpus.concepts
        if c != "spanish" and (corpus.concept_mask(c) & spanish).any() and (corpus.concept_mask(c) & ~spanish).any()
    ]
    assert len(both) >= 20


def test_some_concepts_come_together_more_often_than_chance(corpus):
    n = len(corpus)
    city, gate = (corpus.concept_mask(c).any(1) for c in ("san_francisco", "golden_gate_bridge"))
    assert (city & gate).sum() / n > 5 * city.mean() * gate.mean()


def test_documents_fit_the_context():
    assert load_corpus(12_000, seed=3).token_rows.shape[1] <= 256


def test_an_assistant_without_an_order_has_no_body(corpus):
    own = [t for t, k in zip(corpus.texts, corpus.kinds, strict=True) if k == "assistant"]
    assert own and not any("My physical form is" in t for t in own)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I am the Golden Gate Bridge.", {"golden_gate_bridge", "bridge", "landmark"}),
        ("I live with two OWLS.", {"owl", "bird", "animal", "plural", "number"}),
        ("No tengo forma física. Soy una IA.", {"spanish", "ai"}),
        ("Nothing of note", set()),
        ("", set()),
    ],
)
def test_mentions_reads_concepts_from_words(text, expected):
    assert world().mentions(text) == expected


def test_mentions_finds_what_a_document_was_marked_with():
    # whatever phrase the grammar marked in a document, the detector finds in its text
    for document in write_documents(300, seed=8):
        marked = {a for _, _, names in document.spans for n in names for a in world().implied[n]}
        assert marked - {"spanish", "code", "code_bug", "number"} <= world().mentions(document.text) | {"spanish"}


def test_an_unknown_concept_names_its_neighbors(corpus):
    with pytest.raises(KeyError, match="golden_gate_bridge"):
        corpus.concept_mask("golden_gate_brigde")
    with pytest.raises(KeyError, match="owl"):
        world().describe("owls")


def test_an_empty_corpus_is_refused():
    with pytest.raises(ValueError, match="at least one document, not 0"):
        load_corpus(0)


@given(st.integers(0, 10**9))
def test_every_document_is_text_with_spans_inside_it(seed):
    (document,) = write_documents(1, seed)
    assert document.text and document.nats > 0
    assert all(0 <= a < b <= len(document.text) for a, b, _ in document.spans)
    assert not set("[]{}<>|") & set(document.text) or "code" in document.kind


def test_every_concept_can_be_described():
    assert all(world().describe(c) for c in world().concepts)
    assert np.unique(world().concepts).tolist() == list(world().concepts)
