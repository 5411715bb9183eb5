"""Commands that others run: they end with those."""

import os
import signal
import subprocess
import sys
import time

import pytest

from experiments.execution.children import call

CHILD = """
import pathlib, signal, sys, time
def stop(number, frame):
    pathlib.Path(sys.argv[1], "ended").touch()
    sys.exit(5)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1], "begun").touch()
time.sleep(60)
"""
PARENT = """
import sys
from experiments.execution.children import call
sys.exit(call([sys.executable, "-c", *sys.argv[1:]]))
"""


def test_the_exit_status_is_given():
    assert call([sys.executable, "-c", "import sys; sys.exit(4)"]) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_command_ends_with_the_one_that_runs_it(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD, str(tmp_path)])
    end = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(parent.pid, signal.SIGTERM)
    assert parent.wait(30) == 5 and (tmp_path / "ended").exists()
