from assay.report import leaderboard
from assay.report.told_apart import names
from tests.report.synthetic import cell, result

VARIANT = {"architecture": "gnn", "process": "diffusion"}


def of(width=16, rate=1e-3, samples=1000, seed=0, records=None, variant=VARIANT):
    plain = cell(variant, seed, samples=samples)
    plain["settings"] = {"network": {"size": "xs", "width": width}}
    plain["training"] = {"learning_rate": rate, "records": records}
    return result(plain, 0.5)


def named(*results):
    found = names(results)
    return [found[each.provenance.cell_key] for each in results]


def test_cells_of_one_setting_have_the_name_of_their_variant():
    assert named(of(seed=0), of(seed=1)) == ["gnn-diffusion"] * 2


def test_what_differs_is_named_and_what_follows_from_it_is_not():
    found = named(of(16, 1e-3, 1000), of(32, 5e-4, 1000), of(16, 1e-3, 2000), of(32, 5e-4, 2000))

    assert found == [
        "gnn-diffusion, width=16, samples=1,000",
        "gnn-diffusion, width=32, samples=1,000",
        "gnn-diffusion, width=16, samples=2,000",
        "gnn-diffusion, width=32, samples=2,000",
    ]


def test_no_limit_of_records_is_all_of_them():
    assert named(of(records=64), of()) == [
        "gnn-diffusion, records=64",
        "gnn-diffusion, records=all",
    ]


def test_cells_that_ran_on_other_hardware_are_no_seeds_of_one_model():
    def on(threads, seed):
        of = cell(VARIANT, seed) | {"hardware": {"device": "cpu", "threads": threads}}
        return result(of, 0.5)

    assert named(on(1, 0), on(4, 1)) == ["gnn-diffusion, threads=1", "gnn-diffusion, threads=4"]


def test_a_variant_is_told_apart_from_others_of_it_alone():
    other = {**VARIANT, "process": "flow_matching"}

    assert named(of(16), of(32, variant=other)) == ["gnn-diffusion", "gnn-flow_matching"]


def test_a_leaderboard_has_the_names():
    rows = leaderboard([of(16), of(32, seed=0), of(32, seed=1)], None)

    assert {row.label for row in rows} == {"gnn-diffusion, width=16", "gnn-diffusion, width=32"}
    assert {row.apart for row in rows} == {"width=16", "width=32"}
