"""Mutated inputs for every reader: ``python -m benchmarks.fuzz --seed 1 --inputs 200000``.

Containers, the payloads of layers, result stores, tables, YAML and pictures are damaged and read.
An input passes if it decodes, or is refused by one line (ScmcError or ChannelError, at most 500
printable characters). It fails with any other exception, if it takes too long, ends its process, or
takes more memory than the kind's limit; it is then kept in --out, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from joblib import cpu_count

from benchmarks.fuzzing import campaign
from benchmarks.fuzzing.campaign import Count, Failure, Kind
from benchmarks.fuzzing.codec_kinds import codec_kinds, network_kinds
from benchmarks.fuzzing.file_kinds import description_kinds, store_kinds, table_kinds
from benchmarks.fuzzing.picture_kinds import picture_kinds
from experiments.execution.machine import describe_machine
from experiments.execution.output import write_json

COLUMNS = ("inputs", "decoded", "refused", "failed", "slowest (ms)", "peak (MiB)")


def all_kinds(folder: Path) -> list[Kind]:
    """Every reader, with what it reads; made and small files lie in the folder."""
    files, inputs = folder / "files", folder / "inputs"
    files.mkdir()
    inputs.mkdir()
    return [
        *codec_kinds(),
        *network_kinds(),
        *description_kinds(files),
        *store_kinds(files, inputs),
        *table_kinds(files, inputs),
        *picture_kinds(files),
    ]


def check_seeds(kinds: Iterable[Kind]) -> None:
    """Every reader reads what was not damaged; what it loads is then loaded for all children."""
    for kind in kinds:
        for seed in kind.seeds:
            assert campaign.outcome_of(kind, seed) == campaign.DECODED, kind.name


def table(counts: Mapping[str, Count]) -> str:
    """The counts as Markdown, with their sum."""
    lines = [f"| kind | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    total = Count()
    for name, count in counts.items():
        lines.append(_row(name, count))
        for key in ("inputs", "decoded", "refused", "failed"):
            setattr(total, key, getattr(total, key) + getattr(count, key))
        total.slowest_ms = max(total.slowest_ms, count.slowest_ms)
        total.peak_mib = max(total.peak_mib, count.peak_mib)
    return "\n".join([*lines, _row("all", total)])


def _row(name: str, count: Count) -> str:
    numbers = (count.inputs, count.decoded, count.refused, count.failed)
    cells = [f"{number:,}" for number in numbers]
    return f"| {' | '.join([name, *cells, f'{count.slowest_ms:.0f}', f'{count.peak_mib:.0f}'])} |"


def keep(failures: Sequence[Failure], kinds: Sequence[Kind], seed: int, out: Path) -> None:
    """Writes each failing input, and beside it what it did."""
    by_name = {kind.name: kind for kind in kinds}
    for failure in failures:
        stem = out / f"{failure.kind.replace(' ', '-')}-{seed}-{failure.number}"
        stem.with_name(f"{stem.name}.bin").write_bytes(
            by_name[failure.kind].input(seed, failure.number)
        )
        said = f"kind {failure.kind}, seed {seed}, input {failure.number}\n\n{failure.why}"
        stem.with_name(f"{stem.name}.txt").write_text(said, encoding="utf-8")


def main() -> None:
    """Runs a campaign, prints its table and keeps its failures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--minutes", type=float, help="stop after so many, though inputs are left")
    parser.add_argument("--jobs", type=int, default=cpu_count(), help="child processes")
    parser.add_argument("--only", help="comma-separated kinds, such as 'container,PNG'")
    parser.add_argument("--out", type=Path, default=Path("fuzz"), help="folder of failures")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        kinds = all_kinds(Path(folder))
        if args.only:
            wanted = args.only.split(",")
            kinds = [kind for kind in kinds if kind.name in wanted]
        check_seeds(kinds)
        begun = time.monotonic()
        jobs = campaign.jobs_of(kinds, args.inputs)
        counts, failures = campaign.run(jobs, args.seed, args.jobs, args.minutes)
        seconds = time.monotonic() - begun
        keep(failures, kinds, args.seed, args.out)
    num_inputs = sum(count.inputs for count in counts.values())
    print(f"{describe_machine()}; seed {args.seed}")
    print(
        f"{num_inputs:,} inputs in {seconds / 60:.1f} minutes, {num_inputs / seconds:.0f} a second"
    )
    print(f"\n{table(counts)}")
    told = {name: asdict(count) for name, count in counts.items()}
    write_json(args.out / "counts.json", {"seed": args.seed, "seconds": seconds, "kinds": told})
    if failures:
        sys.exit(f"{len(failures)} inputs failed; they are kept in {args.out}")


if __name__ == "__main__":
    main()
