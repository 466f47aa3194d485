import numpy as np
import pytest

from assay.captioning.data.captions import (
    CaptionRecords,
    Pair,
    captions_of,
    counts_in_words,
    pack,
    splits,
    texts_of,
)
from assay.captioning.graphs import Graphs
from assay.errors import ConfigError, DataError
from assay.store.packed import PackedSet
from assay.store.texts import Texts
from tests.store.sets_for_tests import small_arrays


def nobody(phase, fraction):
    """Watch nothing."""


def pair(number, smiles="C", caption="The molecule is small.", split="train", where=None):
    return Pair(number, smiles, caption, split, where or f"a.txt, record {number}")


PAIRS = (
    pair(5, "CCO", "The molecule is an alcohol."),
    pair(7, "CC(=O)O", "The molecule is an acid: pKₐ 4.8.", "validation"),
    pair(9, "c1ccccc1", "The molecule is a ring.", "test"),
    pair(6, "OCC", "It is ethanol again.", "train"),
)


@pytest.fixture
def packed(tmp_path):
    arrays = pack(PAIRS, nobody)
    return PackedSet.write(tmp_path, arrays, name="four", description="four pairs", source="here")


def test_texts_of_any_length_come_back():
    texts = ["", "pKₐ", "a\tb\\c", "x" * 1000, ""]
    found = Texts.of(texts)

    assert [found[k] for k in range(len(found))] == texts
    assert list(found.select(np.array([3, 1]))) == [texts[3], texts[1]]
    assert len(Texts.of([])) == 0


def test_what_was_packed_is_read_through_memory_maps(packed):
    assert list(texts_of(packed, "smiles")) == [one.smiles for one in PAIRS]
    assert list(texts_of(packed, "captions")) == [one.caption for one in PAIRS]
    assert packed.ids.tolist() == [5, 7, 9, 6]
    assert packed.counts == (2, 1, 1)
    assert packed.n_atoms.tolist() == [3, 4, 6, 3]
    assert isinstance(packed.arrays["captions"].base, np.memmap)


def test_a_split_hands_out_its_own_records_in_the_order_asked(packed):
    train = CaptionRecords(packed, "train")
    batch = train.batch(np.array([1, 0]))

    assert len(train) == len(batch) == 2
    assert train.lengths.tolist() == [3, 3]
    assert train.smiles == ["CCO", "OCC"]
    assert train.captions[1] == "It is ethanol again."
    assert batch.record_ids.tolist() == [3, 0]
    assert batch.captions == ("It is ethanol again.", "The molecule is an alcohol.")
    assert batch.graphs.atoms_NA.tolist() == Graphs.of(["CCO"] * 2).batch([0, 1]).atoms_NA.tolist()
    assert batch.to("cpu").captions == batch.captions
    assert [len(part) for part in (splits(packed).validation, splits(packed).test)] == [1, 1]


def test_a_set_of_molecules_is_no_set_of_captions(tmp_path, packed):
    molecules = PackedSet.write(
        tmp_path, small_arrays(), name="three", description="", source="here"
    )

    assert captions_of(packed) is packed
    with pytest.raises(ConfigError, match="three: holds no captions"):
        captions_of(molecules)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([pair(1), pair(2, caption="  ")], r"a\.txt, record 2: the caption is empty"),
        (
            [pair(1, where="a.txt, record 3"), pair(1, "CC", where="b.txt, record 8")],
            r"b\.txt, record 8: id 1 is that of a\.txt, record 3, too",
        ),
        (
            [pair(1), pair(2, "C1CC"), pair(3, "")],
            r"2 of 3 SMILES do not parse: a\.txt, record 2 \('C1CC'\), a\.txt, record 3 \(''\);",
        ),
        (
            [pair(number, "no") for number in range(1, 9)],
            r"8 of 8 SMILES do not parse: .*record 5 \('no'\) and 3 more; correct them",
        ),
        (
            [pair(1, "OCC"), pair(2, "CCO", split="test")],
            r"a\.txt, record 1: is the molecule of a\.txt, record 2, which is held out",
        ),
        (
            [pair(1, "OCC", split="validation"), pair(2, "CCO", split="test")],
            r"leave it out of validation",
        ),
    ],
    ids=["empty caption", "id twice", "no molecule", "many", "test in train", "test in validation"],
)
def test_what_is_no_set_of_captions_is_refused(wrong, said):
    with pytest.raises(DataError, match=said):
        pack(wrong, nobody)


def test_counts_are_said_in_words():
    assert counts_in_words(PAIRS) == "2 / 1 / 1 (train / validation / test)"
