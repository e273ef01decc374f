"""Training the language model: small, but the real thing."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from saewidgets.miniworld import load_tokenizer
from saewidgets.miniworld.corpus import write_documents
from saewidgets.pretrain.model import GPT2, PretrainConfig, learning_rate, packed_rows, pretrain
from saewidgets.pretrain.saes import ROLE_KINDS, TRAIN_SEED, role_corpus

SMALL = PretrainConfig(n_layer=1, n_embd=16, n_head=2, n_ctx=32, rows=2, steps=6, warmup=2, dropout=0.1)


def test_a_run_that_was_cut_ends_with_the_same_bits(tmp_path):
    whole = pretrain(SMALL, tmp_path / "whole")
    pretrain(SMALL, tmp_path / "cut", save_every=2, minutes=0.0)  # stops after the first step
    resumed = pretrain(SMALL, tmp_path / "cut")
    for name, value in whole.weights.items():
        assert torch.equal(value, resumed.weights[name]), name


def test_another_configuration_is_not_resumed(tmp_path):
    pretrain(SMALL, tmp_path, minutes=0.0)
    with pytest.raises(ValueError, match="another configuration"):
        pretrain(PretrainConfig(n_layer=2, n_embd=16, n_head=2, n_ctx=32, rows=2, steps=6), tmp_path)


def test_training_leaves_the_global_generator_alone(tmp_path):
    before = torch.get_rng_state()
    pretrain(SMALL, tmp_path, minutes=0.0)
    assert torch.equal(before, torch.get_rng_state())


def test_the_folder_is_what_transformers_reads(tmp_path):
    transformers = pytest.importorskip("transformers")
    model = GPT2(SMALL)
    model.save(tmp_path)
    plain = transformers.GPT2LMHeadModel.from_pretrained(tmp_path)
    tokens = torch.arange(20)[None]
    assert torch.allclose(model(tokens), plain(tokens).logits, atol=1e-4)


def test_the_learning_rate_by_hand():
    config = PretrainConfig(steps=100, warmup=10, cooldown=0.5)
    assert [learning_rate(s, config) for s in (0, 4, 9, 49)] == [0.1, 0.5, 1.0, 1.0]
    assert math.isclose(learning_rate(75, config), 0.5) and learning_rate(100, config) == 0


def test_rows_are_whole_documents_cut_where_a_row_is_full():
    rows = packed_rows(64, seed=123_456)
    found = np.stack([next(rows) for _ in range(50)])
    assert found.shape == (50, 64) and found.min() == 0 and found.max() < load_tokenizer().get_vocab_size()
    assert (found == 0).sum() > 50  # separators: more than one document a row
    again = packed_rows(64, seed=123_456)
    assert (np.stack([next(again) for _ in range(50)]) == found).all()


def test_in_the_role_corpus_rare_subjects_speak_as_often_as_frequent_ones():
    def roles(documents):
        return Counter(d.subject for d in documents if d.kind in ROLE_KINDS)

    corpus = role_corpus(3000, a_subject=4, a_kind=10)
    everything = write_documents(3000, TRAIN_SEED)
    speaks = Counter(s for s, k in zip(corpus.subjects, corpus.kinds, strict=True) if k in ROLE_KINDS)
    assert speaks == {subject: min(n, 4) for subject, n in roles(everything).items()}
    others = Counter(k for k in corpus.kinds if k not in ROLE_KINDS)
    assert others == {k: min(n, 10) for k, n in Counter(d.kind for d in everything).items() if k not in ROLE_KINDS}
    assert corpus.texts[0] == everything[0].text  # the first ones, in their order
