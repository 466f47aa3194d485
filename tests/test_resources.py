import pytest

from assay.config import validate
from assay.errors import ConfigError
from assay.resources import Resources


def resources(**given) -> Resources:
    return validate(Resources, given, "resources")


def test_a_number_of_workers_is_its_own_least_and_most():
    assert (resources(workers=3).least_workers, resources(workers=3).most_workers) == (3, 3)
    elastic = resources(workers=[2, 8])
    assert (elastic.least_workers, elastic.most_workers) == (2, 8)


@pytest.mark.parametrize(
    ("given", "cpus", "gpus", "expected"),
    [
        ({}, 2, 0, 2),
        ({"cpus": 2}, 7, 0, 3),
        ({"gpus": 1}, 16, 4, 4),
        ({"gpus": 1, "workers": 2}, 16, 5, 2),
        ({"workers": [2, 8]}, 7, 0, 3),
        ({"cpus": 8}, 4, 0, 1),
    ],
)
def test_how_many_cells_fit_at_once(given, cpus, gpus, expected):
    assert resources(**given).at_once(cpus, gpus) == expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"workers": [4, 2]}, r"the least \(4\) exceeds the most \(2\)"),
        ({"sharding": "fsdp2"}, "fsdp2 needs more than one worker"),
        ({"workers": 0}, "greater than 0"),
        ({"worker": 2}, "did you mean 'workers'"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(given, sentence):
    with pytest.raises(ConfigError, match=sentence):
        resources(**given)
