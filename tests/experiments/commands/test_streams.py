"""The program where its streams are closed, narrow or read by nobody, and where it is stopped."""

import os
import subprocess
import sys

import pytest

from experiments.execution.fingerprint import ROOT
from experiments.execution.output import only_writer
from scmc_comm.errors import ScmcError

PROGRAM = f"{sys.executable} -m scmc_comm"


def shell(command, **env):
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | env, check=False,
    )  # fmt: skip


def test_a_reader_who_goes_early_is_no_error_unbuffered_either():
    done = shell(f"{PROGRAM} channels | head -1; exit ${{PIPESTATUS[0]}}", PYTHONUNBUFFERED="1")
    assert done.stdout.startswith("awgn") and done.stderr == ""


def test_closed_streams_and_no_terminal_change_nothing():
    for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"):
        done = shell(f"{PROGRAM} channels {closed}; echo rc $?", TERM="dumb")
        assert done.stdout.endswith("rc 0\n") and done.stderr == "", closed
    assert shell(f"{PROGRAM} channels nowhere 2>&-; exit $?").returncode == 2


def test_no_file_takes_the_place_of_a_closed_stream():
    code = (
        "from experiments.commands.entry import open_closed_streams; open_closed_streams();"
        "import os; print(os.open(os.devnull, os.O_RDONLY) > 2)"
    )
    done = shell(f"{sys.executable} -c '{code}' 0<&- 2>&-")
    assert done.stdout == "True\n"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_what_a_terminal_cannot_show_is_escaped(encoding):
    done = shell(f"{PROGRAM} channels '\U0001f339'", PYTHONIOENCODING=encoding)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr


STOPPED = """
import builtins, sys
real = builtins.__import__
def stopped(name, *rest):
    if name == "experiments.commands.main" or name == "argparse" and {late}:
        raise KeyboardInterrupt
    return real(name, *rest)
builtins.__import__ = stopped
from experiments.commands.entry import main
sys.argv = ["scmc-comm", "channels"]
main()
"""


@pytest.mark.parametrize("late", [False, True])
def test_control_c_while_modules_are_read_is_one_line(late):
    done = subprocess.run(
        [sys.executable, "-c", STOPPED.format(late=late)], cwd=ROOT, capture_output=True,
        encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 130 and done.stderr == "scmc-comm: stopped\n"


def test_a_second_run_into_a_folder_is_refused_while_the_first_goes_on(tmp_path):
    code = (
        "import sys; from pathlib import Path; from experiments.execution.output import only_writer\n"
        "with only_writer(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a" / ".." / "out")], cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
        env={**os.environ, "TMPDIR": str(tmp_path / "elsewhere")},  # as jobs of a cluster have
    )  # fmt: skip
    assert first.stdout.readline() == "in\n"
    with pytest.raises(ScmcError, match="another run is writing to"), only_writer(tmp_path / "out"):
        pass
    with only_writer(tmp_path / "other"):
        pass
    first.kill()  # which leaves nothing locked
    first.wait()
    with only_writer(tmp_path / "out"):
        assert not list(tmp_path.iterdir())
