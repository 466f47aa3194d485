import numpy as np
import pytest

from assay.errors import DataError
from assay.statistics.scaling.runs import Runs, read_runs

GOOD = "params,samples,loss,flops,label\n1000,2000,0.5,12e6,a\n2000,2000,0.4,24e6,b\n"


def written(tmp_path, text):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    return path


def test_a_file_is_read_and_other_columns_are_left_alone(tmp_path):
    runs = read_runs(written(tmp_path, GOOD))
    assert runs.params_R.tolist() == [1000, 2000]
    assert runs.loss_R.tolist() == [0.5, 0.4]
    assert runs.flops_R is not None
    assert runs.flops_R.tolist() == [12e6, 24e6]
    assert runs.unique_R is None


def test_a_budget_without_flops_is_parameters_times_samples():
    columns = {"params": [10, 20, 19], "samples": [5, 5, 5], "loss": [3, 2, 2.5]}
    runs = Runs.of({name: np.array(column, float) for name, column in columns.items()})
    assert runs.budget_R.tolist() == [50, 100, 95]
    assert runs.of_largest_budget_R.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("params,loss\n10,1\n", "has no column samples"),
        ("params_millions,samples,loss\n10,5,1\n", "column params_millions is in another unit"),
        ("params,samples,loss\n", "holds no run"),
        ("", "has no column params"),
        ("params,samples,loss\n10,5,abc\n", "line 2: loss 'abc' is no number"),
        ("params,samples,loss\n1,234,567,0.5\n", "line 2: has more values than the header"),
        ("params,samples,loss\n10,5\n", "line 2: loss None is no number"),
        ("params,samples,loss\n10,5,1\n10,6,nan\n", "line 3: loss is nan"),
        ("params,samples,loss\n10,5,-1\n", "line 2: loss is -1"),
        ("params,samples,loss\n0,5,1\n", "line 2: params is 0"),
        ("params,samples,loss\n10,inf,1\n", "line 2: samples is inf"),
        ("params,samples,loss\n1.5,5,1\n", "params is 1.5, which is no count"),
        ("params,samples,loss\n10,5,1\n10,5,2\n", "line 2 and line 3 are the same run"),
        ("params,samples,loss,chain\n10,5,1,a\n10,6,1,\n", "line 3: chain is empty"),
        ("params,samples,unique,loss\n10,5,6,1\n", "unique exceeds samples"),
        ("params,params,samples,loss\n10,10,5,1\n", "names the column params twice"),
    ],
)
def test_bad_files_get_one_sentence(tmp_path, text, sentence):
    with pytest.raises(DataError) as caught:
        read_runs(written(tmp_path, text))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_runs(tmp_path / "none.csv")


def test_repetitions_are_told_apart_by_seed(tmp_path):
    text = "params,samples,loss,seed\n10,5,1,0\n10,5,1,1\n"
    assert len(read_runs(written(tmp_path, text))) == 2


def test_repetitions_are_told_apart_by_cell_and_chains_are_numbered(tmp_path):
    text = "params,samples,loss,cell,chain\n10,5,1,x,b\n10,5,1,y,a\n10,9,1,z,b\n"

    runs = read_runs(written(tmp_path, text))

    assert runs.chain_R.tolist() == [1, 0, 1]
    assert runs.at(np.array([2])).chain_R.tolist() == [1]
    with pytest.raises(DataError, match="line 2 and line 3 are the same run"):
        read_runs(written(tmp_path, text.replace(",y,a", ",x,b")))
