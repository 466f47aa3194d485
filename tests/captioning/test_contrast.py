import math

import numpy as np
import pytest
import torch

from assay.captioning.contrast import (
    MOST_SCALE,
    Contrast,
    ContrastSettings,
    TextEncoder,
    alike,
    info_nce,
)
from assay.captioning.data.mini_captions import enumerate_smiles
from assay.captioning.data.mini_wording import describe
from assay.captioning.encoder import EncoderSettings, GraphEncoder
from assay.captioning.graphs import Graphs
from assay.captioning.retrieval import cosine, mean_reciprocal_rank, ranks
from assay.captioning.subwords import learn_subwords, tokenised

pytest.importorskip("tokenizers")

TEXTS = ("The molecule is an acid.", "The molecule is pKₐ 4.8.", "", "The molecule is an acid.")


@pytest.fixture(scope="module")
def tokenizer():
    return learn_subwords(TEXTS, 300)


def made(outputs=32, subwords=300, **settings):
    torch.manual_seed(0)
    chosen = ContrastSettings.model_validate({"width": 32, **settings})
    graphs = GraphEncoder(EncoderSettings.model_validate({"size": "xs", "outputs": outputs}))
    return Contrast(graphs, TextEncoder(chosen, subwords, outputs), chosen)


def test_the_loss_by_hand():
    """cos = [[1, 0], [0.6, 0.8]], scaled by 2."""
    x, y = torch.tensor([[2.0, 0.0], [0.6, 0.8]]), torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    score = [[2.0, 0.0], [1.2, 1.6]]
    by_x = [math.log(sum(map(math.exp, row))) - row[k] for k, row in enumerate(score)]
    columns = list(zip(*score, strict=True))
    by_y = [math.log(sum(map(math.exp, row))) - row[k] for k, row in enumerate(columns)]

    assert float(info_nce(x, y, 2.0)) == pytest.approx((sum(by_x) + sum(by_y)) / 4)


def test_a_model_that_says_nothing_has_the_loss_of_guessing():
    assert float(info_nce(torch.ones(8, 3), torch.ones(8, 3), 5.0)) == pytest.approx(math.log(8))


def test_the_same_text_is_no_negative():
    x = torch.eye(3)
    y = torch.eye(3)[[0, 1, 0]]
    same = alike(["a", "b", "a"])

    assert same.tolist() == [[True, False, True], [False, True, False], [True, False, True]]
    left = info_nce(x, y, 1.0, same)
    assert left.isfinite()
    # The first row is left with its own and the second: log(1 + e^-1).
    first = torch.log(1 + torch.exp(torch.tensor(-1.0)))
    assert float(info_nce(x[:2], y[:2], 1.0, same[:2, :2])) == pytest.approx(float(first))
    assert float(left) < float(info_nce(x, y, 1.0))


def test_subwords_lose_nothing_and_are_learned_alike_again(tokenizer):
    again = learn_subwords(TEXTS, 300)

    for text in (*TEXTS, "something else: é\n"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert again.to_str() == tokenizer.to_str()
    assert 256 <= tokenizer.get_vocab_size() <= 300


def test_a_batch_of_texts_is_one_after_another(tokenizer):
    batch = tokenised(tokenizer, TEXTS)
    ids = [tokenizer.encode(text).ids for text in TEXTS]

    assert len(batch) == 4
    assert batch.tokens_T.tolist() == [token for one in ids for token in one]
    assert batch.first_B.tolist() == [sum(map(len, ids[:k])) for k in range(4)]


def test_a_texts_embedding_does_not_depend_on_its_company(tokenizer):
    encoder = made().texts
    together = encoder(tokenised(tokenizer, TEXTS))

    alone = torch.cat([encoder(tokenised(tokenizer, [text])) for text in TEXTS])

    torch.testing.assert_close(together, alone)
    assert together.isfinite().all()


def test_the_gradient_reaches_both_encoders_and_the_temperature(tokenizer):
    model = made()
    graphs = Graphs.of(["CCO", "C", "c1ccccc1", "CC=O"]).batch(np.arange(4))
    model(graphs, torch.arange(4), tokenised(tokenizer, TEXTS), TEXTS).backward()

    assert [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_the_temperature_begins_where_it_is_told_and_has_a_floor():
    model = made(temperature=0.2)
    assert float(model.scale.detach()) == pytest.approx(5)

    with torch.no_grad():
        model.raw_scale.fill_(50.0)

    assert float(model.scale.detach()) == MOST_SCALE


def test_it_learns_which_caption_is_whose():
    smiles = enumerate_smiles()[::44]
    captions = [describe(one) for one in smiles]
    subwords = learn_subwords(captions, 400)
    model = made(subwords=subwords.get_vocab_size())
    graphs, texts = Graphs.of(smiles).batch(np.arange(len(smiles))), tokenised(subwords, captions)
    ids = torch.arange(len(smiles))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

    def reciprocal():
        with torch.no_grad():
            x, y = model.graphs(graphs, ids).molecules_BO.numpy(), model.texts(texts).numpy()
        return mean_reciprocal_rank(ranks(lambda rows: cosine(x[rows], y), np.arange(len(x)))).value

    before = reciprocal()
    for _ in range(40):
        optimizer.zero_grad()
        model(graphs, ids, texts, captions).backward()
        optimizer.step()

    assert before < 0.3
    assert reciprocal() > 0.8
