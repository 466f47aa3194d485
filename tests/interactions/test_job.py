"""The job of links: which tables of structures there is something to treat in."""

import numpy as np
import pytest

from assay.errors import DataError
from assay.interactions.data import links
from assay.interactions.features import structures
from assay.store import sets
from tests.jobs import FOLDER, module_of

JOB = module_of(FOLDER / "link_prediction.py")


@pytest.fixture
def known(monkeypatch):
    """Let a data set know structures as told."""
    monkeypatch.setattr(sets, "prepare", lambda name: None)
    monkeypatch.setattr(links, "links_of", lambda prepared: None)

    def tell(*of_nodes: bool) -> None:
        monkeypatch.setattr(
            structures, "known_structures", lambda found, settings: np.array(of_nodes)
        )

    return tell


def test_only_a_table_that_lacks_some_structures_is_treated(known):
    known(True, False)
    assert JOB.any_is_missing("ogbl_ddi", "best")
    known(True, True)
    assert not JOB.any_is_missing("ogbl_ddi", "best")


def test_a_set_of_which_no_structure_is_known_is_refused(known):
    known(False, False)
    with pytest.raises(DataError, match="ogbl_ddi, table best: no structure is known"):
        JOB.any_is_missing("ogbl_ddi", "best")
