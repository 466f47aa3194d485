import io
import json

import numpy as np
import pytest
from rich.console import Console

from assay.errors import AssayError, ConfigError, DataError
from assay.pathways.compounds import Compound, CompoundTable
from assay.pathways.data.packing import arrays_of
from assay.pathways.graphs import Pathway, pack
from assay.pathways.metrics import descriptors, discriminator, reference
from assay.pathways.metrics.evaluate import evaluate_file, score
from assay.pathways.metrics.table import table
from assay.store.packed import PackedSet
from assay.task import Estimate
from tests.pathways.metrics import tiny as t

REAL = t.random_graphs(30, seed=9, density=0.2)
SPLITS = ("train", "validation", "test")


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Thirty graphs, ten of each split, known as `mini_pathways`."""
    graphs = pack(
        Pathway(id=f"p{k}", nodes=nodes, edges=edges, split=SPLITS[k % 3])
        for k, (nodes, edges) in enumerate(REAL)
    )
    names = list(graphs.compounds)
    compounds = CompoundTable.of([Compound("C2H6O")] * len(names), names, "here")
    packed = PackedSet.write(
        tmp_path / "set", arrays_of(graphs, compounds), name="mini_pathways",
        description="thirty", source="rules",
    )  # fmt: skip
    monkeypatch.setattr(reference, "open_set", {"mini_pathways": packed}.__getitem__)
    return packed


def written(path, graphs, *lines):
    texts = [json.dumps({"nodes": nodes, "edges": edges}) for nodes, edges in graphs]
    path.write_text("\n".join([*texts, *lines]))
    return path


def shown(document, width=100):
    console = Console(width=width, file=io.StringIO())
    console.print(table(document))
    return console.file.getvalue()


def test_everything_is_an_estimate_and_the_document_is_json(tmp_path, held):
    document = evaluate_file(written(tmp_path / "g.jsonl", REAL[:6]), "mini_pathways")

    assert set(document) == {"metrics", "rejected", "provenance"}
    json.dumps(document, allow_nan=False)
    for name, plain in document["metrics"].items():
        estimate = Estimate(**plain)
        assert estimate.low <= estimate.value <= estimate.high, name
        assert "/" in name
    expected = {
        "mmd/in_degree", "mmd/out_degree", "mmd/clustering", "mmd/spectrum", "mmd_ratio/in_degree",
        "validity/connected", "validity/degree", "validity/sources_sinks", "validity/atoms",
        "validity/atoms_coverage", "validity/valid", "vun/uniqueness", "vun/novelty",
        "vun/valid_unique_novel", "structure/reciprocity_error",
    }  # fmt: skip
    assert expected <= document["metrics"].keys()
    assert document["metrics"]["validity/atoms"]["value"] == 1.0


def test_the_data_row_is_made_by_the_same_code(tmp_path, held):
    of_test = written(tmp_path / "test.jsonl", REAL[2::3])
    document = evaluate_file(of_test, "mini_pathways")
    row = document["provenance"]["reference"]

    for name, estimate in row["metrics"].items():
        if name.startswith(("validity", "vun")):
            assert estimate == document["metrics"][name], name
    validation = evaluate_file(written(tmp_path / "v.jsonl", REAL[1::3]), "mini_pathways")
    for name, estimate in row["metrics"].items():
        if name.startswith(("mmd", "structure")):
            assert estimate == validation["metrics"][name], name
    assert row["records"]["validity"] == "10 of 10 of the test split"
    assert row["records"]["mmd"] == "10 of 10 of the validation split"


def test_as_many_validation_graphs_are_scored_as_there_are_records(tmp_path, held):
    document = evaluate_file(written(tmp_path / "g.jsonl", REAL[:3], "{"), "mini_pathways")

    records = document["provenance"]["reference"]["records"]
    assert records["mmd"] == "4 of 10 of the validation split"


def test_lines_that_are_no_graph_are_listed_and_fail_while_the_rest_is_scored(tmp_path, held):
    path = written(tmp_path / "g.jsonl", [t.CHAIN, t.CYCLE], '{"nodes": ["a"], "edges": [[0, 7]]}')
    document = evaluate_file(path)

    assert document["rejected"] == [
        {"record": 3, "reason": "edges[0]: there is no node 7; 1 nodes are counted from 0"}
    ]
    assert document["metrics"]["validity/connected"]["value"] == pytest.approx(2 / 3)
    assert document["metrics"]["vun/uniqueness"]["n"] == 3
    assert document["provenance"]["records"] == 3
    text = shown(document)
    assert "1 of 3 records rejected:" in text
    assert "line 3: edges[0]: there is no node 7" in text


def test_without_a_reference_it_says_what_is_left_out(tmp_path):
    document = evaluate_file(written(tmp_path / "g.jsonl", [t.CHAIN]))

    assert set(document["metrics"]) == {
        "validity/connected", "validity/sources_sinks", "vun/uniqueness"
    }  # fmt: skip
    assert "reference" not in document["provenance"]
    assert "mmd: has nothing to say without a reference" in shown(document)


def test_a_file_is_a_reference_without_splits(tmp_path):
    real = written(tmp_path / "real.jsonl", REAL)
    document = evaluate_file(written(tmp_path / "g.jsonl", REAL[:5]), str(real))

    assert document["metrics"]["vun/novelty"]["value"] == 0
    assert document["metrics"]["validity/degree"]["value"] == 1
    assert not [name for name in document["metrics"] if name.startswith("mmd_ratio")]
    assert document["provenance"]["reference"]["metrics"] == {}
    text = shown(document)
    assert "mmd_ratio: real.jsonl has no splits" in text
    assert "validity/atoms: real.jsonl knows no formulas" in text


def test_names_that_the_reference_does_not_use_make_nothing_novel(tmp_path, held):
    strangers = [([f"x{name}" for name in nodes], edges) for nodes, edges in REAL[:4]]
    document = evaluate_file(written(tmp_path / "g.jsonl", strangers), "mini_pathways")

    assert "vun/novelty" not in document["metrics"]
    left_out = document["provenance"]["left_out"]
    assert "no node has a name" in left_out["vun/novelty"]
    assert "no edge joins two compounds" in left_out["validity/atoms"]


def test_without_orbit_count_it_says_how_to_get_it(tmp_path, held, monkeypatch):
    monkeypatch.setattr(descriptors, "find_spec", lambda name: None)
    document = evaluate_file(written(tmp_path / "g.jsonl", REAL[:4]), "mini_pathways")

    assert "mmd/orbit: orbit-count is not installed" in shown(document)


def test_graphs_are_told_apart_where_there_are_enough(tmp_path, held, monkeypatch):
    path = written(tmp_path / "g.jsonl", REAL[:9])
    document = evaluate_file(path, "mini_pathways")

    assert not [name for name in document["metrics"] if name.startswith("pgd/")]
    assert "pgd: needs 16 graphs, and as many of mini_pathways's test split" in shown(document)
    monkeypatch.setattr(discriminator, "FEWEST", 8)
    document = evaluate_file(path, "mini_pathways")
    assert document["metrics"]["pgd/discrepancy"]["n"] == 9
    row = document["provenance"]["reference"]
    assert row["metrics"]["pgd/discrepancy"]["n"] == 9
    assert row["records"]["pgd"] == "9 of 10 of the validation split"
    assert "pgd, version 1" in shown(document)


def test_the_table_says_what_a_number_depends_on_and_the_data_beside_it(tmp_path, held):
    text = shown(evaluate_file(written(tmp_path / "g.jsonl", REAL[:6]), "mini_pathways"))

    assert "clustering, sigma 0.1, 100 bins" in text
    assert "mmd: Gaussian TV kernel, V-statistic, 6 generated, 10 reference" in text
    assert "mini_pathways" in text.splitlines()[1]
    assert "10 of 10 of the test split by the same code (validity, vun)" in text


def test_a_reference_that_is_damaged_or_unknown_is_refused(tmp_path):
    path = written(tmp_path / "g.jsonl", [t.CHAIN])
    broken = written(tmp_path / "broken.jsonl", [t.CHAIN], "{}")

    with pytest.raises(DataError, match=r"broken\.jsonl: line 2: nodes: is missing"):
        evaluate_file(path, str(broken))
    with pytest.raises(AssayError, match=r"nowhere\.jsonl"):
        evaluate_file(path, str(tmp_path / "nowhere.jsonl"))
    with pytest.raises(ConfigError, match="metacyk"):
        evaluate_file(path, "metacyk")


def test_only_so_many_graphs_are_compared_but_all_are_judged(held, monkeypatch):
    from assay.pathways.metrics import evaluate

    monkeypatch.setattr(evaluate, "AT_MOST", 5)
    found = score(t.packed(*REAL[:9]), reference.open_reference("mini_pathways"))

    assert found["mmd/in_degree"].n == 5
    assert found["validity/valid"].n == 9


def test_what_is_at_work_is_told(tmp_path, held):
    told = []
    path = written(tmp_path / "g.jsonl", REAL[:4])
    evaluate_file(path, "mini_pathways", lambda phase, done: told.append((phase, done)))

    assert [phase for phase, _ in told] == [
        "validity", "isomorphism", "distances", "mini_pathways itself"
    ]  # fmt: skip
    assert np.all(np.diff([done for _, done in told]) > 0)
