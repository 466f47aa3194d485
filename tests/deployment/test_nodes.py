"""docker/nodes.py, without a cluster; tests/deployment/test_autoscaling.py runs it on one."""

import subprocess
import sys

from tests.deployment.files import ROOT


def test_a_cell_that_takes_nothing_is_one_sentence():
    command = [sys.executable, str(ROOT / "docker" / "nodes.py"), "4", "--cpus", "0", "--gpus", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "a cell takes CPUs or GPUs" in done.stderr
    assert "Traceback" not in done.stderr
