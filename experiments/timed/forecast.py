"""What an experiment on the timed link will cost: pictures to encode, and runs of the link."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from channels.plugins import load
from experiments.execution.cache import Cache, default_cache_dir
from experiments.statistics.tables import time_text
from experiments.sweep.components import Components
from experiments.sweep.costs import UnknownCostError, kept_cost, seconds_of, total_text
from experiments.sweep.made import fingerprint_of
from experiments.timed.runner import REAL, make_jobs, open_library
from experiments.timed.schemes import Scheme
from experiments.timed.simulate import run
from experiments.timed.spec import TimedSpec


@dataclass(frozen=True)
class TimedForecast:
    """What is left to do; the metrics of what is shown are not in it.

    Attributes:
        pictures: Of each system so many are to be encoded, and so many in all.
        coding_s: For each system what those that are left take of a core, in seconds.
        runs: Of each scheme so many are left, and so many in all.
        runs_s: For each scheme what those that are left take.
    """

    pictures: Mapping[str, tuple[int, int]]
    coding_s: Mapping[str, float]
    runs: Mapping[str, tuple[int, int]]
    runs_s: Mapping[str, float]

    def text(self, jobs: int) -> str:
        """A line for each system and scheme, and the sum.

        Pictures are encoded one after the other, runs in so many processes.
        """
        lines = [
            f"{system}: {left} of {of} pictures left to encode, "
            f"{time_text(self.coding_s[system])} of a core"
            for system, (left, of) in self.pictures.items()
        ] + [
            f"{scheme}: {left} of {of} runs left, {time_text(self.runs_s[scheme])} of a core"
            for scheme, (left, of) in self.runs.items()
        ]
        coding = f"{time_text(sum(self.coding_s.values()))} with 1 job for pictures"
        total = f"{total_text(sum(self.runs_s.values()), jobs)} for runs"
        return "\n".join([*lines, f"{coding}, then {total}; metrics not counted"])


def forecast_timed(
    spec: TimedSpec,
    calibrate: bool = True,
    cache_dir: Path | None = None,
    components: Components = REAL,
) -> TimedForecast | None:
    """Counts what the cache lacks, and measures what a part costs where that is not known.

    A part is one picture of a system, or one run of a scheme in the middle of the axis; which runs
    are known is told once all pictures are.

    Args:
        spec: The experiment.
        calibrate: Measure; without it there is no forecast where a part was never measured.
        cache_dir: Folder of finished work; None for the user's cache folder.
        components: What to build systems and metrics from.

    Raises:
        ScmcError: As `experiments.timed.runner.run_timed`, before it runs.
    """
    for plugin in spec.plugins:
        load(plugin)
    where = (cache_dir or default_cache_dir()).absolute()
    library, fingerprint = open_library(spec, where, components), fingerprint_of(components)
    what = "timed", replace(spec, name="any", description="").to_yaml()
    try:
        cost = kept_cost(where, fingerprint, what, partial(_costs, spec, components), calibrate)
    except UnknownCostError:
        return None
    systems = dict.fromkeys(Scheme.parse(text).system for text in spec.schemes)
    count = len(library.images)
    unknown = {name: sum(not library.knows(name, x) for x in library.images) for name in systems}
    each = len(spec.values) * spec.num_replications
    left = dict.fromkeys(spec.schemes, each)
    if not any(unknown.values()):
        cache = Cache(where)
        left = dict.fromkeys(spec.schemes, 0)
        for job in make_jobs(spec, library, fingerprint):
            left[job.scheme] += job.key not in cache
    return TimedForecast(
        {name: (number, count) for name, number in unknown.items()},
        {name: number * cost[f"picture {name}"] for name, number in unknown.items()},
        {scheme: (number, each) for scheme, number in left.items()},
        {scheme: number * cost[f"run {scheme}"] for scheme, number in left.items()},
    )


def _costs(spec: TimedSpec, components: Components) -> dict[str, float]:
    """Seconds of a picture of each system, and of a run of each scheme."""
    middle = spec.values[len(spec.values) // 2]
    small = replace(spec, num_images=1, values=(middle,))
    found = dict[str, float]()
    with tempfile.TemporaryDirectory(prefix="scmc-comm-") as folder:
        library = open_library(small, Path(folder), components)
        for text in spec.schemes:
            system = Scheme.parse(text).system
            coding_s = seconds_of(partial(library.sizes, system))
            found.setdefault(f"picture {system}", coding_s)
        for job in make_jobs(small, library, fingerprint_of(components)):
            if job.replication == 0:
                found[f"run {job.scheme}"] = seconds_of(partial(run, job))
    return found
