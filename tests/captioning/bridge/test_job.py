"""The job: every control as a row of one table, and pretrained models in the suite's place."""

import io

import pytest
from rich.console import Console

from assay.captioning.data.captions import captions_of, splits
from assay.cell import Suite, load_suite
from assay.config import validate
from assay.errors import ConfigError
from assay.report import terminal_table
from assay.runner import run_cell
from assay.store import sets
from assay.training.execution import Execution
from tests.captioning.saved import save_t5
from tests.jobs import FOLDER, module_of
from tests.test_cell import ROOT

SUITE = ROOT / "sweeps" / "captions_mini_controls.yaml"
GENERATORS = (
    "retrieval",
    "language_model",
    "latent_prefix_retrieval",
    "solid_bridge_retrieval",
)
TINY = (
    f"grid.generator=[{', '.join(GENERATORS)}]",
    "rules=[]",
    "budget.steps=10",
    "training={batch_size: 8, records: 48, validations: 0}",
    "settings={evaluation_molecules: 4, protocols: [whitespace, groups]}",
)
SHORT = {"settings.generator.decoding": {"most_tokens": 8}}
BRIDGE = {
    **SHORT,
    "settings.generator.encoder": {"size": "xs", "outputs": 32},
    "settings.generator.projector_width": 32,
    "settings.generator.context": 128,
    "settings.generator.gate": {"required": False},
}
RULES = {
    "language_model": {**BRIDGE, "settings.generator.scratch": {"size": "xs", "vocabulary": 400}},
    "solid_bridge_retrieval": {
        **BRIDGE,
        "settings.generator.scratch": {"size": "xs", "vocabulary": 400},
        "settings.generator.neighbour_tokens": 32,
    },
    "latent_prefix_retrieval": {
        **SHORT,
        "settings.generator.small": {"size": "xs", "depth": 1},
        "settings.generator.neighbour_tokens": 32,
    },
}
ALSO = "settings.generator.decoding={method: beam, beams: 2, candidates: 2, most_tokens: 8}"
WEIGHT = "settings.generator.weight=0.5"


@pytest.fixture(scope="module")
def job():
    return module_of(FOLDER / "captioning.py")


def tiny():
    suite = load_suite(SUITE, TINY)
    rules = [{"when": {"generator": name}, "set": values} for name, values in RULES.items()]
    return validate(Suite, {**suite.model_dump(mode="json", exclude_none=True), "rules": rules}, "")


def cells_of(suite):
    found = suite.cells(sets.open_set("mini_captions").digest)
    return {cell.label: cell for cell in found}


def run(cell, storage):
    return run_cell(cell, Execution(), storage, lambda report: None)


def told_of(result):
    generator = result.cell["settings"]["generator"]
    candidates = generator.get("decoding", {}).get("candidates")
    return result.label, generator.get("graphs"), candidates


def test_every_control_is_a_row_of_the_table(job, mini_captions, tmp_path):
    cells = cells_of(tiny())
    results = [run(cells[name], tmp_path) for name in GENERATORS[:3]]
    told = io.StringIO()

    changes = [[job.SHUFFLED], [ALSO], [ALSO, job.SHUFFLED], [WEIGHT]]
    again, failed = job.controls(tmp_path, results, changes, "cpu", Console(file=told))
    assert failed == {}

    rows = {told_of(result) for result in [*results, *again]}
    trained = GENERATORS[1:3]
    assert rows == {
        ("retrieval", None, None),
        *((name, "given", None) for name in trained),
        *((name, "given", 2) for name in trained),
        ("latent_prefix_retrieval", "shuffled", None),
        ("latent_prefix_retrieval", "shuffled", 2),
    }
    assert {r.cost.steps for r in again} == {10}
    assert f"with {job.SHUFFLED}" in told.getvalue()
    assert terminal_table([*results, *again], None).row_count == len(rows)


def test_the_suite_has_every_control_and_both_generators():
    for name in ("captions_controls", "captions_mini_controls"):
        suite = load_suite(ROOT / "sweeps" / f"{name}.yaml")
        assert set(suite.grid["generator"]) == set(GENERATORS) | {
            "random_caption", "most_common", "retrieval_reranked", "embedding_retrieval",
            "latent_prefix", "solid_bridge", "solid_bridge_graph",
            *(["retrieval_chebi20"] if suite.data == "captions_pool" else []),
        }  # fmt: skip
        settings = {cell.label: cell.settings.generator for cell in suite.cells("0" * 16)}
        shown = {label for label, each in settings.items() if getattr(each, "neighbours", 0)}
        assert shown == {"latent_prefix_retrieval", "solid_bridge_retrieval"}
        assert settings["language_model"].inputs == "smiles"
        assert settings["solid_bridge_graph"].inputs == "graph"
        # A text-reading generator chooses among as many candidates as the look-up beside it.
        assert settings["retrieval_reranked"].k == 3
    assert suite.settings.get("evaluation_molecules") is None  # all of the test split


def test_equal_writing_is_the_language_models_row_with_as_much_of_it_as_the_bridge_has():
    equal, controls = (
        load_suite(ROOT / "sweeps" / f"captions_{name}.yaml")
        for name in ("equal_writing", "controls")
    )
    (alone,) = equal.cells("0" * 16)
    beside = {cell.label: cell for cell in controls.cells("0" * 16)}
    bridge, language = beside["solid_bridge"], beside["language_model"]
    shares = bridge.settings.generator.stages

    writing = controls.budget.amount * (1 - shares.pretrain - shares.align)
    assert equal.budget.amount == pytest.approx(writing)
    assert alone.model_copy(update={"budget": language.budget}).key == language.key


def test_what_concerns_no_generator_is_one_sentence(job, mini_captions):
    suite = tiny()

    job.require_of_evaluation(suite, [[ALSO, job.SHUFFLED], ["settings.smiles=canonical"]])
    with pytest.raises(ConfigError, match=r"--also settings.generator.decodng=1: .*did you mean"):
        job.require_of_evaluation(suite, [["settings.generator.decodng=1"]])
    with pytest.raises(ConfigError, match="nothing that a trained generator"):
        job.require_of_evaluation(suite, [["settings.generator.latents=4"]])
    beams = "settings.generator.decoding={method: beams}"
    with pytest.raises(ConfigError, match=r"--also settings.*method.*beam"):
        job.require_of_evaluation(suite, [[beams]])
    grid = {"generator": ["retrieval", "random_caption"]}
    untrained = suite.model_copy(update={"grid": grid, "rules": []})
    with pytest.raises(ConfigError, match="nothing that a trained generator"):
        job.require_of_evaluation(untrained, [["settings.smiles=canonical"]])


def test_a_language_model_has_the_issues_name_too(job, tmp_path):
    given = job.parse(["--llm", str(tmp_path), "--also", "a=1", "b=2", "--also", "c=3"])

    assert given.language_model == [tmp_path]
    assert given.also == [["a=1", "b=2"], ["c=3"]]


def test_folders_with_pretrained_models_drive_both_generators(job, mini_captions, tmp_path, folder):
    pytest.importorskip("bitsandbytes")
    texts = splits(captions_of(sets.open_set("mini_captions"))).train.captions
    t5 = save_t5(tmp_path / "t5", texts)

    suite = job.with_language_models(tiny(), [t5, folder], four_bits=True)
    cells = cells_of(suite)
    results = {name: run(cells[name], tmp_path) for name in GENERATORS[2:]}

    bridge, prefix = (cells[n].settings.generator for n in reversed(GENERATORS[2:]))
    assert suite.name == "captions_mini_controls_pretrained"
    assert (prefix.language_model.model, prefix.small) == (str(t5), None)
    assert (bridge.language_model.quantise, bridge.scratch) == ("nf4", None)
    assert bridge.adapt == "lora"
    assert all(result.estimates["whitespace/bleu4"].n == 4 for result in results.values())
    assert results["solid_bridge_retrieval"].cost.parameters > 0


def test_models_that_nobody_reads_are_one_sentence(job, folder, tmp_path):
    only_t5 = load_suite(SUITE, ("grid.generator=[latent_prefix]", "rules=[]"))

    with pytest.raises(ConfigError, match=r"no generator of captions_mini_controls reads it"):
        job.with_language_models(only_t5, [folder], four_bits=False)
    with pytest.raises(ConfigError, match="belongs to a causal --language-model"):
        job.with_language_models(only_t5, [], four_bits=True)
    with pytest.raises(ConfigError, match="holds no model as transformers saves them"):
        job.with_language_models(only_t5, [tmp_path], four_bits=False)
