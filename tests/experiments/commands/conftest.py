"""A folder with a picture, as users of the command line have it."""

import pytest
from PIL import Image

from experiments.commands.main import main
from scmc_comm.images import load_photo, save_png


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli")
    save_png(load_photo("chelsea", 128), path / "cat.png")
    (path / "notes.png").write_text("not a picture")
    (path / "bad.yaml").write_text("name: x\nsystems: [scmc\nseed: 1")
    (path / "empty.scmc").write_bytes(b"")
    (path / "noise.scmc").write_bytes(bytes(range(7, 90)))
    Image.new("RGB", (1, 1)).save(path / "dot.png")
    main(["encode", str(path / "cat.png"), "-o", str(path / "cat.scmc"), "--quality", "30"])
    return path
