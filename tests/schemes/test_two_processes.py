"""The example of two processes runs, and both end with one student, who has heard the teacher."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "two_processes.py"


@pytest.mark.complete
def test_two_processes_distil_one_student():
    call = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", EXAMPLE]
    told = subprocess.run(
        call, capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert told.returncode == 0, told.stderr[-2000:]
    agreements = [float(value) for value in re.findall(r"agreement (\d\.\d+)", told.stdout)]
    assert len(agreements) == 8 and agreements[-1] > 0.8
    # The gradients are averaged, or the two would drift apart.
    checks = re.findall(r"process (\d): weights (\S+)", told.stdout)
    assert {number for number, _ in checks} == {"0", "1"} and len({sums for _, sums in checks}) == 1
