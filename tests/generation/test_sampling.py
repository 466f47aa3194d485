"""Systems that are drawn together are of like sizes, and none is left out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.generation.sampling import SAMPLING_BATCH, batches_of


@given(st.lists(st.integers(1, 30), min_size=1, max_size=600), st.integers(1, SAMPLING_BATCH))
def test_every_system_is_in_one_batch_and_only_rare_sizes_share_one(sizes, fewest):
    n_atoms_M = np.array(sizes)

    batches = batches_of(n_atoms_M, fewest)

    assert sorted(np.concatenate(batches)) == list(range(len(sizes)))
    assert all(1 <= len(batch) <= SAMPLING_BATCH for batch in batches)
    counts = np.bincount(n_atoms_M)
    for batch in batches:
        of_batch = np.unique(n_atoms_M[batch])
        assert all(counts[size] < fewest for size in of_batch[:-1])


def test_sizes_that_are_rare_go_with_the_next_larger_one():
    n_atoms_M = np.repeat([9, 3, 4, 5], [10, 2, 40, 300])

    batches = batches_of(n_atoms_M, fewest=32)

    assert [np.unique(n_atoms_M[each]).tolist() for each in batches] == [[3, 4], [5], [5], [5], [9]]
    assert [len(each) for each in batches] == [42, 100, 100, 100, 10]
