"""Components as text, and the documentation that lists show."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from channels.errors import ChannelError
from channels.fading.models import CHANNELS
from channels.ofdm.grid import OfdmGrid
from channels.ofdm.impairments import Impairments
from channels.phy.ofdm import OfdmPhy
from channels.specs import Component, build, parameters, source, summary


@dataclass(frozen=True)
class Thing(Component):
    """A thing. It does nothing.

    Attributes:
        path: Where it
            lies.
        power_db: How strong: "very" or less.
        num: How many.

    Source: somebody,
    1999.
    """

    path: str
    power_db: float = 1.5
    num: int | None = None


def test_round_trip() -> None:
    for thing in (Thing("a"), Thing("b", -3e-7, 4)):
        assert build("thing", {"thing": Thing}, thing.name) == thing
    assert build("thing", {"thing": Thing}, "thing: path = a , num=3,") == Thing("a", num=3)


def test_documentation_is_read_from_the_docstring() -> None:
    assert summary(Thing) == "A thing"
    assert source(Thing) == "somebody, 1999."
    first, second, third = parameters(Thing)
    assert (first.name, first.default, first.meaning) == ("path", None, "Where it lies.")
    assert (second.default, second.unit) == ("1.5", "dB")
    assert second.meaning == 'How strong: "very" or less.'
    assert (third.default, third.unit) == ("", "")


@pytest.mark.parametrize("cls", [*CHANNELS.values(), OfdmPhy, OfdmGrid, Impairments], ids=str)
def test_every_component_is_documented(cls: type) -> None:
    assert summary(cls)
    assert source(cls)
    assert all(parameter.meaning for parameter in parameters(cls))


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ("other", "there is no thing 'other'; there are thing"),
        ("thing", "needs path"),
        ("thing:path=a,size=3", "'size=3'; there is no key 'size'; there are path, power_db, num"),
        ("thing:pth=a", "there is no key 'pth'; did you mean path? There are path, power_db, num"),
        ("thing:path=a,power_db=x", "expected power_db as a number"),
        ("thing:path=a,num=1.5", "expected num as a whole number"),
        ("thing:path", "'path'; expected key=value"),
    ],
)
def test_wrong_specs_are_refused_in_one_line(spec: str, wrong: str) -> None:
    with pytest.raises(ChannelError) as error:
        build("thing", {"thing": Thing}, spec)
    assert wrong in str(error.value)
    assert "\n" not in str(error.value)
