"""Figures are drawn whatever the environment and the user's settings say of matplotlib."""

import os
import subprocess
import sys

DRAW = """
import hashlib
import numpy as np
from experiments.figures.chart import Chart
from experiments.figures.panel import Axis, Curve, Panel
from experiments.figures.style import Style, rendered
from experiments.statistics.bjontegaard import bd_rate

x = np.arange(3.0)
curve = Curve(x, x + 1, None, None, Style("#0072B2", "o"), "a")
figure = Chart("s", "t", [[Panel(Axis("x"), Axis("y"), [curve])]]).draw()
print(hashlib.sha256(rendered(figure, "png")["png"]).hexdigest())
print(bd_rate([1, 2, 4, 8], [30, 33, 36, 39], [1, 2, 4, 8], [31, 34, 37, 40]).value)
"""


def drawn(tmp_path, matplotlibrc="", **env):
    (tmp_path / "matplotlibrc").write_text(matplotlibrc)
    plain = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    env = {**plain, "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), **env}
    done = subprocess.run(
        [sys.executable, "-c", DRAW], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_figures_are_the_same_whatever_mplbackend_and_matplotlibrc_say(tmp_path):
    plain = drawn(tmp_path)
    for name in ("module://matplotlib_inline.backend_inline", "no_such", "TkAgg"):
        assert drawn(tmp_path, MPLBACKEND=name) == plain
    mine = "axes.facecolor: red\nfont.size: 30\nsavefig.bbox: tight\nlines.linewidth: 9\n"
    assert drawn(tmp_path, mine + "axes.spines.left: False\ntext.usetex: True\n") == plain
