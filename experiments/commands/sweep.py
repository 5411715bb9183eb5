"""``scmc-comm sweep`` and ``scmc-comm plot``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from channels.ranges import Jobs
from experiments.commands.common import (
    AGAIN,
    AddVerb,
    Number,
    add_out,
    bandwidth_ratio,
    said_cost,
    some_names,
)
from experiments.execution.devices import add_device
from scmc_comm.errors import ScmcError

if TYPE_CHECKING:
    from experiments.sweep.spec import SweepSpec
    from experiments.timed.spec import TimedSpec


def sweep(args: argparse.Namespace) -> None:
    """Run an experiment and draw its figures."""
    from joblib import cpu_count

    from experiments.sweeps import explained, load_sweep

    named = {"images": args.images, "estimator": args.estimator}
    for key in (key for key, value in named.items() if value is not None):
        if any(change.partition("=")[0].strip() == key for change in args.set):
            raise ScmcError(f"{key} is given twice, by --{key} and --set; keep one of them")
    changes = [f"{key}={value}" for key, value in named.items() if value is not None]
    spec = load_sweep(args.name).override([*args.set, *changes])
    spec = dataclasses.replace(spec, plugins=tuple(dict.fromkeys([*spec.plugins, *args.plugin])))
    args.jobs = args.jobs or cpu_count()
    if args.show:
        print(explained(spec), end="")
    elif args.shard is not None:
        _run_shard(args, spec)
    else:
        _run(args, spec)


def _run_shard(args: argparse.Namespace, spec: SweepSpec | TimedSpec) -> None:
    """Fill the cache with one part of a sweep."""
    from experiments.execution.cache import default_cache_dir
    from experiments.sweep.runner import run_shard
    from experiments.sweep.shards import Shard
    from experiments.sweep.spec import SweepSpec

    if not isinstance(spec, SweepSpec):
        raise ScmcError("--shard is for sweeps; an experiment on the timed link runs as a whole")
    if args.dask is not None:
        raise ScmcError("give --shard or --dask; either spreads a sweep over machines")
    shard = Shard.parse(args.shard)
    count = run_shard(spec, shard, args.jobs)
    print(f"shard {shard.number}/{shard.count}: {count} tasks are in {default_cache_dir()}")
    print("when all shards are through, the same command with --out for --shard writes the results")


def _run(args: argparse.Namespace, spec: SweepSpec | TimedSpec) -> None:
    """Say what it costs, run it and draw it."""
    from experiments.api import check_out, run_spec
    from experiments.figures.style import remove_others
    from experiments.sweep.forecast import forecast
    from experiments.sweep.spec import SweepSpec
    from experiments.timed.forecast import forecast_timed

    if not args.estimate and args.out is not None:
        check_out(spec, args.out, args.overwrite)
    each_s = None
    if isinstance(spec, SweepSpec):
        cost = forecast(spec, args.estimate)
        each_s = None if cost is None else cost.each_point_s
        done = said_cost(args, cost)
    else:
        done = said_cost(args, forecast_timed(spec, args.estimate))
    if done:
        return
    run_spec(spec, args.out, args.jobs, args.dask, each_point_s=each_s, overwrite=args.overwrite)
    print(f"results: {args.out / 'results.nc'}, {args.out / 'results.csv'}")
    if args.no_figures:
        remove_others(args.out / "figures", ())  # those of the results before
    else:
        print(f"figures: {args.out / 'figures'} ({len(_draw(args.out))} files)")


def plot(args: argparse.Namespace) -> None:
    """Draw the figures of a finished sweep again, or one of them as a paper needs it."""
    from experiments.figures.paper import PaperSpec, write_paper_figure

    chosen = PaperSpec(
        args.metric, args.systems, dict(map(_label, args.label)),
        args.channels, args.rho, args.column, args.style, not args.no_delivery,
    )  # fmt: skip
    if args.output is None and chosen != PaperSpec():
        raise ScmcError("the options are those of one figure; name it with -o, such as -o fig.pdf")
    drawn = _draw(args.dir) if args.output is None else (
        write_paper_figure(args.dir, args.output, chosen)
    )  # fmt: skip
    for path in drawn:
        print(path)


def _label(text: str) -> tuple[str, str]:
    """A system and its legend entry, from ``SYSTEM=LABEL``, where SYSTEM may hold equal signs."""
    system, equals, label = text.rpartition("=")
    if not (equals and system and label):
        raise ScmcError(f"--label got {text!r}; expected SYSTEM=LABEL, such as scmc=Proposed")
    return system, label


def _draw(folder: Path) -> list[Path]:
    from experiments.figures.plots import plot_sweep
    from experiments.figures.timed import plot_timed
    from experiments.timed.results import is_timed

    return plot_timed(folder) if is_timed(folder) else plot_sweep(folder)


def add(verb: AddVerb) -> None:
    """Add the verbs."""
    sub = verb("sweep", sweep, "sweep quick --out results/quick --jobs 2", AGAIN)
    sub.add_argument("name", metavar="NAME|SPEC.yaml", help="a sweep ('info' lists them) or a file")
    add_out(sub)
    sub.add_argument(
        "--overwrite", action="store_true", help="replace the results of another spec in --out"
    )
    sub.add_argument(
        "--show", action="store_true", help="print the spec as YAML with the meaning and unit of "
        "each key, and run nothing; the YAML is a spec again",
    )  # fmt: skip
    sub.add_argument("--images", help="'photos' (built in) or a folder of pictures")
    sub.add_argument(
        "--estimator",
        help="monte-carlo (every bit is sent), table (draws from block error tables) or expected "
        "(exact sums, no draws); that of the spec by default",
    )
    sub.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the spec"
    )
    sub.add_argument(
        "--no-figures", action="store_true", help="results alone; 'plot DIR' draws figures later"
    )
    sub.add_argument("--jobs", type=Number(Jobs), help="processes (all cores that it may use)")
    sub.add_argument(
        "--shard", metavar="NUMBER/COUNT", help="compute one part, such as 3/8, into the cache, "
        "for the jobs of an array; 'sweep' without it then writes the results",
    )  # fmt: skip
    sub.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="run on the Dask scheduler at this address, such as tcp://host:8786, or on a "
        "'local' cluster of --jobs workers",
    )
    add_device(sub)

    sub = verb("plot", plot, "plot results/quick --systems scmc,vvc --metric lpips -o fig.pdf")
    sub.add_argument("dir", type=Path, metavar="DIR")
    sub.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help="one figure, .pdf, .svg or .png; its numbers come beside it as .csv and .dat, "
        ".tex that draws them (pgfplots), and as a table, _table.tex. Without it all figures are "
        "drawn into DIR/figures",
    )  # fmt: skip
    sub.add_argument(
        "--systems", type=some_names, default=(), metavar="A,B", help="which, in this order (all)"
    )
    sub.add_argument(
        "--label", action="append", default=[], metavar="SYSTEM=LABEL", help="own legend entry"
    )
    sub.add_argument("--metric", help="which metric (the first of the sweep)")
    sub.add_argument(
        "--channels", type=some_names, default=(), metavar="A,B", help="which channels (all)"
    )
    sub.add_argument("--rho", type=bandwidth_ratio, help="which bandwidth ratio, if several")
    sub.add_argument(
        "--column", choices=("ieee", "single", "double"), default="ieee",
        help="width: 3.5 in (single), 7.16 in (double), or 3.5 in for one channel and 7.16 in for "
        "several (ieee); text has 8 points, fonts are embedded (type 42)",
    )  # fmt: skip
    sub.add_argument(
        "--style", type=Path, metavar="FILE", help="a Matplotlib style (.mplstyle) on top"
    )
    sub.add_argument(
        "--no-delivery", action="store_true", help="leave out the delivery probability below"
    )
