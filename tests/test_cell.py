import subprocess
import sys
from pathlib import Path

import pytest

from assay import catalog
from assay.cell import Budget, Cell, Suite, TrainingSettings, load_suite, select
from assay.config import canonical_json, digest16, validate
from assay.errors import ConfigError
from tests.training.toy import toy_cell

ROOT = Path(__file__).parent.parent
DIGEST = "ab" * 16


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setattr(
        catalog, "FAMILIES", {**catalog.FAMILIES, "toy": "tests.training.toy:ToyTask"}
    )


def suite(**changes) -> Suite:
    data = {
        "name": "grid",
        "title": "A grid",
        "family": "generation",
        "data": "mini",
        "grid": {
            "architecture": ["gnn", "transformer", "pairformer"],
            "process": ["flow_matching", "diffusion", "stochastic_interpolant"],
        },
        "budget": {"samples": 1000},
        "settings": {"network": {"size": "xs"}},
        **changes,
    }
    return validate(Suite, data, "grid.yaml")


def test_a_suite_names_every_variant_times_every_seed_once():
    cells = suite(seeds=[0, 1, 2]).cells(DIGEST)

    assert len(cells) == 27
    assert len({cell.key for cell in cells}) == 27
    assert [cell.label for cell in cells[:3]] == ["gnn-flow_matching"] * 3
    assert [cell.seed for cell in cells[:3]] == [0, 1, 2]


def test_a_cell_is_complete_it_survives_json_and_keeps_its_key():
    for cell in suite().cells(DIGEST):
        again = Cell.model_validate_json(cell.model_dump_json())

        assert again.key == cell.key
        assert again.settings == cell.settings
        assert "width" in cell.model_dump()["settings"]["network"]


def test_the_key_is_the_same_in_another_process():
    code = "from tests.test_cell import suite, DIGEST; print(suite().cells(DIGEST)[0].key)"
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()

    assert other == suite().cells(DIGEST)[0].key


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"variant": "staged"},
        {"budget": {"steps": 41}},
        {"budget": {"samples": 40}},
        {"training": {"learning_rate": 2e-3}},
        {"training": {"precision": "bf16"}},
        {"settings": {"width": 9}},
    ],
)
def test_any_field_changes_the_key(changed):
    assert toy_cell(**changed).key != toy_cell().key


def test_a_changed_copy_has_a_key_of_its_own():
    cell = toy_cell()
    assert cell.key != cell.model_copy(update={"seed": 1}).key == toy_cell(seed=1).key


def test_every_training_setting_changes_the_key():
    changed = {
        "records": 9, "batch_size": 17, "optimizer": "muon", "learning_rate": 0.5,
        "betas": (0.5, 0.6), "weight_decay": 0.5, "warmup_steps": 7,
        "schedule": "constant", "warmup_fraction": 0.5, "cooldown_fraction": 0.1,
        "ema_decay": 0.5, "weights": "best", "gradient_clip": 0.5, "precision": "bf16",
        "validations": 1,
    }  # fmt: skip
    assert set(changed) == set(TrainingSettings.model_fields)
    base = {"schedule": "constant"}  # the cool-down belongs to it
    keys = {digest16(TrainingSettings(**base, **{name: value}))
            for name, value in changed.items() if name != "schedule"}  # fmt: skip

    others = {digest16(TrainingSettings()), digest16(TrainingSettings(**base))}
    assert len(keys | others) == len(changed) + 1


def test_how_a_cell_is_run_is_outside_its_key():
    assert suite(resources={"cpus": 4}).cells(DIGEST)[0].key == suite().cells(DIGEST)[0].key


def test_a_budget_in_seconds_names_its_hardware_in_the_key():
    one = suite(budget={"seconds": 60}).cells(DIGEST)[0]
    four = suite(budget={"seconds": 60}, resources={"cpus": 4}).cells(DIGEST)[0]
    cuda = suite(budget={"seconds": 60}).cells(DIGEST, "cuda")[0]

    assert one.hardware is not None
    assert len({one.key, four.key, cuda.key}) == 3


def test_a_rule_holds_where_its_variant_matches_and_nowhere_else():
    rule = {
        "when": {"architecture": "gnn"},
        "set": {"training.learning_rate": 0.5, "settings.network.width": 20},
    }
    cells = suite(rules=[rule]).cells(DIGEST)

    touched = {cell.label for cell in cells if cell.training.learning_rate == 0.5}
    assert touched == {cell.label for cell in cells if cell.variant["architecture"] == "gnn"}
    assert all(c.settings.network.width == 20 for c in cells if c.label in touched)


def test_a_rule_may_name_several_values_of_an_axis():
    several = {"architecture": ["gnn", "transformer"], "process": "diffusion"}
    rule = {"when": several, "set": {"training.learning_rate": 0.5}}
    apart = [{**rule, "when": {**several, "architecture": each}} for each in ("gnn", "transformer")]

    cells = suite(rules=[rule]).cells(DIGEST)

    touched = {cell.label for cell in cells if cell.training.learning_rate == 0.5}
    assert touched == {"gnn-diffusion", "transformer-diffusion"}
    assert [c.key for c in cells] == [c.key for c in suite(rules=apart).cells(DIGEST)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"familly": "x"}, "unknown key 'familly'; did you mean 'family'?"),
        ({"family": "generaton"}, "unknown family 'generaton'; did you mean 'generation'?"),
        ({"budget": {"samples": 1, "steps": 2}}, "exactly one of steps, samples, flops, seconds"),
        ({"budget": {}}, "given: none"),
        ({"budget": {"samples": -5}}, "budget.samples: input should be greater than 0"),
        ({"grid": {}}, "nothing to run"),
        ({"seeds": []}, "nothing to run"),
        ({"seeds": [0, 0]}, "seeds: a value is given twice"),
        ({"grid": {"architecture": ["gnn", "gnn"], "process": ["diffusion"]}}, "given twice"),
        (
            {"rules": [{"when": {"architecture": "gnnn"}, "set": {}}]},
            "unknown architecture in a rule 'gnnn'; did you mean 'gnn'?",
        ),
        (
            {"rules": [{"when": {"architecture": ["gnn", "transfomer"]}, "set": {}}]},
            "unknown architecture in a rule 'transfomer'; did you mean 'transformer'?",
        ),
        (
            {"rules": [{"when": {"architecture": ["gnn", "gnn"]}, "set": {}}]},
            "when.architecture: a value is given twice",
        ),
        (
            {"rules": [{"when": {"architecture": []}, "set": {}}]},
            "when.architecture: no value is given",
        ),
        ({"rules": [{"when": {"architecture": 3}, "set": {}}]}, "rules.0.when.architecture"),
        ({"rules": [{"when": {"arch": "gnn"}, "set": {}}]}, "'arch' is no axis of the grid"),
        (
            {"rules": [{"when": {}, "set": {"budget.samples": 1}}]},
            "'budget.samples' is not below training or settings",
        ),
    ],
)
def test_a_wrong_suite_is_one_sentence(changes, sentence):
    with pytest.raises(ConfigError) as error:
        suite(**changes)

    assert sentence in str(error.value)
    assert str(error.value).startswith("grid.yaml: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"settings": {"network": {"widht": 3}}},
            "unknown key 'network.widht'; did you mean 'width'?",
        ),
        (
            {"grid": {"architecture": ["gnm"], "process": ["diffusion"]}},
            "unknown architecture 'gnm'; did you mean 'gnn'?",
        ),
        (
            {"grid": {"architecture": ["gnn"]}},
            "a variant is an architecture and a process",
        ),
        (
            {"settings": {"process": {"sampler": "ddim"}}},
            "process.sampler",
        ),
        ({"training": {"schedule": "linear"}}, "training.schedule"),
        ({"training": {"betas": [0.9, 1.0]}}, "training.betas.1"),
        ({"training": {"cooldown_fraction": 0.5}}, "cooldown_fraction belongs to schedule"),
        (
            {
                "grid": {"architecture": ["transformer"], "process": ["diffusion"]},
                "settings": {"network": {"heads": 7}},
            },
            "width 128 is not a multiple of heads 7",
        ),
        (
            {
                "grid": {"architecture": ["pairformer"], "process": ["diffusion"]},
                "settings": {"network": {"size": "xs", "pair_heads": 5}},
            },
            "pair_width 16 is not a multiple of pair_heads 5",
        ),
    ],
)
def test_a_wrong_cell_is_one_sentence_that_names_suite_and_cell(changes, sentence):
    with pytest.raises(ConfigError) as error:
        suite(**changes).cells(DIGEST)

    assert sentence in str(error.value)
    assert "suite grid, cell " in str(error.value)


@pytest.mark.parametrize(
    ("process", "given"),
    [
        ("flow_matching", {"spacing_power": 1.0}),
        ("diffusion", {"sampler": "ddpm"}),
        ("diffusion", {"sampler": "ddim", "eta": 0.3}),
        ("stochastic_interpolant", {"sampler": "ode"}),
        ("stochastic_interpolant", {"sampler": "sde", "sde_strength": 2.0}),
        ("stochastic_interpolant", {"antithetic": True}),
    ],
)
def test_every_sampler_survives_the_way_to_a_worker(process, given):
    grid = {"architecture": ["gnn"], "process": [process]}
    (cell,) = suite(grid=grid, settings={"process": given}).cells(DIGEST)

    assert Cell.model_validate_json(canonical_json(cell)).key == cell.key


def test_as_many_cells_run_at_once_as_fit():
    assert suite().at_once(cpus=8, gpus=0) == 8
    assert suite(resources={"cpus": 3}).at_once(cpus=8, gpus=0) == 2
    assert suite(resources={"cpus": 2, "gpus": 1}).at_once(cpus=16, gpus=4) == 4
    assert suite(budget={"seconds": 5}).at_once(cpus=8, gpus=0) == 1


def test_a_name_or_a_key_chooses_a_cell():
    named = suite(seeds=[3, 1]).named_cells(DIGEST)
    wanted = named["pairformer-diffusion s1"]

    assert select(named, "pairformer-diffusion s1") is wanted
    assert select(named, wanted.key) is wanted
    assert select(named, "pairformer-diffusion").seed == 3
    with pytest.raises(ConfigError, match="did you mean 'gnn-diffusion'"):
        select(named, "gnn-difusion")


def test_a_variant_of_which_a_ladder_has_several_cells_chooses_none():
    named = suite(ladder={"records": [64, 128]}).named_cells(DIGEST)

    assert select(named, "gnn-diffusion 128 records").training.records == 128
    with pytest.raises(ConfigError, match="is any of 2, such as 'gnn-diffusion 64 records'"):
        select(named, "gnn-diffusion")


def test_two_rungs_that_are_one_cell_are_refused():
    with pytest.raises(ConfigError, match=r"0\.1 of the budget s0' and .* are the same cell"):
        suite(budget={"steps": 5}, ladder={"budgets": [0.1, 0.2]}).cells(DIGEST)


@pytest.mark.parametrize(("budget", "begin"), [({"steps": 10}, 8), ({"samples": 160}, 8)])
def test_a_warm_up_that_reaches_into_the_cool_down_is_refused(budget, begin):
    training = {"schedule": "constant", "warmup_steps": 9, "batch_size": 16}
    sentence = f"warmup_steps 9: the cool-down begins at step {begin} of this budget already"
    with pytest.raises(ConfigError, match=sentence):
        suite(budget=budget, training=training).cells(DIGEST)


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_committed_suite_is_valid_and_named_as_its_file(path):
    loaded = load_suite(path)

    assert loaded.name == path.stem
    cells = loaded.cells(DIGEST)
    assert len({cell.key for cell in cells}) == len(cells) > 0


def test_overrides_reach_a_suite(tmp_path):
    loaded = load_suite(ROOT / "sweeps" / "grid_mini.yaml", ("seeds=[3]", "budget.samples=64"))

    assert loaded.seeds == [3]
    assert loaded.budget == Budget(samples=64)
