import json
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.cell import Cell, load_suite
from assay.errors import ConfigError
from assay.pathways.baselines.floors import CopyTrain, Nearest
from assay.pathways.evaluation import FOLDS, Asked, drawn_from, latents, linked
from assay.pathways.figures import LatentMap, NeighbourFile
from assay.pathways.metrics.files import read_graphs
from assay.pathways.task import PathwaysTask
from assay.reference import compute_reference
from assay.result import Result, read_metrics, read_settings
from assay.runner import cell_directory, run_cell, train_until
from assay.store import sets
from assay.task import Stage
from assay.training.execution import Execution
from tests.pathways import made
from tests.pathways.metrics.toy_model import TOY
from tests.test_cell import ROOT

STAGE = Stage("train")
SUITE = ROOT / "sweeps" / "pathways_mini.yaml"
TINY = (
    "budget.steps=6",
    "training.batch_size=8",
    "training.validations=1",
    "settings.evaluation_graphs=12",
    "settings.validation_graphs=12",
)
MEASURED = {
    "mmd/in_degree", "mmd/out_degree", "mmd/clustering", "mmd/spectrum", "mmd_ratio/spectrum",
    "validity/connected", "validity/valid", "vun/uniqueness", "vun/novelty",
    "structure/reciprocity_error", "reconstruction/auc", "reconstruction/average_precision",
    "reversed_edge/auc", "calibration/ece", "conditional/fidelity", "conditional/shuffled",
}  # fmt: skip


def cells(*overrides: str) -> tuple[Cell, ...]:
    suite = load_suite(SUITE, (*TINY, *overrides))
    return suite.cells(sets.open_set("mini_pathways").digest)


def run(cell: Cell, storage: Path, **execution) -> Result:
    return run_cell(cell, Execution(**execution), storage, lambda report: None)


def rows(storage: Path, cell: Cell) -> list[dict[str, float]]:
    """The log without its clock."""
    found = read_metrics(cell_directory(storage, cell.key) / "metrics.jsonl")
    return [{name: value for name, value in row.items() if name != "seconds"} for row in found]


@pytest.fixture(scope="module")
def whole(prepared_pathways, tmp_path_factory) -> tuple[Path, Cell, Result]:
    """One cell, run to its result."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(prepared_pathways))
        patch.delenv("ASSAY_DATA", raising=False)
        storage = tmp_path_factory.mktemp("runs")
        cell = cells()[0]
        return storage, cell, run(cell, storage)


def test_a_cell_is_judged_by_every_protocol(whole):
    _, _, result = whole

    assert set(result.estimates) >= MEASURED
    assert result.estimates["vun/uniqueness"].n == 12
    assert result.estimates["validity/connected"].value == 1
    assert result.estimates["conditional/fidelity"].n == 12


def test_half_a_run_and_its_other_half_are_the_whole_bit_for_bit(pathways, whole, tmp_path):
    storage, cell, result = whole

    train_until(cell, Execution(), tmp_path, lambda report: None, 0.5)
    halves = run(cell, tmp_path)

    assert halves.provenance.resumed == 1
    assert halves.estimates == result.estimates
    assert rows(tmp_path, cell) == rows(storage, cell)


def test_bf16_stays_close_to_fp32(pathways, whole, tmp_path):
    storage, cell, _ = whole
    (rough, *_) = cells("training.precision=bf16")
    train_until(rough, Execution(), tmp_path, lambda report: None, 1.0)

    losses = [
        [row["train/loss"] for row in rows(place, one)]
        for place, one in ((storage, cell), (tmp_path, rough))
    ]

    np.testing.assert_allclose(*losses, rtol=0.02)


def test_halved_micro_batches_train_alike(pathways, whole, tmp_path):
    storage, cell, _ = whole
    train_until(cell, Execution(accumulation=2), tmp_path, lambda report: None, 1.0)

    losses = [[row["train/loss"] for row in rows(place, cell)] for place in (storage, tmp_path)]

    np.testing.assert_allclose(*losses, rtol=0, atol=2e-4)


def test_the_judged_graphs_are_left_as_assay_evaluate_reads_them(whole):
    storage, cell, result = whole
    folder = cell_directory(storage, cell.key) / "artifacts"

    graphs, rejected = read_graphs(folder / "samples.jsonl")

    assert rejected == []
    assert len(graphs) == 12
    bins = json.loads((folder / "reliability.json").read_text())["bins"]
    assert all(set(each) == {"pairs", "probability", "share"} for each in bins)
    error = sum(each["pairs"] * abs(each["probability"] - each["share"]) for each in bins)
    total = sum(each["pairs"] for each in bins)
    assert error / total == pytest.approx(result.estimates["calibration/ece"].value)


def test_what_the_report_draws_is_left_beside_the_judged_graphs(pathways, whole):
    storage, cell, _ = whole
    folder, task = cell_directory(storage, cell.key) / "artifacts", PathwaysTask(cell)
    graphs, _ = read_graphs(folder / "samples.jsonl")
    test = task.data().test.graphs

    drawn = read_settings(NeighbourFile, folder / "neighbours.json")
    where = read_settings(LatentMap, folder / "latents.json")

    for k, pair in enumerate(drawn.pairs):
        assert pair.generated.compounds == graphs.names_of(k)
        assert {(s, t) for s, t, _ in pair.generated.edges} == set(
            map(tuple, graphs.edges_of(k).T.tolist())
        )
        train = list(task.train.ids).index(pair.nearest.title)
        assert pair.nearest.compounds == task.train.names_of(train)
    assert where.titles == list(test.ids)
    oxygen, known = where.environment["oxygen"], test.environment_known[:, 2]
    assert [value is not None for value in oxygen] == known.tolist()
    told = [value for value in oxygen if value is not None]
    np.testing.assert_allclose(told, test.environment[known, 2], atol=1e-4)
    assert np.std(where.x) > np.std(where.y) > 0
    assert where.explained[0] > where.explained[1] > 0


def test_latents_are_those_of_each_graph_in_the_order_of_the_split():
    model, records = made.vae(hidden=0.0).eval(), made.records(count=10)
    found = latents(model, records, seed=0)

    for k in (0, 4, 9):
        batch = records.batch(np.array([k]))
        one = model(batch, made.draws(batch), None).latent[0]
        np.testing.assert_allclose(found[k], one.detach().numpy(), atol=1e-5)
    assert latents(CopyTrain(CopyTrain.Settings(), made.corpus()), records, seed=0) is None


def test_real_graphs_are_held_beside(pathways):
    floor = compute_reference(cells("settings.evaluation_graphs=40")[0])

    assert floor.name == "real data"
    assert floor.estimates["vun/uniqueness"].value == 1
    assert floor.estimates["mmd/in_degree"].value < 0.05
    # What runs in air takes up O2 by the rule of the set, and edges show it.
    oxygen = {name: floor.estimates[f"conditional/{name}"] for name in ("fidelity", "judge")}
    assert floor.estimates["conditional/recorded"].value == 1
    assert oxygen["judge"].low > 0.7
    assert oxygen["judge"].n == 249 + 42, "all graphs that the judge has not learnt from"
    assert oxygen["fidelity"].value > 0.7
    assert 200 < oxygen["fidelity"].n < 249 + 42
    assert "reversed_edge/auc" not in floor.estimates


def test_who_does_not_heed_the_environment_has_one_half(pathways):
    """The same sizes are asked for in both: copies that know sizes alone are the same graphs."""
    task = PathwaysTask(cells("settings.evaluation_graphs=40")[0])
    copies, heeds = (of(of.Settings(), task.corpus) for of in (CopyTrain, Nearest))

    blind, looked_up = (task._oxygen.of_model(model) for model in (copies, heeds))

    assert blind["conditional/fidelity"].value == 0.5
    assert blind["conditional/fidelity"].n == 40
    assert looked_up["conditional/fidelity"].low > 0.5
    shuffled = looked_up["conditional/shuffled"]
    assert shuffled.high < looked_up["conditional/fidelity"].low
    assert shuffled.low < 0.5 < shuffled.high


def test_flux_is_measured_by_the_mapping_that_is_given(pathways, monkeypatch):
    monkeypatch.setattr("assay.pathways.task.open_network", lambda name: TOY)
    mapping = "{network: e_coli_core, mapping: {'CCO': a_c, 'CC=O': b_c}}"
    (cell, *_) = cells(f"settings.flux={mapping}")
    task = PathwaysTask(cell)

    found = task._flux(task.data().test.graphs.select([0, 1, 2]))

    assert set(found) == {"flux/carrying", "flux/growth_effect", "flux/coverage"}
    assert found["flux/carrying"].version.endswith("toy, 2 compounds mapped")
    plain = cell.model_dump(mode="json")
    assert PathwaysTask.protocol_of(plain).endswith("flux 1")
    assert "flux" not in PathwaysTask.protocol_of(cells()[0].model_dump(mode="json"))


def test_validation_is_the_same_at_every_call(pathways):
    task = PathwaysTask(cells()[0])
    torch.manual_seed(0)
    model = task.model(task.data()).eval()

    first, again = (task.validate(model, task.data(), STAGE) for _ in range(2))

    assert first == again
    assert {"loss", "edges", "kl", "reconstruction_auc", "reversed_edge_auc", "mmd"} <= set(first)


def test_sizes_may_be_the_models_own(pathways):
    task = PathwaysTask(cells("settings.sizes=model")[0])
    torch.manual_seed(0)
    model = task.model(task.data()).eval()

    found = task._sample(model, 12, seed=3)

    asked = drawn_from(task.train, 12, seed=3)
    sizes = model.sizes(asked.environment_G4, asked.known_G4, seed=3)
    assert found.node_counts.tolist() == sizes.tolist()
    assert found.node_counts.tolist() != asked.sizes_G.tolist()


def test_every_edge_is_scored_while_it_is_hidden():
    records, asked = made.records(count=10), []

    class Spy:
        device, corpus = torch.device("cpu"), made.corpus()

        def edge_logits(self, batch):
            asked.append(batch)
            return batch.adjacency_BNN.float()  # a score that gives away what can be seen

    found = linked(Spy(), records, seed=0)

    assert len(asked) == 1 + FOLDS
    estimates = found.estimates(seed=0)
    assert estimates["reconstruction/auc"].value == 1
    assert estimates["reversed_edge/auc"].value == 0.5, "neither direction can be seen"
    irreversible = sum(int(each.sum()) for each in found.irreversible)
    assert 0 < estimates["reversed_edge/auc"].n <= irreversible


def test_environments_are_asked_for_as_training_graphs_have_them():
    graphs = made.graphs()

    asked = drawn_from(graphs, 500, seed=0)

    assert set(asked.sizes_G) <= set(graphs.node_counts)
    assert asked.known_G4.any(0).tolist() == [True, False, True, False]
    assert not asked.environment_G4[~asked.known_G4].any()
    np.testing.assert_array_equal(Asked.of(graphs).sizes_G, graphs.node_counts)


def test_fewer_training_records_are_all_that_a_model_knows(pathways):
    task = PathwaysTask(cells("training.records=20")[0])

    assert len(task.train) == 20
    assert task.corpus.counts_V.sum() == task.train.node_counts.sum()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("grid.model=[graph_vea]", r"unknown model 'graph_vea'; did you mean 'graph_vae'\?"),
        ("grid={encoder: [graph_vae]}", "a variant is a model"),
        ("grid={model: [graph_vae], ablation: [flw]}", "unknown ablation 'flw'; did you mean"),
        ("settings.model.widht=8", r"unknown key 'model.widht'; did you mean 'width'\?"),
        ("settings.evaluation_graphs=0", "evaluation_graphs"),
        ("settings.sizes=some", "sizes"),
        ("settings.flux={network: e_coli, mapping: {}}", "unknown metabolic model 'e_coli'; did"),
    ],
)
def test_bad_settings_are_one_sentence(pathways, override, said):
    with pytest.raises(ConfigError, match=said):
        cells(override)


def test_every_ablation_is_another_model(pathways):
    from assay.pathways.ablations import ABLATIONS

    names = ", ".join(ABLATIONS)
    found = cells(f"grid={{model: [graph_vae], ablation: [{names}]}}", "seeds=[0]")

    settings = {cell.variant["ablation"]: cell.settings.model for cell in found}
    assert len({each.model_dump_json() for each in settings.values()}) == len(ABLATIONS)
    assert settings["flow"].flow > 0
    assert settings["whole"].flow == 0
    for cell in found:
        assert Cell.model_validate(json.loads(cell.model_dump_json())).key == cell.key
