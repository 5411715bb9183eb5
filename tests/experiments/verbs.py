"""Runs the command line in this process."""

import pytest

from experiments.commands.main import main


def run(capsys, *args):
    capsys.readouterr()
    main([str(a) for a in args])
    return capsys.readouterr().out


def fails(capsys, *args):
    """The one line on standard error of a command that must exit with status 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    assert stop.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]
