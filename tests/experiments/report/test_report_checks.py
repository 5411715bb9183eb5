"""The checks that keep known mistakes out: each names tests, and says how they ended."""

import ast
from pathlib import Path

import pytest

from experiments.report import checks
from scmc_comm.errors import ScmcError

ROOT = Path(__file__).parents[3]


def test_every_check_names_a_test_that_exists():
    assert len(checks.MISTAKES) == 15
    known: dict[str, set[str]] = {}
    for mistake in checks.MISTAKES:
        assert mistake.tests
        for test in mistake.tests:
            path, _, name = test.partition("::")
            if path not in known:
                tree = ast.parse((ROOT / path).read_text())
                known[path] = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
            assert name in known[path], test


def test_the_state_of_a_check_is_what_its_tests_gave(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('x', [1, 2])\ndef test_good(x): pass\n"
        "def test_bad(): assert 0\n"
        "def test_skipped(): pytest.skip('no weights')\n"
    )
    ids = {n: f"tests/test_x.py::test_{n}" for n in ("good", "bad", "skipped", "gone")}
    outcomes = checks.run_tests([ids[n] for n in ("good", "bad", "skipped")], tmp_path)

    def state(*names):
        mistake = checks.Mistake("", "", "", tuple(ids[n] for n in names))
        return checks.state_of(mistake, outcomes)

    assert state("good") == "passed (2 tests)"
    assert state("good", "bad") == "FAILED"
    assert state("good", "skipped") == "skipped: no weights"
    assert state("good", "gone") == "did not run"
    assert "not run for this report" in checks.state_of(checks.MISTAKES[0], None)
    with pytest.raises(ScmcError, match="checkout"):
        checks.run_tests([], tmp_path / "tests")
