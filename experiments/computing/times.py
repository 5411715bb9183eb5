"""What a system's encoder and decoder took for a picture, and the file that keeps such times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from experiments.execution.fingerprint import git_revision, package_versions
from experiments.execution.machine import describe_machine
from experiments.execution.output import write_json
from experiments.execution.side_files import read_json
from experiments.execution.stopwatch import Duration
from scmc_comm.errors import ScmcError

COMMAND = "scmc-comm sweep"


@dataclass(frozen=True)
class Coding:
    """What was coded: times hold for it alone.

    Attributes:
        system: The system, as the spec writes it.
        image: Name of the picture.
        size: (H, W) in pixels.
        rho: Bandwidth ratio that the reference system filled.
        design_esno_db: Es/N0 in dB that it coded for.
        reference: System whose bytes a rival's file may have.
        content: Of the picture's pixels and, of a plug-in, what it is made of.
    """

    system: str
    image: str
    size: tuple[int, int]
    rho: float
    design_esno_db: float
    reference: str
    content: str


@dataclass(frozen=True)
class PictureTimes:
    """Median times of one picture.

    Attributes:
        coding: What was coded.
        encode: From the picture to all of its units, the search for the quality that fits
            included.
        decode: By tag: from this unit and all more urgent ones to the picture.
    """

    coding: Coding
    encode: Duration
    decode: Mapping[str, Duration]


@dataclass(frozen=True)
class Times:
    """Times of pictures on one machine.

    Attributes:
        machine: As `describe_machine` gives it.
        num_repetitions: Runs that each median is over.
        pictures: The times.
    """

    machine: Mapping[str, Any]
    num_repetitions: int
    pictures: tuple[PictureTimes, ...] = ()
    _by_coding: dict[Coding, PictureTimes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_coding", {found.coding: found for found in self.pictures})

    @classmethod
    def none_yet(cls, num_repetitions: int) -> Times:
        """Of this machine, nothing measured."""
        return cls(describe_machine(), num_repetitions)

    def get(self, coding: Coding) -> PictureTimes | None:
        """The times of a coding; None if it was not measured."""
        return self._by_coding.get(coding)

    def plus(self, found: PictureTimes) -> Times:
        """The same with the times of one more picture."""
        return Times(self.machine, self.num_repetitions, (*self.pictures, found))

    def check_machine(self, path: Path) -> None:
        """Refuses to mix times of this machine with those of another.

        Raises:
            ScmcError: They were measured on another, or with another number of threads.
        """
        here = describe_machine()
        for key, value in here.items():
            if self.machine.get(key) != value:
                raise ScmcError(
                    f"{path} was measured with {key} {self.machine.get(key)!r}, here it is "
                    f"{value!r}, and some times are missing; delete the file to measure all here"
                )


def write_times(path: Path, times: Times) -> None:
    """Writes the file, with the machine, the versions and the revision of the code."""
    told = {
        "machine": dict(times.machine),
        "num_repetitions": times.num_repetitions,
        "versions": package_versions(),
        "git": git_revision(),
        "pictures": [asdict(found) for found in times.pictures],
    }
    write_json(path, told)


def read_times(path: Path) -> Times:
    """Reads what `write_times` wrote.

    Raises:
        ScmcError: There is no such file, or it is damaged.
    """
    tree = read_json(path, COMMAND, ("machine", "num_repetitions", "pictures"))
    try:
        pictures = tuple(map(_picture, tree["pictures"]))
        if len({found.coding for found in pictures}) < len(pictures):
            raise ValueError("a picture stands there twice")
        if int(tree["num_repetitions"]) < 1:
            raise ValueError(f"num_repetitions is {tree['num_repetitions']}; expected 1 or more")
        return Times(dict(tree["machine"]), int(tree["num_repetitions"]), pictures)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ScmcError(
            f"{path} holds no computing times ({type(error).__name__}: {error}); "
            "delete it and measure again"
        ) from error


def _picture(tree: Mapping[str, Any]) -> PictureTimes:
    coding = dict(tree["coding"])
    height, width = coding.pop("size")
    decode = {tag: _duration(found) for tag, found in tree["decode"].items()}
    return PictureTimes(Coding(size=(height, width), **coding), _duration(tree["encode"]), decode)


def _duration(tree: Mapping[str, Any]) -> Duration:
    found = Duration(float(tree["wall_s"]), float(tree["cpu_s"]))
    if not (0 <= found.wall_s < float("inf") and 0 <= found.cpu_s < float("inf")):
        raise ValueError(f"{found}; expected seconds, 0 or more")
    return found


def mean_s(durations: Sequence[Duration], clock: str) -> float:
    """Mean in seconds by one of both clocks.

    Args:
        durations: One or more.
        clock: ``wall`` or ``cpu``.

    Example:
        >>> mean_s([Duration(1.0, 0.5), Duration(3.0, 1.0)], "cpu")
        0.75
    """
    return sum(getattr(d, f"{clock}_s") for d in durations) / len(durations)
