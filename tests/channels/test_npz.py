"""NumPy files that are damaged or declare more than they hold are refused before they are read."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from channels.npz import MAX_BYTES, read_npz


@pytest.fixture
def path(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(300.0), words=np.array(["x", "yy"]))
    return tmp_path / "a.npz"


def test_what_was_written_is_read(path):
    found = read_npz(path)
    assert found["a"].tolist() == list(range(300)) and found["words"].tolist() == ["x", "yy"]


def test_a_file_with_a_bit_flipped_is_refused_or_read_right(path):
    data, rng, refused = path.read_bytes(), np.random.default_rng(1), 0
    for _ in range(60):
        hurt = bytearray(data)
        hurt[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(hurt)
        try:
            found = read_npz(path)
        except ValueError as error:
            assert "\n" not in str(error) and str(error)
            refused += 1
        else:
            assert {v.shape for v in found.values()} == {(300,), (2,)}
    assert refused > 30


def declared(header):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        start = b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header
        file.writestr("a.npy", start)
    return out.getvalue()


@pytest.mark.parametrize("shape", ["(1000000000, 1000)", "(-1,)", "(3, None)", "x", "(" * 300])
def test_a_shape_that_is_not_there_allocates_nothing(path, shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".encode()
    path.write_bytes(declared(header))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError):
            read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_objects_and_bombs_are_refused(path):
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(ValueError):
        read_npz(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(5):
            file.writestr(f"{number}.npy", bytes(MAX_BYTES // 4))
    with pytest.raises(ValueError, match="declares 335544320 bytes; at most"):
        read_npz(path)


def test_a_file_that_is_missing_is_another_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "none.npz")
