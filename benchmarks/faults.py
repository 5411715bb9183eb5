"""Faults of the machine while a sweep runs: ``python -m benchmarks.faults``.

A small sweep with two workers is disturbed in each way of the matrix, then run again. It passes if
the second run gives byte for byte what an undisturbed one gives, and the first ended with right
results or one line; no process and no temporary file is left, and nothing hangs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.faulting.cases import CASES, MOUNTING, Matrix, can_mount
from experiments.execution.machine import describe_machine
from experiments.execution.output import write_json


def main() -> None:
    """Prints a line for each kind of fault; the exit status is 1 if a case failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the times of the faults")
    parser.add_argument("--only", help="comma-separated faults, such as 'SIGKILL,disk full'")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases of each fault")
    parser.add_argument("--out", type=Path, help="JSON of the counts and of what failed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    wanted, failed, told = args.only and args.only.split(","), 0, {}
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        matrix, mounts = Matrix(Path(folder), args.seed), can_mount()
        print(f"{describe_machine()}; an undisturbed run takes {matrix.seconds:.1f} s\n")
        print("| fault | cases | held | seconds |\n|---|---:|---:|---:|", flush=True)
        for name, (case, times) in CASES.items():
            if wanted and name not in wanted:
                continue
            if case in MOUNTING and not mounts:
                print(f"| {name} | skipped: file systems cannot be mounted here | | |")
                continue
            begun, count = time.monotonic(), max(1, round(times * args.share))
            found = {n: problems for n in range(count) if (problems := case(matrix, n))}
            failed += len(found)
            seconds = time.monotonic() - begun
            print(f"| {name} | {count} | {count - len(found)} | {seconds:.0f} |", flush=True)
            told[name] = {"cases": count, "failed": found, "seconds": round(seconds, 1)}
            for number, problems in found.items():
                print(f"{name} {number}: {'; '.join(problems)}", file=sys.stderr, flush=True)
    if args.out:
        write_json(args.out, told)
    if failed:
        sys.exit(f"{failed} cases failed")


if __name__ == "__main__":
    main()
