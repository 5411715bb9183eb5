"""CPU time and memory of commands that compute nothing: ``python -m benchmarks.start_up``.

Each runs in a process of its own, in turns with a bare ``import torch``, which is the yardstick: a
ratio holds on other machines, too.

    python -m benchmarks.start_up --repeats 5 --out FILE.csv
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

YARDSTICK = "import torch"
CALLS = {
    "python, nothing imported": ["-c", "pass"],
    YARDSTICK: ["-c", "import torch"],
    "import scmc_comm": ["-c", "import scmc_comm"],
    "sc.transmit, named": ["-c", "import scmc_comm as sc; sc.transmit"],
    "scmc-comm --help": ["-m", "scmc_comm", "--help"],
    "scmc-comm systems": ["-m", "scmc_comm", "systems"],
    "scmc-comm channels": ["-m", "scmc_comm", "channels"],
    "sweep quick --show": ["-m", "scmc_comm", "sweep", "quick", "--show"],
    "a wrong system": ["-m", "scmc_comm", "sweep", "quick", "--set", "systems=none"],
    "a wrong channel": ["-m", "scmc_comm", "sweep", "quick", "--set", "channels=none"],
}


def run(arguments: list[str]) -> tuple[float, float, float]:
    """CPU and wall time in seconds and peak memory in MiB of a Python process (Linux)."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, _, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    return used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss / 1024


def main() -> None:
    """Prints a table, medians over the repeats."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="rounds over all commands (5)")
    parser.add_argument("--out", type=Path, help="CSV to write")
    args = parser.parse_args()
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in CALLS}
    for _ in range(args.repeats):
        for name, arguments in CALLS.items():
            found[name].append(run(arguments))
    import pandas as pd  # late: a process begins with the peak of its parent

    medians = {
        name: [median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()
    }
    table = pd.DataFrame.from_dict(medians, "index", columns=["cpu_s", "wall_s", "peak_mib"])
    table["ratio"] = table.cpu_s / table.cpu_s[YARDSTICK]
    table = table.round({"cpu_s": 2, "wall_s": 2, "peak_mib": 0, "ratio": 2})
    print(table.to_string())
    if args.out:
        table.rename_axis("command").to_csv(args.out)


if __name__ == "__main__":
    main()
