"""Builds the wheel, installs it apart from this folder and runs a small sweep in an empty one.

    python -m benchmarks.clean_install [--wheel DIR]

The other packages are those of this Python: nothing but the wheel is installed, and nothing of
the source folder can be imported, so that a file that the wheel lacks is an error here.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODEC = ("captioner", "edges", "fusion", "generator", "signal", "text_model", "deepjscc")
SWEEP = (
    "sweep", "quick", "--out", "out", "--no-figures", "--set", "num_trials=2",
    "--set", "esno_db=6", "--set", "images=photos@64", "--set", "num_images=1",
    "--set", "channels=awgn", "--set", "systems=scmc:protection=optimised,jpeg,deepjscc",
    "--set", "rho=1/8", "--set", "metrics=psnr_db",
)  # fmt: skip


def build(folder: Path) -> Path:
    """The wheel of this folder, in ``folder``; nothing of an earlier build is in it."""
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("scmc_comm-*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel in it, and the other packages in reach; its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [python, "-I", "-m", "pip", "install", "-q", "--no-deps", wheel]
    subprocess.run(command, check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def try_out(python: Path, folder: Path) -> None:
    """Runs the command line of an installed wheel in an empty folder.

    Raises:
        SystemExit: What runs is not the wheel's, or a command fails.
    """
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SCMC_MODELS")}
    env["SCMC_COMM_CACHE"] = str(folder / "cache")
    where = "import scmc_comm, pathlib; print(pathlib.Path(scmc_comm.__file__).parents[1])"
    found = subprocess.run(
        [python, "-c", where], cwd=folder, env=env, check=True, stdout=subprocess.PIPE, text=True,
        encoding="utf-8",
    )  # fmt: skip
    site = Path(found.stdout.strip())
    if not site.is_relative_to(python.parents[1]):
        raise SystemExit(f"{site} was imported and not the wheel")
    command = python.parent / "scmc-comm"
    for arguments in (("--version",), ("weights", "verify", *CODEC), SWEEP):
        subprocess.run([command, *arguments], cwd=folder, env=env, check=True)
    rows = (folder / "out" / "results.csv").read_text(encoding="utf-8").splitlines()
    print(f"{len(rows) - 1} trials in results.csv, from {site}")


def main() -> None:
    """Reads the arguments, builds, installs and tries out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--wheel", type=Path, help="folder to keep the wheel in")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        wheel = build(args.wheel.resolve() if args.wheel else folder)
        (folder / "empty").mkdir()
        try_out(install(wheel, folder / "env"), folder / "empty")


if __name__ == "__main__":
    main()
