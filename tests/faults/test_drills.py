"""Every drill keeps every promise: real processes, real faults, against an undisturbed run."""

import pytest

from assay.cluster.drills import catalog
from assay.cluster.drills.drill import carry_out
from assay.cluster.drills.verdict import Skipped


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", catalog.DRILLS)
def test_nothing_is_lost(name, mini, tmp_path, record_property):
    outcome = carry_out(name, catalog.find(name), tmp_path / name)

    if isinstance(outcome, Skipped):
        pytest.skip(outcome.reason)
    record_property("verdict", outcome.model_dump_json())
    assert outcome.broken == ()
    assert outcome.injected >= 1
    assert (outcome.lost, outcome.duplicated, outcome.recomputed, outcome.left_running) == (0,) * 4
    assert outcome.bit_equal or catalog.find(name).tolerance
