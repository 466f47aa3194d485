"""What figures of foretelling mean, by hand and by other code."""

import numpy as np
import pytest

from assay.habitability.data.modalities import MODALITIES
from assay.habitability.metrics import habitability, told
from assay.habitability.metrics.modalities import control, others
from assay.habitability.metrics.units import Units, mean_of
from assay.pathways.metrics.links import auc

LABEL = np.array([0.0, 0.2, 0.6, 1.0])
ONCE = np.ones((1, 4))


def test_guises_of_a_planet_are_one_trial():
    values = np.random.default_rng(0).normal(size=30)
    plain = Units.of(np.arange(30))
    guises = Units.of(np.repeat(np.arange(30), 4))

    once = plain.estimate(mean_of(values), "1", "lower", 0)
    four = guises.estimate(mean_of(np.repeat(values, 4)), "1", "lower", 0)
    naive = Units.of(np.arange(120)).estimate(mean_of(np.repeat(values, 4)), "1", "lower", 0)

    assert [four.value, four.low, four.high] == pytest.approx([once.value, once.low, once.high])
    assert four.n == once.n == 30
    assert naive.high - naive.low < 0.6 * (four.high - four.low)


def test_explained_variance_is_about_the_mean_of_the_labels():
    assert habitability.explained(LABEL, LABEL)(ONCE)[0] == 1
    assert habitability.explained(LABEL, np.full(4, LABEL.mean()))(ONCE)[0] == pytest.approx(0)
    by_hand = 1 - 4 * 0.01 / ((LABEL - 0.45) ** 2).sum()
    assert habitability.explained(LABEL, LABEL + 0.1)(ONCE)[0] == pytest.approx(by_hand)
    assert habitability.explained(np.ones(4), LABEL)(ONCE)[0] == 0


def test_ranking_is_the_area_under_the_curve_ties_and_weights_included():
    draw = np.random.default_rng(1)
    score, positive = draw.integers(6, size=40) / 5, draw.random(40) < 0.4
    counts = draw.integers(0, 3, size=(1, 40))
    again = np.repeat(np.arange(40), counts[0])

    statistic = habitability.ranking(positive, score)

    assert statistic(np.ones((1, 40)))[0] == pytest.approx(auc(score[positive], score[~positive]))
    drawn_s, drawn_p = score[again], positive[again]
    assert statistic(counts.astype(float))[0] == pytest.approx(
        auc(drawn_s[drawn_p], drawn_s[~drawn_p])
    )
    assert statistic((positive * 1.0)[None])[0] == 0.5, "nothing is known of one kind alone"


def test_scores_are_the_protocols_figures_without_intervals():
    draw = np.random.default_rng(2)
    label, expected, chance = draw.random((3, 40))

    found = habitability.scores(label, expected, chance)

    whole = habitability.evaluate(label, expected, chance, Units.of(np.arange(40)), 0)
    wanted = {name: whole[f"habitability/{name}"].value for name in ("mae", "r2", "ece")}
    assert found == pytest.approx(wanted)
    assert habitability.scores(label, label, (label >= 0.5) * 1.0)["ece"] == 0


def test_calibration_is_how_far_bins_are_off():
    reached = np.array([True, False, False, False])
    chance = np.array([0.5, 0.5, 0.05, 0.05])

    found = habitability.calibration_error(reached, chance)(ONCE)[0]

    assert found == pytest.approx((abs(1 - 1.0) + 0.1) / 4)
    bins = habitability.reliability(LABEL, chance)
    assert [(b["records"], b["share"]) for b in bins] == [(2, 1.0), (2, 0.0)]


def test_what_is_foretold_is_judged_by_four_figures():
    units = Units.of(np.arange(40))
    label = np.tile(LABEL, 10)

    right = habitability.evaluate(label, label, (label >= 0.5) * 1.0, units, 0)
    alike = habitability.evaluate(np.zeros(40), label, label, units, 0)

    values = {name: each.value for name, each in right.items()}
    assert values == {
        "habitability/r2": 1, "habitability/mae": 0, "habitability/ece": 0, "habitability/auroc": 1,
    }  # fmt: skip
    assert "habitable from 0.5 on" in right["habitability/auroc"].version
    assert "habitability/auroc" not in alike


def test_errors_are_over_those_of_the_training_mean():
    units = Units.of(["a", "a", "b", "c"])
    own = {"x": np.array([1.0, 1.0, np.nan, 2.0]), "y": np.full(4, np.nan)}
    floor = {"x": np.array([4.0, 2.0, np.nan, 2.0]), "y": np.full(4, np.nan)}

    found = told.errors_beside(own, floor, units, 0)

    assert set(found) == {"x"}
    assert found["x"].value == pytest.approx(0.5)
    assert found["x"].n == 2
    assert found["x"].version == "1: 3 records, over the training mean's"


def test_a_modality_is_lent_by_another_planet():
    units = Units.of(["a", "a", "b", "b", "c", "d", "e"])
    there = np.array([True, True, False, True, True, True, True])

    for seed in range(20):
        lender = others(units, there, np.random.default_rng(seed))
        assert lender is not None
        assert lender[2] == 2, "who lacks it lends nothing and is lent nothing"
        assert sorted(lender[there]) == np.flatnonzero(there).tolist()
        assert (units.of_N[lender[there]] != units.of_N[there]).all()
    assert others(Units.of(["a", "a", "b"]), np.ones(3, bool), np.random.default_rng(0)) is None


def test_the_control_finds_the_modality_that_a_model_lives_by():
    draw = np.random.default_rng(0)
    N, lives_by = 60, MODALITIES.index("spectra")
    label, presence = draw.random(N), np.ones((N, len(MODALITIES)), bool)

    def foretell(kept):
        return label if kept[lives_by] else np.full(N, 0.5)

    def swapped(modality, lender):
        return label[lender] if modality == lives_by else label

    found = control(foretell, swapped, MODALITIES, label, presence, Units.of(np.arange(N)), seed=0)

    assert len(found.subsets) == 32
    assert len({tuple(row["modalities"]) for row in found.subsets}) == 32
    for name in MODALITIES:
        for kind in ("without", "shuffled"):
            rise = found.estimates[f"modalities/{kind}_{name}"]
            assert (rise.low > 0.1) == (name == "spectra"), (kind, name)
            assert rise.value == 0 or name == "spectra"
    whole = next(row for row in found.subsets if len(row["modalities"]) == 5)
    assert whole["mae"]["value"] == 0
    assert found.plain()["rises"]["modalities/shuffled_spectra"]["n"] == N


def test_what_is_not_read_has_no_rise():
    label, presence = np.linspace(0, 1, 10), np.ones((10, 5), bool)

    found = control(
        lambda kept: label, lambda m, lender: label, ("spectra",), label, presence,
        Units.of(np.arange(10)), seed=0,
    )  # fmt: skip

    assert set(found.estimates) == {"modalities/without_spectra", "modalities/shuffled_spectra"}
