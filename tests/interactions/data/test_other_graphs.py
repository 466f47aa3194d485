"""ogbl-ddi with unseen drugs, and BIOSNAP, where ASSAY_DATA is set."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.errors import DataError
from assay.interactions.data import biosnap
from assay.interactions.data.biosnap import BIOSNAP
from assay.interactions.data.links import training_graph
from assay.interactions.data.ogbl_ddi_cold import hidden_for
from assay.interactions.negatives import NonEdges
from assay.store import sets
from assay.training.draws import Draws

ROOT = Path(os.environ.get("ASSAY_DATA", "/nowhere"))
needs_data = pytest.mark.skipif(
    not (ROOT / "ogbl_ddi").exists(),
    reason=f"{ROOT} holds no ogbl_ddi; set ASSAY_DATA to the folder of data sets",
)


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return sets.prepare("ogbl_ddi_cold")


@pytest.fixture(scope="module")
def chch(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return sets.prepare("biosnap")


@needs_data
def test_unseen_drugs_have_no_message_and_every_held_out_pair_has_one_of_them(cold):
    of_V = hidden_for([drug.decode() for drug in cold.arrays["drugs"]])
    seen = np.unique(training_graph(cold).edges_E2.numpy())

    assert set(of_V[seen]) == {0}
    for code, name in ((1, "validation"), (2, "test")):
        edges = cold.arrays["edges"][cold.split_indices(name)]
        negatives = cold.arrays[f"negatives_{name}"]
        assert len(edges) > 100_000
        assert len(negatives) == 100_000
        for pairs in (edges, negatives):
            assert np.array_equal(np.sort(of_V[pairs], axis=1), [[0, code]] * len(pairs))


@needs_data
def test_nothing_is_trained_on_unseen_drugs_not_even_as_negatives(cold):
    of_V = hidden_for([drug.decode() for drug in cold.arrays["drugs"]])
    drawn = NonEdges.of(training_graph(cold)).draw(Draws(0, 0, torch.arange(20_000)), 1)

    assert set(of_V[drawn.flatten().numpy()]) == {0}


@needs_data
def test_a_tenth_of_the_drugs_is_hidden_for_each(cold):
    counts = np.bincount(hidden_for([drug.decode() for drug in cold.arrays["drugs"]]))

    assert counts.sum() == 4267
    assert counts[1:] == pytest.approx([427, 427], abs=60)
    assert "of 4,267 drugs" in cold.description


@needs_data
def test_biosnap_with_its_structures(chch):
    assert len(chch.arrays["drugs"]) == 1_514
    assert sum(map(bool, chch.arrays["smiles"])) == 1_337
    assert sum(chch.counts) == 48_514
    assert chch.counts == pytest.approx([38_811, 4_851, 4_851], rel=0.03)
    assert [len(chch.arrays[f"negatives_{part}"]) for part in ("validation", "test")] == [
        50_000
    ] * 2


def test_other_pairs_are_refused(tmp_path):
    path = tmp_path / "table.tsv.gz"
    path.write_bytes(gzip.compress(b"# drugs\nDB00001\tDB00002\n"))

    with pytest.raises(DataError, match="its 1 pairs of drugs are not those of ChCh-Miner"):
        BIOSNAP.build(str(path), lambda phase, fraction: None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"plain", "is neither a folder with edges.csv.gz"),
        (gzip.compress(b"DB1 DB2\nDB3\n"), "line 2: expected two drugs, found 'DB3'"),
    ],
    ids=["not gzipped", "one drug"],  # the bytes hold the time: two workers would differ
)
def test_a_malformed_table_is_one_sentence(tmp_path, content, said):
    path = tmp_path / "table.tsv.gz"
    path.write_bytes(content)

    with pytest.raises(DataError, match=said):
        biosnap._lines(path)


@needs_data
def test_biosnaps_own_file_holds_the_same_graph_without_structures(tmp_path):
    with gzip.open(ROOT / "biosnap_chch_ddi" / "edges.csv.gz", "rt") as file:
        lines = [line.strip().replace(",", "\t") for line in file][1:]
    path = tmp_path / "ChCh.tsv.gz"
    path.write_bytes(gzip.compress("\n".join(reversed(lines)).encode()))

    built = BIOSNAP.build(str(path), lambda phase, fraction: None)

    assert "1,514 drugs, 0 with a structure" in built.description
