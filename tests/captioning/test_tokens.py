import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from assay.captioning.data.captions import captions_of, splits
from assay.captioning.tokens import MULTIPLE, TokenRecords
from assay.captioning.weights import keep_tied_once
from assay.store import sets

END = 1


def encode(texts):
    """A token a character, and the end."""
    return [[*(ord(character) % 90 + 2 for character in text), END] for text in texts]


@pytest.fixture
def raw(mini_captions):
    return splits(captions_of(sets.open_set("mini_captions"))).test


def test_a_batch_has_the_tokens_of_its_captions_and_their_graphs(raw):
    records, places = TokenRecords(raw, encode, 4096, 0), np.array([7, 2, 7])

    batch = records.batch(places)

    for row, caption in enumerate(raw.batch(places).captions):
        (tokens,) = encode([caption])
        assert batch.tokens_BT[row, batch.mask_BT[row]].tolist() == tokens
        assert not batch.tokens_BT[row, ~batch.mask_BT[row]].any()
    assert torch.equal(batch.record_ids, raw.batch(places).record_ids)
    assert torch.equal(batch.graphs.atoms_NA, raw.batch(places).graphs.atoms_NA)
    assert batch.tokens_BT.shape[1] % MULTIPLE == 0


def test_lengths_are_those_of_the_captions(raw):
    records = TokenRecords(raw, encode, 4096, 0)

    assert records.lengths.tolist() == [len(caption) + 1 for caption in raw.captions]
    assert records.cut == 0


def test_a_long_caption_is_cut_and_ends(raw):
    records = TokenRecords(raw, encode, 40, 0)

    batch = records.batch(np.arange(5))

    assert records.cut == sum(len(caption) + 1 > 40 for caption in raw.captions) > 0
    assert (batch.tokens_BT[:, 39] == END).all()


def test_a_batch_is_as_wide_as_is_asked(raw):
    assert TokenRecords(raw, encode, 8, 0, least=30).batch(np.arange(2)).tokens_BT.shape == (2, 32)


def test_tied_weights_are_kept_once_and_come_back(tmp_path):
    def made():
        model = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3, bias=False)})
        model["b"].weight = model["a"].weight
        keep_tied_once(model)
        return nn.ModuleDict({"inner": model})

    one, other = made(), made()
    assert set(one.state_dict()) == {"inner.a.weight", "inner.a.bias"}
    save_file(one.state_dict(), tmp_path / "model.safetensors")

    other.load_state_dict(load_file(tmp_path / "model.safetensors"))

    assert torch.equal(other["inner"]["b"].weight, one["inner"]["a"].weight)
    assert other["inner"]["b"].weight is other["inner"]["a"].weight
