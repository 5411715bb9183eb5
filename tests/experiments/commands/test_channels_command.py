"""``scmc-comm channels``."""

from __future__ import annotations

import pytest

from channels.fading.models import CHANNELS
from channels.specs import parameters
from experiments.commands.main import main


def test_lists_every_channel_with_parameters_units_and_source(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["channels"])
    out = capsys.readouterr().out
    for name, cls in CHANNELS.items():
        assert f"\n{name}: " in "\n" + out
        assert all(f"    {p.name}=" in out for p in parameters(cls))
    assert out.count("source: ") == len(CHANNELS) + 3  # receiver, grid, impairments
    assert "speed_kmh=3 km/h" in out
    assert "cfo_hz=0 Hz" in out
    assert max(map(len, out.splitlines())) <= 100


def test_lists_those_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    main(["channels", "tdl"])
    out = capsys.readouterr().out
    assert out.startswith("tdl: ") and "clarke: " not in out and "receiver: " not in out
    with pytest.raises(SystemExit) as stop:
        main(["channels", "tld"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "'tld'; did you mean tdl?" in error and error.count("\n") == 1
