"""Files are written through links and FIFOs, and keep their mode."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest
import torch

from experiments.execution.cache import write_atomic
from scmc_comm.images import load_image, save_png
from scmc_comm.new_file import new_file, remove_parts

IMG = torch.full((3, 32, 32), 0.5)


def test_the_target_of_a_link_is_written(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "target.png")
    for _ in range(2):  # a target that is not there yet, and one that is
        save_png(IMG, tmp_path / "link.png")
        assert (tmp_path / "link.png").is_symlink() and load_image(tmp_path / "target.png").numel()


def test_a_file_keeps_its_mode(tmp_path):
    path = tmp_path / "private.png"
    path.touch(0o600)
    save_png(IMG, path)
    write_atomic(path, b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.read_bytes() == b"x"
    assert os.listdir(tmp_path) == ["private.png"]


def test_a_fifo_gets_the_content_and_stays(tmp_path):
    path, got = tmp_path / "fifo", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    write_atomic(path, b"through")
    reader.join(10)
    assert got == [b"through"] and stat.S_ISFIFO(path.stat().st_mode)


def test_nothing_is_left_of_what_fails(tmp_path):
    with pytest.raises(RuntimeError), new_file(tmp_path / "x") as part:
        part.write_bytes(b"half")
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_only_left_overs_of_its_own_are_removed_and_only_there(tmp_path):
    ours = [tmp_path / f".{'0a' * 12}.tmp", tmp_path / ".results.nc.tmp"]
    others = [tmp_path / ".mine.tmp", tmp_path / "deep" / ".results.nc.tmp", tmp_path / "a.tmp"]
    (tmp_path / "deep").mkdir()
    for path in ours + others:
        path.write_text("x")
    remove_parts(tmp_path, tmp_path / "nowhere")
    assert not any(map(os.path.exists, ours)) and all(map(os.path.exists, others))


def test_a_write_that_fails_names_the_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.bin"
    with pytest.raises(OSError, match="No space") as caught, new_file(path) as part:
        part.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(path) and not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device")
def test_a_device_that_takes_nothing_is_named():
    with pytest.raises(OSError, match="No space") as caught, new_file(Path("/dev/full")) as part:
        part.write_bytes(b"a")
    assert caught.value.filename == "/dev/full"
