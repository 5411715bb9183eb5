"""Runs a toy sweep in children that kill themselves at ever later writes, until one finishes.

Arguments: output folder, cache folder, sweep as YAML, and how many writes more each child gets
than the one before it; 0 lets the first one finish. Prints how many were killed.
"""

import os
import signal
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parent)]

import fakes  # noqa: E402
import torch  # noqa: E402

from experiments.sweep import points  # noqa: E402
from experiments.sweep.runner import run_sweep  # noqa: E402
from experiments.sweep.spec import SweepSpec  # noqa: E402


def die_at(write: int) -> None:
    """Sends SIGKILL in place of the so-manieth renaming of a finished file."""
    rename, seen = os.replace, []

    def replace(source, target):
        seen.append(target)
        if len(seen) == write:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)

    os.replace = replace


def main() -> None:
    out, cache, text, step = sys.argv[1:]
    spec = SweepSpec.from_yaml(text)
    torch.set_num_threads(1)
    points.CHUNK = 16  # so that points are left half done
    kills = 0
    while True:
        child = os.fork()
        if not child:
            die_at(int(step) * (kills + 1))
            run_sweep(
                spec, out, cache_dir=Path(cache), components=fakes.TOYS, progress=False
            )  # fmt: skip
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            break
        kills += 1
    assert status == 0, f"a run failed with status {status}"
    print(kills)


if __name__ == "__main__":
    main()
