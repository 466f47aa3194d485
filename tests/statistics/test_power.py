import math

import numpy as np
import pytest

from assay.errors import DataError
from assay.statistics.power import seeds_needed


def of_effect(d, S=6):
    """Differences of mean d and standard deviation 1."""
    x = np.arange(S) - (S - 1) / 2
    return (d + x / x.std(ddof=1)).tolist()


@pytest.mark.parametrize(("d", "seeds"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_the_number_of_pairs_is_the_published_one(d, seeds):
    """Faul et al., G*Power 3, paired t test, two-sided, α = 0.05, power 0.8."""
    assert seeds_needed(of_effect(d)).seeds == seeds


def test_more_power_and_smaller_differences_take_more_seeds():
    differences = of_effect(0.8)

    usual = seeds_needed(differences)

    assert seeds_needed(differences, power=0.95).seeds > usual.seeds
    assert seeds_needed(differences, least=0.4).seeds > usual.seeds
    assert usual.low < usual.seeds < usual.high


def test_no_difference_is_never_found_a_plain_one_at_once_and_of_no_spread_nothing_is_known():
    assert seeds_needed([0.1, -0.1]).seeds == math.inf
    assert math.isnan(seeds_needed([0.1, 0.1]).seeds)
    assert seeds_needed([1.0, 1.01]).seeds == 2


def test_one_seed_is_refused():
    with pytest.raises(DataError, match="one seed"):
        seeds_needed([0.1])
    with pytest.raises(DataError, match="not finite"):
        seeds_needed([0.1, np.nan])
