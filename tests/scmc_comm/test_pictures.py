"""Pictures are taken in every usual form as the same picture, or refused in one line."""

import numpy as np
import pytest
import torch
from PIL import Image

from scmc_comm.errors import ScmcError
from scmc_comm.images import from_uint8, save_png
from scmc_comm.pictures import as_image, each_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
IMG = from_uint8(PIXELS)
SAME = {
    "PIL": Image.fromarray(PIXELS),
    "uint8 HWC": PIXELS,
    "uint8 CHW": PIXELS.transpose(2, 0, 1),
    "float64 HWC": PIXELS / 255,
    "float32 CHW": (PIXELS.transpose(2, 0, 1) / 255).astype(np.float32),
    "tensor": IMG,
    "tensor HWC": IMG.permute(1, 2, 0),
    "uint8 tensor": torch.from_numpy(PIXELS).permute(2, 0, 1),
    "tensor that wants gradients": IMG.clone().requires_grad_(),
}


@pytest.mark.parametrize("form", SAME)
def test_every_usual_form_is_the_same_picture(form):
    found = as_image(SAME[form])
    assert found.dtype == torch.float32 and found.is_contiguous()
    assert torch.allclose(found, IMG, atol=1e-7)


def test_a_file_is_the_same_picture(tmp_path):
    save_png(IMG, tmp_path / "a.png")
    assert torch.equal(as_image(tmp_path / "a.png"), IMG)
    assert torch.equal(as_image(str(tmp_path / "a.png")), IMG)


@pytest.mark.parametrize("grey", [PIXELS[..., 0], PIXELS[..., :1], IMG[:1]])
def test_grey_is_repeated_with_a_notice(grey, caplog):
    found = as_image(grey)
    assert torch.equal(found, IMG[:1].expand(3, -1, -1)) and "grey" in caplog.text


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_short_floats_are_taken_as_they_are(dtype):
    short = IMG.to(dtype)
    assert torch.equal(as_image(short), short.float())


def test_premultiplied_grey_is_put_over_white():
    grey = Image.fromarray(PIXELS[..., :2].copy(), "LA")
    premultiplied = as_image(grey.convert("La"))
    assert torch.allclose(premultiplied, as_image(grey), atol=2.01 / 255)
    assert torch.equal(premultiplied[0], premultiplied[2])


WRONG = {
    "sparse": (IMG.to_sparse(), "sparse_coo; expected a dense tensor"),
    "on the meta device": (IMG.to("meta"), "without values"),
    "masked": (np.ma.masked_array(PIXELS, PIXELS > 3), "MaskedArray"),
    "32-bit integers": (Image.fromarray(PIXELS[..., 0].astype(np.int32)), "unknown range"),
    "a batch": (np.stack([PIXELS] * 2), "a batch"),
    "a list": ([PIXELS], "transmit_each sends several"),
    "by name": ({"a": PIXELS}, "transmit_each sends several"),
    "8-bit floats": (PIXELS.astype(np.float32), "divide 8-bit values by 255"),
    "not a number": (np.full((40, 40, 3), np.nan), "floats in"),
    "integers": (PIXELS.astype(np.int64), "expected uint8"),
    "truth values": (PIXELS > 3, "expected uint8"),
    "four channels": (np.zeros((40, 40, 4), np.uint8), "expected a path"),
    "seven channels": (np.zeros((7, 40, 40), np.uint8), "expected a path"),
    "too small": (np.zeros((8, 40, 3), np.uint8), "32 pixels"),
    "empty": (np.zeros((0, 40, 3), np.float32), "32 pixels"),
    "one number": (np.zeros(()), "expected a path"),
    "something else": (7, "of type int"),
    "nothing": (None, "NoneType"),
    "no file": ("none.png", "none.png"),
}


@pytest.mark.parametrize("case", WRONG)
def test_all_else_is_refused_in_one_line(case):
    given, word = WRONG[case]
    with pytest.raises(ScmcError) as error:
        as_image(given)
    assert word in str(error.value) and "\n" not in str(error.value)


def test_many_pictures_of_every_kind(tmp_path):
    for name in "ba":
        save_png(IMG, tmp_path / f"{name}.png")

    def names(pictures):
        return [named.name for named in each_picture(pictures)]

    assert names(tmp_path) == names(str(tmp_path)) == ["a.png", "b.png"]
    assert names(np.stack([PIXELS] * 2)) == names([IMG, Image.fromarray(PIXELS)]) == ["0", "1"]
    assert names({"x": PIXELS}) == ["x"] and names(PIXELS) == names(SAME["PIL"]) == ["0"]
    assert names([tmp_path / "b.png", tmp_path, IMG]) == ["b.png", "a.png", "b.png", "2"]
    with pytest.raises(ScmcError, match="of type int"):
        names(3)


def test_a_folder_is_read_one_picture_at_a_time(tmp_path):
    save_png(IMG, tmp_path / "a.png")
    (tmp_path / "b.png").write_text("not a picture")
    pictures = each_picture(tmp_path)
    assert next(pictures).name == "a.png", "the second is not looked at yet"
    with pytest.raises(ScmcError, match="b.png"):
        next(pictures)
