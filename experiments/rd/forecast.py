"""What rate-quality curves will cost: points that are left, from one measured of each codec."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from experiments.statistics.tables import time_text
from experiments.sweep.costs import UnknownCostError, kept_cost, seconds_of, total_text
from experiments.sweep.rate_points import RateTask, measure_point, points_of, unknown_points


@dataclass(frozen=True)
class CurveForecast:
    """What is left to do of curves.

    Attributes:
        points: For each codec the points of all pictures that are left, and all of them.
        seconds: For each codec what those that are left take of a core, in seconds.
    """

    points: Mapping[str, tuple[int, int]]
    seconds: Mapping[str, float]

    def text(self, jobs: int) -> str:
        """A line for each codec, and the sum; with so many processes it takes that much less.

        Example:
            >>> print(CurveForecast({"jpeg": (3, 12)}, {"jpeg": 6.0}).text(1))
            jpeg: 3 of 12 points left, 6 s of a core
            6 s of a core in all, about 6 s with 1 job
        """
        lines = [
            f"{codec}: {left} of {of} points left, {time_text(self.seconds[codec])} of a core"
            for codec, (left, of) in self.points.items()
        ]
        return "\n".join([*lines, total_text(sum(self.seconds.values()), jobs)])


def forecast_curves(tasks: Sequence[RateTask], calibrate: bool = True) -> CurveForecast | None:
    """Counts what the cache lacks, and measures what a point costs where that is not known.

    Of each codec and size of picture the middle point is measured, on one core, metrics included.

    Args:
        tasks: The curves.
        calibrate: Measure; without it there is no forecast where a codec was never measured.
    """
    left = {task.codec: [0, 0] for task in tasks}
    seconds = dict.fromkeys(left, 0.0)
    for task in tasks:
        what = "rate point", task.codec, task.original.size, task.metrics
        measure = partial(_cost, task)
        try:
            cost = kept_cost(task.cache_dir, task.fingerprint, what, measure, calibrate)
        except UnknownCostError:
            return None
        unknown = len(unknown_points(task))
        left[task.codec][0] += unknown
        left[task.codec][1] += len(points_of(task))
        seconds[task.codec] += unknown * cost["s"]
    return CurveForecast({codec: (a, b) for codec, (a, b) in left.items()}, seconds)


def _cost(task: RateTask) -> dict[str, float]:
    points = task.made_codec.points
    with tempfile.TemporaryDirectory(prefix="scmc-comm-") as folder:
        alone = replace(task, cache_dir=Path(folder))
        measure_point(alone, points[0])  # loads networks
        return {"s": seconds_of(partial(measure_point, alone, points[len(points) // 2]))}
