"""Each fault of the matrix once, where FFmpeg has no part; ``python -m benchmarks.faults`` does all."""

import pytest

pytest.importorskip("resource", reason="Linux alone")

from benchmarks.faulting.cases import CASES, MOUNTING, Matrix, can_mount


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    return Matrix(tmp_path_factory.mktemp("faults"), systems="jpeg")


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_disturbed_run_ends_in_one_line_and_goes_on_to_the_same_bytes(matrix, name):
    case, _ = CASES[name]
    if case in MOUNTING and not can_mount():
        pytest.skip("file systems cannot be mounted here")
    assert case(matrix, 1) == []


def test_a_run_that_ends_otherwise_is_told(matrix, tmp_path):
    assert matrix.whole["results.csv"]
    other = Matrix.__new__(Matrix)
    other.__dict__ = matrix.__dict__ | {"whole": {}, "folder": tmp_path}
    assert other.again(other.place()) == ["results differ from those of an undisturbed run"]
