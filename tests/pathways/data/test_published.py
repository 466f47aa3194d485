"""The published sets, where ASSAY_DATA is set, and what is said of damaged ones."""

import gzip
import json
import mmap
import time
from pathlib import Path

import numpy as np
import pytest

from assay.errors import DataError
from assay.pathways.batches import splits
from assay.pathways.compounds import FEATURES
from assay.pathways.currency import BIGG, METACYC, NAMES
from assay.pathways.data.bigg import MODELS, model_of
from assay.pathways.data.metacyc import parse_equation
from assay.pathways.data.packing import compounds_of, graphs_of, labels_of, notes_of
from assay.pathways.data.reactions import main_pairs, pathway_of
from assay.pathways.data.tables import rows
from assay.pathways.data.wikipathways import is_currency
from assay.pathways.encodings import Encodings, positions_of
from assay.pathways.graphs import REACTION_CLASSES
from assay.store import sets

SETS = ("metacyc", "wikipathways", "bigg_subsystems")
pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def prepared(assay_data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return {name: sets.prepare(name) for name in SETS}


def test_metacyc_has_its_published_counts(prepared):
    graphs = graphs_of(prepared["metacyc"])

    assert prepared["metacyc"].counts == (1647, 391, 378)
    assert len(graphs) == 2416
    assert len(graphs.family_names) == 2180
    assert (graphs.consumes_oxygen == 1).sum() == 841
    assert (graphs.node_counts.min(), graphs.node_counts.max()) == (3, 40)
    assert np.median(graphs.node_counts) == 6


def test_metacyc_says_what_it_left_out(prepared):
    notes = notes_of(prepared["metacyc"])

    assert "371 superpathways" in prepared["metacyc"].description
    assert "205 pathways of fewer than 3 nodes" in prepared["metacyc"].description
    assert "2 pathways of more than 50 nodes" in prepared["metacyc"].description
    assert "189 reactions that do not balance" in prepared["metacyc"].description
    assert len(notes) == 371 + 205 + 2 + 189
    assert all(".gz" in note for note in notes)


def test_metacyc_names_its_compounds_and_pathways(prepared):
    graphs, labels = graphs_of(prepared["metacyc"]), labels_of(prepared["metacyc"])
    called = dict(zip(graphs.compounds, labels.compounds, strict=True))
    named = dict(zip(graphs.ids, labels.pathways, strict=True))

    assert called["PHOSPHO-ENOL-PYRUVATE"] == "Phosphoenolpyruvate"
    assert named["BETA-ALA-DEGRADATION-I-PWY"] == "β-alanine degradation I"
    assert not [name for name in (*labels.compounds, *labels.pathways) if "&" in name or not name]
    assert {"Biosynthesis", "Degradation", "Energy Metabolism"} <= set(labels.classes)


def test_metacyc_knows_most_compounds_and_few_environments(prepared):
    graphs, compounds = graphs_of(prepared["metacyc"]), compounds_of(prepared["metacyc"])

    assert compounds.known.sum(axis=0).tolist() == [8401, 8401, 2428, 8431]
    assert graphs.environment_known.sum(axis=0).tolist() == [376, 387, 379, 377]
    known = graphs.environment[graphs.environment_known[:, 1], 1]
    assert 273.15 < known.min() < known.max() < 400
    assert np.isfinite(compounds.features()).all()
    assert compounds.features().shape == (8516, len(FEATURES))


def test_metacyc_follows_from_its_equations_and_our_currency(prepared, assay_data):
    """Edges exactly, but for their direction, which is curated; main pairs nearly."""
    graphs, folder = graphs_of(prepared["metacyc"]), assay_data / "metabolic_metacyc_modelseed"
    equations = {
        row["id"]: parse_equation(row["id"], row["equation"], "here")
        for row in rows(folder / "reactions.csv.gz", ("id", "equation"))
    }
    formulas = {r["id"]: r["formula"] for r in rows(folder / "compounds.csv.gz", ("id", "formula"))}
    agree, several = 0, 0
    for k in range(len(graphs)):
        edges, names = slice(*graphs.edge_offsets[k : k + 2]), graphs.names_of(k)
        of_reaction = {}
        for (a, b), code, main in zip(
            graphs.edges[:, edges].T, graphs.reactions[edges], graphs.main[edges], strict=True
        ):
            of_reaction.setdefault(graphs.reaction_names[code], {})[names[a], names[b]] = main
        again = pathway_of("", [equations[name] for name in of_reaction], METACYC, {})
        expected = {frozenset(pair) for pairs in of_reaction.values() for pair in pairs}
        assert {frozenset((again.nodes[a], again.nodes[b])) for a, b in again.edges} == expected
        for pairs in of_reaction.values():
            guess = main_pairs(list(pairs), formulas)
            several += len(pairs) if len(pairs) > 1 else 0
            agree += sum((p in guess) == main for p, main in pairs.items()) if len(pairs) > 1 else 0

    assert agree / several > 0.96


def test_glycolysis_is_there_with_its_classes(prepared):
    graphs = graphs_of(prepared["metacyc"])
    k = list(graphs.ids).index("GLYCOLYSIS")
    edges = slice(graphs.edge_offsets[k], graphs.edge_offsets[k + 1])

    assert {"FRUCTOSE-6P", "PYRUVATE"} <= set(graphs.names_of(k))
    classes = {REACTION_CLASSES[code] for code in graphs.reaction_classes[edges]}
    assert {"transferase", "isomerase", "lyase"} <= classes


def test_wikipathways_has_its_published_counts(prepared):
    graphs = graphs_of(prepared["wikipathways"])

    assert prepared["wikipathways"].counts == (539, 82, 114)
    assert (len(graphs), len(graphs.family_names)) == (735, 496)
    assert not graphs.environment_known.any()
    assert not graphs.main.all()


def test_wikipathways_loses_the_currency_that_its_authors_marked(assay_data):
    with gzip.open(assay_data / "metabolic_wikipathways" / "pathways.jsonl.gz", "rt") as file:
        nodes = [node for line in file for node in json.loads(line)["nodes"]]

    assert len(nodes) == 14_860
    assert all(is_currency(node) == bool(node["currency"]) for node in nodes)


def test_subsystems_have_their_published_counts(prepared):
    graphs = graphs_of(prepared["bigg_subsystems"])

    assert len(graphs) == 86
    assert sum(prepared["bigg_subsystems"].counts) == 86
    family = {
        name: graphs.family_names[k] for name, k in zip(graphs.ids, graphs.families, strict=True)
    }
    assert (
        family["iML1515: Glycolysis/Gluconeogenesis"]
        == family["yeast-GEM_9.0.2: Glycolysis / gluconeogenesis"]
    )
    assert (
        family["iML1515: Citric Acid Cycle"] == family["yeast-GEM_9.0.2: Citrate cycle (TCA cycle)"]
    )


def test_subsystems_follow_from_the_stoichiometry_and_our_currency(prepared, assay_data):
    graphs, folder = graphs_of(prepared["bigg_subsystems"]), assay_data / "metabolic_models"
    tables = {name: model_of(folder, name) for name in MODELS}

    for k, name in enumerate(graphs.ids):
        model = tables[name.partition(":")[0]]
        edges = slice(graphs.edge_offsets[k], graphs.edge_offsets[k + 1])
        used = dict.fromkeys(graphs.reaction_names[code] for code in graphs.reactions[edges])
        reactions = [model.reactions[one.partition(":")[2]] for one in used]
        again = pathway_of(name, reactions, model.currency, model.formulas)

        nodes = [one.partition(":")[2] for one in graphs.names_of(k)]
        expected = {(nodes[a], nodes[b]) for a, b in graphs.edges_of(k).T}
        assert {(again.nodes[a], again.nodes[b]) for a, b in again.edges} == expected, name


@pytest.mark.parametrize("name", SETS)
def test_no_family_is_in_two_splits(prepared, name):
    graphs = graphs_of(prepared[name])

    pairs = set(zip(graphs.families.tolist(), graphs.split.tolist(), strict=True))

    assert len(pairs) == len(graphs.family_names)


@pytest.mark.parametrize("name", SETS)
def test_no_currency_is_a_node(prepared, name):
    names = {one.partition(":")[2] if name != "metacyc" else one
             for one in graphs_of(prepared[name]).compounds}  # fmt: skip

    assert not names & {"metacyc": METACYC, "bigg_subsystems": BIGG | NAMES}.get(name, set())


@pytest.mark.parametrize("name", SETS)
def test_a_prepared_set_verifies_and_is_memory_mapped(prepared, name):
    prepared[name].verify()
    assert isinstance(graphs_of(prepared[name]).nodes.base, mmap.mmap | np.memmap)


def test_every_graph_is_batched_in_well_under_a_second(prepared):
    parts = splits(prepared["metacyc"])
    start, total = time.process_time(), 0

    for records in (parts.train, parts.validation, parts.test):
        order = np.argsort(records.lengths, kind="stable")
        for indices in np.array_split(order, max(1, len(order) // 64)):
            total += len(records.batch(indices))

    assert total == 2416
    assert time.process_time() - start < 1


def test_positions_of_every_graph_take_a_second_or_two(prepared):
    parts = splits(prepared["metacyc"])
    whole = [one.batch(np.arange(len(one))) for one in (parts.train, parts.validation, parts.test)]
    start = time.process_time()

    found = [positions_of(one.adjacency_BNN, one.mask_BN, Encodings()) for one in whole]

    assert time.process_time() - start < 5
    assert all(bool((one.laplacian_values_BK <= 2).all()) for one in found)


def test_another_file_of_that_name_is_refused(tmp_path):
    folder = tmp_path / "metabolic_wikipathways"
    folder.mkdir()
    with pytest.raises(DataError, match=r"pathways.jsonl.gz: cannot be read"):
        sets.data_set_of("wikipathways").build(str(folder), lambda phase, fraction: None)
    (folder / "pathways.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    with pytest.raises(DataError, match=r"pathways.jsonl.gz: MD5 is .*, expected 028decbb"):
        sets.data_set_of("wikipathways").build(str(folder), lambda phase, fraction: None)


def test_a_url_is_no_source():
    with pytest.raises(DataError, match="metacyc: is read from a folder; set ASSAY_DATA"):
        sets.data_set_of("metacyc").build("https://x.org/a", lambda phase, fraction: None)


def test_source_folders_are_named(assay_data):
    for name in SETS:
        assert Path(assay_data / sets.data_set_of(name).folder).is_dir()
