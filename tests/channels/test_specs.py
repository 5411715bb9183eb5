"""Components as text, and the documentation that lists show."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest

from channels.errors import ChannelError
from channels.fading.models import CHANNELS
from channels.ofdm.grid import OfdmGrid
from channels.ofdm.impairments import Impairments
from channels.phy.ofdm import OfdmPhy
from channels.specs import Component, build, check_values, parameters, source, summary


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
    assert build("thing", {"thing": Thing}, "thing: path = a , num=3") == Thing("a", num=3)


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
        ("thing:path=a,power_db=x", "expected power_db as a finite number"),
        ("thing:path=a,num=1.5", "expected num as a whole number"),
        ("thing:path", "'path'; expected key=value"),
        ("thing:path=", "'path='; expected key=value"),
        ("thing:,,,", "''; expected key=value"),
        ("thing:path=a,", "''; expected key=value"),
        ("thing:path=a,num=1,path=a", "got path twice; write it once"),
        ("THING", "did you mean thing?"),
        ("thing:PATH=a", "did you mean path?"),
        *(
            (f"thing:path=a,num={text}", "expected num as a whole number")
            for text in ("1_0", "\u0663", "\uff11", "99999999999999999999")
        ),
        *(
            (f"thing:path=a,power_db={text}", "expected power_db as a finite number")
            for text in ("inf", "-inf", "nan", "1e999", "0_0.5", "\u0663.5")
        ),
    ],
)
def test_wrong_specs_are_refused_in_one_line(spec: str, wrong: str) -> None:
    with pytest.raises(ChannelError) as error:
        build("thing", {"thing": Thing}, spec)
    assert wrong in str(error.value)
    assert "\n" not in str(error.value)


def test_values_are_of_their_types() -> None:
    for good in (Thing("a"), Thing("a", 3), Thing("a", np.float32(0.5), np.int64(2))):
        check_values(good)
    for bad, wrong in (
        (Thing(3), "path is 3; expected text"),  # type: ignore[arg-type]
        (Thing("a", "3"), "power_db is '3'; expected a finite number"),  # type: ignore[arg-type]
        (Thing("a", float("inf")), "power_db is inf"),
        (Thing("a", num=True), "num is True; expected a whole number"),
        (Thing("a", num=1.0), "num is 1.0"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ChannelError, match=re.escape(wrong)):
            check_values(bad)
    for spec in (None, 3, b"thing"):
        with pytest.raises(ChannelError, match="expected its name as text"):
            build("thing", {"thing": Thing}, spec)  # type: ignore[arg-type]
