"""The three layers together: every subset, other words, other sizes, damaged containers."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scmc_comm.bitstream import LayeredBitstream
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.codec.tensors import pad_to, resize, working_size
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.types import LayerKind

SUBSETS = [s for n in range(4) for s in itertools.combinations(LayerKind, n)]


@pytest.fixture(scope="module")
def codec():
    return LayeredCodec()


@pytest.fixture(scope="module")
def photo():
    return load_photo("chelsea", 128)


@pytest.fixture(scope="module")
def stream(codec, photo):
    return codec.encode(photo, quality=40)


def psnr(a, b):
    return -10 * (a - b).square().mean().log10().item()


@pytest.mark.parametrize("subset", SUBSETS, ids=lambda s: "+".join(k.tag for k in s) or "nothing")
def test_every_subset_decodes(codec, stream, subset):
    got = codec.decode([x for x in stream.layers if x.kind in subset], stream.size, stream.seed)
    assert got.img_hat.shape == (3, 128, 128) and got.img_hat.dtype == torch.float32
    assert 0 <= got.img_hat.min() and got.img_hat.max() <= 1
    assert {tag.split(".")[0] for tag in got.delivered} == {k.tag for k in subset}
    shown = [k for k in subset if k is not LayerKind.SIGNAL or LayerKind.STRUCTURE in subset]
    assert got.level == max(shown, default=None), "the signal is coded given the structure"
    assert (got.caption is not None) == (LayerKind.SEMANTIC in subset)
    if not shown:
        assert torch.equal(got.img_hat, torch.full((3, 128, 128), 0.5))


def test_no_layer_above_the_caption_needs_it(photo, stream):
    other = LayeredCodec()
    structure = other.encode_structure(photo, level=0)
    signal = other.encode_signal(photo, 40, structure)
    assert "semantic" not in vars(other)  # nobody asked for the caption
    assert (signal, structure, other.encode_semantic(photo)) == stream.layers[::-1]
    assert [other.needs(layer) for layer in stream.layers] == [None, None, LayerKind.STRUCTURE]


def test_the_structure_pays_for_itself_in_the_signal(codec, photo, stream):
    """Given the structure, the signal takes fewer bytes for a picture that is no worse."""
    structure, given = stream.layers[1:]
    alone = codec.encode_signal(photo, 40)
    assert codec.needs(alone) is None
    saved = len(alone.payload) - len(given.payload)
    assert saved > 0.7 * len(structure.payload)
    shown = [codec.decode(x, stream.size).img_hat for x in ((alone,), (structure, given))]
    assert psnr(shown[1], photo) > psnr(shown[0], photo) - 0.1


def test_a_simulcast_on_demand(photo, stream):
    simulcast = LayeredCodec(signal_given="nothing")
    layers = simulcast.encode(photo, quality=40).layers
    assert layers[:2] == stream.layers[:2] and simulcast.needs(layers[2]) is None
    assert simulcast.decode(layers[2:], stream.size).level == LayerKind.SIGNAL
    assert LayeredCodec().decode(layers, stream.size).level == LayerKind.SIGNAL


def test_another_structure_than_it_was_coded_with_never_crashes(codec, photo, stream):
    """A receiver that is given the wrong sketch shows some picture, or leaves the signal out."""
    finer = codec.encode_structure(photo)
    got = codec.decode((finer, stream.layers[2]), stream.size)
    assert got.img_hat.shape == photo.shape and torch.isfinite(got.img_hat).all()
    right = codec.decode(stream.layers[1:], stream.size).img_hat
    assert psnr(got.img_hat, photo) < psnr(right, photo)


def test_each_layer_adds_quality(codec, photo, stream):
    scores = [psnr(codec.decode(stream.layers[:n], stream.size).img_hat, photo) for n in range(4)]
    assert scores[0] < scores[1] < scores[2] < scores[3]


def test_what_is_kept_is_what_would_be_made_anew(codec, photo, stream):
    shown = codec.decode(stream.layers, stream.size).img_hat
    want = shown.clone()
    shown.zero_()  # a caller's copy
    assert torch.equal(codec.decode(stream.layers, stream.size).img_hat, want)
    fits = [codec.encode_signal_fitting(photo, lambda x: len(x.payload) < 900) for _ in range(2)]
    codec.forget()
    fits.append(codec.encode_signal_fitting(photo, lambda x: len(x.payload) < 900))
    assert fits[0] == fits[1] == fits[2]
    assert torch.equal(codec.decode(stream.layers, stream.size).img_hat, want)


def test_container_and_decoder_repeat_themselves(codec, photo, stream):
    codec.forget()
    again = codec.encode(photo, quality=40)
    assert again.to_bytes() == stream.to_bytes()
    back = LayeredBitstream.from_bytes(stream.to_bytes())
    first = codec.decode(back.layers, back.size, back.seed).img_hat
    assert torch.equal(first, codec.decode(stream.layers, stream.size, stream.seed).img_hat)


def test_other_words_paint_another_picture(codec, stream):
    sent = codec.decode(stream.layers[:1], stream.size)
    words = "a red rose. From top to bottom: red; green."
    edited = codec.decode(stream.layers[:1], stream.size, caption=words)
    assert edited.caption == words
    assert not torch.equal(edited.img_hat, sent.img_hat)
    top, bottom = edited.img_hat[:, :40].mean((1, 2)), edited.img_hat[:, -40:].mean((1, 2))
    assert top[0] > top[1] and bottom[1] > bottom[0]


def test_a_caption_may_have_either_sentence(codec):
    for words in ("a yellow sunflower", "From top to bottom: blue; green.", ""):
        img = codec.decode((), (64, 64), caption=words).img_hat
        assert img.shape == (3, 64, 64) and torch.isfinite(img).all()


def test_unknown_colour_in_the_caption_is_named(codec):
    with pytest.raises(ScmcError, match="blurple"):
        codec.decode((), (64, 64), caption="From top to bottom: blurple.")


@pytest.mark.parametrize("size", [(32, 32), (41, 97), (300, 520)])
def test_any_size_from_32(codec, size):
    img = resize(load_photo("coffee", 256), size)
    stream = codec.encode(img, quality=5)
    for n in (1, 2, 3):
        assert codec.decode(stream.layers[:n], size).img_hat.shape == (3, *size)


def test_damaged_layer_is_left_out_with_a_warning(codec, stream, caplog):
    layers = [type(x)(x.kind, x.codec, b"\xff\x07") for x in stream.layers[1:2]]
    got = codec.decode([stream.layers[0], *layers], stream.size)
    assert got.level == LayerKind.SEMANTIC
    assert "structure layer left out" in caplog.text


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_broken_containers_give_an_error_or_a_lower_picture(data, codec, stream):
    raw = bytearray(stream.to_bytes())
    if data.draw(st.booleans(), "truncate"):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1), "length")]
    else:
        raw[data.draw(st.integers(0, len(raw) - 1), "byte")] ^= 1 << data.draw(st.integers(0, 7))
    try:
        got = LayeredBitstream.from_bytes(bytes(raw), strict=False)
    except ScmcError:
        return
    kept = {x.kind: x for x in stream.layers}
    assert all(x == kept[x.kind] for x in got.layers)
    assert len(got.layers) < 3


def test_working_size_keeps_small_pictures_and_shrinks_large_ones():
    assert working_size((128, 200)) == (128, 200)
    assert working_size((512, 768)) == (256, 384)


def test_padding_repeats_the_border():
    img = torch.rand(1, 3, 33, 64)
    padded = pad_to(img, 32)
    assert padded.shape == (1, 3, 64, 64)
    assert torch.equal(padded[:, :, 40], img[:, :, -1])
