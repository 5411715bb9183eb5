"""``import scmc_comm as sc``: all that it offers is there, and costs nothing until it is used."""

import subprocess
import sys
from pathlib import Path

import pytest

import scmc_comm as sc

ROOT = Path(__file__).parents[2]


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_importing_it_is_light():
    heavy = "{'torch', 'numpy', 'pandas', 'xarray', 'matplotlib', 'experiments'}"
    code = f"import sys\nimport scmc_comm as sc\ndir(sc)\nprint(*({heavy} & sys.modules.keys()))"
    assert run(code) == []


def test_sending_imports_no_experiment():
    code = (
        "import sys\nimport scmc_comm as sc\nimport numpy as np\n"
        "sc.transmit(np.zeros((64, 64, 3)), 'jpeg', snr_db=9, cbr='1/2')\n"
        "print(*(name for name in sys.modules if name.startswith('experiments')))"
    )
    assert run(code) == []


def test_all_that_it_offers_is_there_and_documented():
    for name in sc.__all__:
        assert name in dir(sc) and getattr(sc, name).__doc__
    assert set(sc._HOMES) | {"register"} == set(sc.__all__)
    assert callable(sc.transmit), "no module of this name takes the function's place"


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'transmitt'"):
        sc.transmitt
