"""Freed memory stays with the process that trains, unless its environment says otherwise."""

import os
import subprocess
import sys

import pytest

LOOK = """
import os
from assay.training.allocation import keep_freed_memory

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

told, before = keep_freed_memory(), resident()
large = bytearray(os.urandom(1 << 20) * 300)
del large
print(told, resident() - before > 250)
"""


def look(**environment: str) -> str:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    shown = subprocess.run(
        [sys.executable, "-c", LOOK],
        env=plain | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.strip()


@pytest.mark.skipif(os.confstr("CS_GNU_LIBC_VERSION") is None, reason="glibc's own settings")
def test_what_was_freed_is_kept():
    assert look() == "True True"


def test_who_set_glibcs_variables_has_decided():
    assert look(MALLOC_TRIM_THRESHOLD_="131072") == "False False"
