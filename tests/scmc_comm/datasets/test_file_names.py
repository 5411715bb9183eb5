"""Names of picture files that tables and stores cannot hold are refused before any is read."""

import os

import pytest

from scmc_comm.datasets.image_sets import annotations_of, each_image
from scmc_comm.errors import ScmcError


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"two\nlines.png", b"\xe2\x80\xae.png"])
def test_a_name_that_cannot_be_printed_is_refused_first(tmp_path, name):
    (tmp_path / "a.png").write_bytes(b"never read")
    with open(os.fsencode(tmp_path) + b"/" + name, "wb"):
        pass
    for call in (annotations_of, lambda folder: next(each_image(folder))):
        with pytest.raises(ScmcError, match=r"the name of picture '.*png' in .*; rename it"):
            call(tmp_path)


def test_other_scripts_and_spaces_are_names(tmp_path):
    for name in ("caf\u00e9 1.png", "\u732b.png"):
        (tmp_path / name).write_bytes(b"x")
    assert len(annotations_of(tmp_path)) == 2
