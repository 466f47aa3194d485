import pytest

from assay.api import results
from assay.cluster.publish import publish, require_no_strangers, write_cards
from assay.errors import ConfigError
from assay.result import read_result, read_results, write_json
from tests.cluster.test_preflight import suite
from tests.report.synthetic import reference
from tests.tracking import toy


@pytest.fixture
def cells(tmp_path):
    made = [toy.cell(seed) for seed in range(3)]
    for cell in made:
        toy.write_finished(tmp_path / "runs" / "cells" / cell.key, cell)
    return made


def files(folder) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_the_folder_holds_result_curves_and_samples_of_each_cell(tmp_path, cells):
    folder = tmp_path / "published"
    assert publish(suite(), [cell.key for cell in cells], tmp_path / "runs", folder) == 3
    suffixes = (".json", ".metrics.jsonl", ".samples.npz")
    expected = {f"{cell.key}{suffix}" for cell in cells for suffix in suffixes}
    assert set(files(folder)) == expected | {"suite.json"}
    stored = (tmp_path / "runs" / "cells" / cell.key / "result.json" for cell in cells)
    assert read_results(folder) == [read_result(path) for path in stored]


def test_what_is_said_beside_a_result_is_published_and_is_no_result(tmp_path, cells):
    drawn = (
        "neighbours.json", "latents.json", "reliability.json", "predictions.jsonl",
        "modalities.json", "distributions.json",
    )  # fmt: skip
    for name in drawn:
        path = tmp_path / "runs" / "cells" / cells[0].key / "artifacts" / name
        path.write_text(f'"{name}"')
    folder = tmp_path / "published"

    publish(suite(), [cells[0].key], tmp_path / "runs", folder)

    assert all((folder / f"{cells[0].key}.{n}").read_text() == f'"{n}"' for n in drawn)
    assert len(read_results(folder)) == 1
    publish(suite(), [cells[1].key], tmp_path / "runs", folder)
    assert not any((folder / f"{cells[0].key}.{name}").exists() for name in drawn)


def test_a_card_lies_beside_every_result_and_is_no_result(tmp_path, cells):
    folder, storage = tmp_path / "published", tmp_path / "runs"
    keys = [*(cell.key for cell in cells), toy.cell(seed=9).key]
    publish(suite(), keys, storage, folder)
    write_json(folder / "reference.json", reference())

    write_cards(keys, folder)
    before = files(folder)
    write_cards(keys, folder)

    assert files(folder) == before
    cards = {path.name: path.read_text() for path in folder.glob("*.card.md")}
    assert cards.keys() == {f"{cell.key}.card.md" for cell in cells}
    for cell in cells:
        text = cards[f"{cell.key}.card.md"]
        assert f"Cell `{cell.key}`" in text
        assert reference().label in text
        assert str(tmp_path) not in text  # nobody else has that folder
    assert len(read_results(folder)) == 3
    assert set(results(folder).cell_key) == {cell.key for cell in cells}

    publish(suite(), [cells[1].key], storage, folder)
    assert [path.name for path in folder.glob("*.card.md")] == [f"{cells[1].key}.card.md"]


def test_what_has_not_changed_is_not_written_again(tmp_path, cells):
    folder, keys = tmp_path / "published", [cell.key for cell in cells]
    publish(suite(), keys, tmp_path / "runs", folder)
    before = files(folder)
    publish(suite(), keys, tmp_path / "runs", folder)
    assert files(folder) == before


def test_unfinished_cells_are_left_out(tmp_path, cells):
    missing = toy.cell(seed=9)
    keys = [cells[0].key, missing.key]
    assert publish(suite(), keys, tmp_path / "runs", tmp_path / "published") == 1
    (result,) = read_results(tmp_path / "published")
    assert result.provenance.cell_key == cells[0].key


def test_results_of_other_settings_leave_the_folder_but_not_the_run_store(tmp_path, cells):
    folder, storage = tmp_path / "published", tmp_path / "runs"
    publish(suite(), [cell.key for cell in cells], storage, folder)
    require_no_strangers(folder, [cells[0].key], storage)
    publish(suite(), [cells[0].key], storage, folder)
    assert [r.provenance.cell_key for r in read_results(folder)] == [cells[0].key]
    assert (storage / "cells" / cells[1].key / "result.json").exists()


def test_results_that_exist_nowhere_else_are_never_removed(tmp_path, cells):
    folder = tmp_path / "published"
    publish(suite(), [cell.key for cell in cells], tmp_path / "runs", folder)
    with pytest.raises(ConfigError, match=r"holds 2 results .* give another --results"):
        require_no_strangers(folder, [cells[0].key], tmp_path / "another store")


def test_a_result_that_is_computed_again_is_taken_out_until_it_is_there(tmp_path, cells):
    folder, storage = tmp_path / "published", tmp_path / "runs"
    keys = [cell.key for cell in cells]
    publish(suite(), keys, storage, folder)
    cell_folder = storage / "cells" / keys[0]
    cell_folder.rename(cell_folder.with_name(f"{keys[0]}.20260101T000000"))

    assert publish(suite(), keys, storage, folder) == 2

    assert {r.provenance.cell_key for r in read_results(folder)} == set(keys[1:])


def test_a_published_result_whose_cell_the_store_never_had_stays(tmp_path, cells):
    folder, keys = tmp_path / "published", [cell.key for cell in cells]
    publish(suite(), keys, tmp_path / "runs", folder)
    publish(suite(), keys, tmp_path / "another store", folder)
    assert len(read_results(folder)) == 3
