"""Runs every script of ``rules`` in one process and keeps what it prints.

python -m docs.examples.measure --out DIR
"""

import argparse
import contextlib
import io
import runpy
from pathlib import Path

RULES = Path(__file__).parent / "rules"


def main() -> None:
    """Writes ``DIR/NAME.csv`` for each script."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    out = parser.parse_args().out
    for path in sorted(RULES.glob("*.py")):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(path), run_name="__main__")
        (out / f"{path.stem}.csv").write_text(printed.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    main()
