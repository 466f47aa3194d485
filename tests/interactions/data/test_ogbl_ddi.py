"""The real graph, where ASSAY_DATA is set; malformed copies of it anywhere."""

import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.errors import DataError
from assay.interactions import metrics
from assay.interactions.data.links import fixed_negatives, splits, training_graph
from assay.interactions.data.ogbl_ddi import OGBL_DDI
from assay.interactions.data.ogbl_ddi_files import PARTS, read_links
from assay.interactions.heuristics import HEURISTICS
from assay.store import sets

SOURCE = Path(os.environ.get("ASSAY_DATA", "/nowhere")) / "ogbl_ddi"
needs_data = pytest.mark.skipif(
    not SOURCE.exists(), reason=f"{SOURCE} is not here; set ASSAY_DATA to the folder of data sets"
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return sets.prepare("ogbl_ddi")


@needs_data
def test_the_official_split_with_its_structures_and_proteins(packed):
    split = splits(packed)

    assert [len(part) for part in (split.train, split.validation, split.test)] == [
        1_067_911, 133_489, 133_489,
    ]  # fmt: skip
    assert [len(fixed_negatives(packed, part)) for part in ("validation", "test")] == [
        101_882, 95_599,
    ]  # fmt: skip
    known = [sum(map(bool, packed.arrays[name])) for name in ("smiles", "study_smiles")]
    assert known == [3_560, 2_287]
    assert len(np.unique(packed.arrays["proteins"][:, 0])) == 1_824
    assert int(packed.arrays["proteins"][:, 1].max()) + 1 == 1_684
    assert "3,560 with a structure" in split.description


@needs_data
@pytest.mark.parametrize(
    ("name", "published"),
    [("common_neighbours", 0.1773), ("adamic_adar", 0.1861), ("resource_allocation", 0.0623)],
)
def test_heuristics_have_their_published_hits(packed, name, published):
    graph = training_graph(packed)
    edges = packed.arrays["edges"][packed.split_indices("test")].astype(np.int64)
    positive, negative = (
        HEURISTICS[name](graph, pairs) for pairs in (edges, fixed_negatives(packed, "test").numpy())
    )

    assert metrics.hits_at_k(positive, negative, 20).value == pytest.approx(published, abs=5e-5)


@pytest.fixture
def copy(tmp_path):
    """A small folder of the same form, of another graph."""
    pairs = {name: np.array([[k, k + 1]], np.uint16) for k, name in enumerate(PARTS)}
    np.savez(tmp_path / "edges.npz", **pairs)
    rows = [f"{k},DB{k:05d},C,C" for k in range(10)]
    text = "\n".join(["node_idx,drugbank_id,smiles,study_smiles", *rows]) + "\n"
    (tmp_path / "nodes.csv.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path


@pytest.fixture
def archive(tmp_path):
    """A folder as OGB's download unpacks to, of ten drugs."""
    root = tmp_path / "ddi"
    (root / "split" / "target").mkdir(parents=True)
    (root / "mapping").mkdir()
    parts = {
        "train": {"edge": [[0, 1], [1, 2]]},
        "valid": {"edge": [[2, 3]], "edge_neg": [[0, 9]]},
        "test": {"edge": [[3, 4]], "edge_neg": [[1, 9], [2, 9]]},
    }
    for split, found in parts.items():
        arrays = {name: np.array(pairs) for name, pairs in found.items()}
        torch.save(arrays, root / "split" / "target" / f"{split}.pt")
    rows = "".join(f"{k},DB{k:05d}\n" for k in range(10))
    mapping = root / "mapping" / "nodeidx2drugid.csv.gz"
    mapping.write_bytes(gzip.compress(f"node idx,drug id\n{rows}".encode()))
    return root


def test_ogbs_own_files_as_a_folder_and_as_an_archive(archive, tmp_path):
    zipped = Path(shutil.make_archive(str(tmp_path / "ddi"), "zip", tmp_path, "ddi"))

    for path in (archive, zipped):
        links = read_links(path)
        assert links.drugs[9] == "DB00009"
        assert not any(links.smiles)
        assert {name: pairs.tolist() for name, pairs in links.pairs.items()} == {
            "train_edge": [[0, 1], [1, 2]],
            "valid_edge": [[2, 3]],
            "test_edge": [[3, 4]],
            "valid_edge_neg": [[0, 9]],
            "test_edge_neg": [[1, 9], [2, 9]],
        }


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("/nowhere/at/all",))


def test_a_split_that_would_run_something_is_refused(archive):
    torch.save({"edge": Evil()}, archive / "split" / "target" / "train.pt")

    with pytest.raises(DataError, match=r"train\.pt: is no table of edges"):
        read_links(archive)


def test_a_split_of_something_else_is_refused(archive):
    torch.save([1, 2], archive / "split" / "target" / "test.pt")

    with pytest.raises(DataError, match=r"test\.pt: holds no table of edges"):
        read_links(archive)


def test_an_archive_without_its_parts_is_refused(archive):
    (archive / "split" / "target" / "valid.pt").unlink()

    with pytest.raises(DataError, match="is no copy of OGB's ogbl-ddi"):
        read_links(archive)


def build(path):
    return OGBL_DDI.build(str(path), lambda phase, fraction: None)


def test_another_graph_is_refused(copy):
    assert len(read_links(copy).drugs) == 10

    with pytest.raises(DataError, match="names 10 drugs, not 4,267"):
        build(copy)


@needs_data
def test_a_pair_too_few_is_refused(tmp_path):
    for name in ("nodes.csv.gz", "drug_proteins.csv.gz"):
        shutil.copy(SOURCE / name, tmp_path)
    with np.load(SOURCE / "edges.npz") as arrays:
        found = dict(arrays)
    np.savez(tmp_path / "edges.npz", **{**found, "test_edge": found["test_edge"][1:]})

    with pytest.raises(DataError, match="its 133,488 pairs of test_edge are not the published"):
        build(tmp_path)


def table(folder, *lines):
    (folder / "nodes.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "edges.npz").write_bytes(b"PK"), "edges.npz: not readable as the arrays"),
        (lambda f: (f / "nodes.csv.gz").write_bytes(b"no"), "nodes.csv.gz: not readable as"),
        (lambda f: table(f, "node_idx,smiles", "0,C"), "nodes.csv.gz: has no column drugbank_id"),
        (
            lambda f: table(f, "node_idx,drugbank_id,smiles,study_smiles", "1,DB1,C,C"),
            "row 0 is of node 1, not 0",
        ),
        (
            lambda f: np.savez(f / "edges.npz", **dict.fromkeys(PARTS, np.zeros((3, 3)))),
            r"train_edge: expected whole numbers of shape \(n, 2\), found \(3, 3\)",
        ),
        (
            lambda f: (f / "drug_proteins.csv.gz").write_bytes(
                gzip.compress(b"node_idx,uniprot_id\n99,P1\n")
            ),
            "line 2: there is no node '99'",
        ),
        (lambda f: (f / "edges.npz").unlink(), "expected a folder with edges.npz"),
    ],
)  # fmt: skip
def test_malformed_files_are_one_sentence(copy, spoil, said):
    spoil(copy)

    with pytest.raises(DataError, match=said):
        build(copy)
