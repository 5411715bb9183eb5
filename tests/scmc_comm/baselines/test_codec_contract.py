"""What every image codec owes: round trips at any size, monotone rate, hostile bytes survived."""

import subprocess

import numpy as np
import pytest
import torch

from scmc_comm.baselines import compressai_zoo, hevc, image_codec
from scmc_comm.baselines.image_codecs import IMAGE_CODECS, largest_fitting, make_image_codec
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.metrics import measure
from scmc_comm.registry import SYSTEMS

LEARNED = ("hyperprior", "factorized", "mbt2018-mean")
SLIM = ("jpeg", "webp", "jpeg2000", "avif", "hevc", "vvc", *LEARNED)
NAMES = (*SLIM, *(f"{name}:headers=file" for name in SLIM))
PROCESS = ("hevc", "vvc")  # each call starts FFmpeg
SIZES = ((32, 32), (33, 47), (71, 40))


def save_tiny_networks(family, folder):
    """Random networks of the zoo's class in two qualities, the finer with a larger latent."""
    from compressai.zoo.image import model_architectures

    folder.mkdir(exist_ok=True)
    torch.manual_seed(3)
    net = model_architectures[compressai_zoo.ARCHITECTURES[family]](8, 12)
    for quality, gain in ((1, 20.0), (2, 8.0)):
        with torch.no_grad():
            net.g_a[6].weight.mul_(gain)
        torch.save(net.state_dict(), folder / f"{family}-{quality}.pth.tar")
    return folder


def family_of(name):
    return name.partition(":")[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def make(folder):
    cache = {}

    def get(name):
        family = family_of(name)
        if name not in cache:
            path = ""
            if family in LEARNED:
                weights = save_tiny_networks(family, folder / family)
                path = f"{',' if ':' in name else ':'}weights={weights}"
            cache[name] = make_image_codec(name + path)
        return cache[name]

    return get


@pytest.fixture(scope="module")
def photo():
    return load_photo("coffee", 96)


def spread(codec, count):
    """Qualities from coarsest to fine, the lossless end of the process codecs left out."""
    wanted = np.linspace(0, 0.75 * (len(codec.qualities) - 1), count).round().astype(int)
    return (
        [codec.qualities[i] for i in sorted(set(wanted))]
        if len(codec.qualities) > 2
        else list(codec.qualities)
    )


def picture(kind, size):
    gen = torch.Generator().manual_seed(5)
    if kind == "flat":
        return torch.tensor([0.9, 0.2, 0.4])[:, None, None].expand(3, *size).contiguous()
    if kind == "grey":
        ramp = torch.linspace(0, 1, size[0] * size[1]).view(1, *size)
        return ramp.expand(3, -1, -1).contiguous()
    coarse = torch.rand(1, 3, 6, 6, generator=gen)
    return torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)[0]


def test_every_codec_has_a_system_and_its_own_name():
    assert set(IMAGE_CODECS) <= set(SYSTEMS)
    assert [make_image_codec(name).name for name in IMAGE_CODECS] == list(IMAGE_CODECS)
    assert [make_image_codec(name).name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("name", SLIM)
@pytest.mark.parametrize("kind", ["photo", "flat", "grey"])
def test_slim_decodes_to_the_very_pixels_of_the_file(make, name, kind):
    slim, file = make(name), make(f"{name}:headers=file")
    saved = set()
    for size in SIZES[: 2 if name in PROCESS else 3]:
        img = picture(kind, size)
        for quality in spread(slim, 2):
            data, whole = slim.encode(img, quality), file.encode(img, quality)
            shown = slim.decode(data, size)
            assert shown.shape == (3, *size) and shown.dtype == torch.float32
            assert 0 <= shown.min() and shown.max() <= 1
            assert torch.equal(shown, file.decode(whole, size))
            saved.add(len(whole) - len(data))
    assert min(saved) >= 26
    if name in ("webp", "jpeg2000"):  # headers of one length; RIFF pads chunks to even lengths
        assert max(saved) - min(saved) <= (name == "webp")


@pytest.mark.parametrize("name", NAMES)
def test_noise_in_the_least_pictures_is_coded_as_finely_as_can_be_or_the_size_refused(make, name):
    codec, gen = make(name), torch.Generator().manual_seed(3)
    for size in ((1, 1), (1, 70), (8, 8), (16, 40)):
        img = torch.rand(3, *size, generator=gen)
        try:
            codec.check_size(size)
        except ScmcError as error:
            assert "sides must be 8 to" in str(error) and min(size) < 8
            with pytest.raises(ScmcError, match="sides must be"):
                codec.encode(img, codec.qualities[0])
            continue
        fit = largest_fitting(codec, img, 10**6)
        assert fit is not None and fit.quality >= codec.qualities[len(codec.qualities) // 2]
        assert codec.decode(fit.data, size).shape == (3, *size)
    for size in ((40, 70_000), (9000, 9000)):
        with pytest.raises(ScmcError, match="sides must be|pixels"):
            codec.check_size(size)
            codec.check_size((10**5, 10**5))  # learned codecs have a limit of pixels alone


@pytest.mark.parametrize("name", NAMES)
def test_quality_buys_bytes_and_psnr(make, name, photo):
    codec = make(name)
    sizes, psnrs = [], []
    for quality in spread(codec, 4):
        data = codec.encode(photo, quality)
        sizes.append(len(data))
        psnrs.append(measure(photo, codec.decode(data, (96, 96)), ["psnr_db"])["psnr_db"])
    assert sizes == sorted(sizes) and sizes[-1] > sizes[0]
    if family_of(name) not in LEARNED:  # random networks show nothing
        assert psnrs == sorted(psnrs) and psnrs[-1] > 27


@pytest.mark.parametrize("name", ["webp", "jpeg2000", "avif", "hevc", "vvc"])
def test_later_codecs_beat_jpeg_at_its_bytes(name):
    """A codec set up badly (no colour transform, say) would be an easy rival."""
    img = load_photo("coffee", 128)
    jpeg = make_image_codec("jpeg")
    data = jpeg.encode(img, 30)
    codec = make_image_codec(name)
    fit = largest_fitting(codec, img, len(data))
    shown = codec.decode(fit.data, (128, 128)), jpeg.decode(data, (128, 128))
    psnr, jpegs = (measure(img, x, ["psnr_db"])["psnr_db"] for x in shown)
    assert psnr > jpegs + (0.2 if name in ("webp", "jpeg2000") else 1.5)


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_depend_on_the_picture_alone(make, name):
    codec = make(name)
    img, quality = picture("photo", (48, 40)), spread(codec, 2)[-1]
    first = codec.encode(img, quality)
    codec.encode(picture("flat", (32, 64)), quality)
    assert codec.encode(img.clone(), quality) == first


@pytest.mark.parametrize("name", NAMES)
def test_qualities_that_do_not_exist(make, name, photo):
    codec = make(name)
    for quality in (codec.qualities[0] - 1, codec.qualities[-1] + 1, codec.qualities[0] + 0.03):
        with pytest.raises(ScmcError, match="no quality"):
            codec.encode(photo, quality)


def damaged_bytes(data, count):
    """Nothing, truncations, flipped bits, noise, and the bytes with a tail."""
    rng = np.random.default_rng(1)
    yield from (b"", data[:1], data[: len(data) // 2], data[:-1], data + b"\xff" * 40)
    yield from (bytes(len(data)), b"\xff" * len(data), rng.bytes(len(data)))
    for _ in range(count):
        raw = bytearray(data)
        for at in rng.integers(0, min(len(raw), 60), 3):
            raw[at] ^= 1 << int(rng.integers(8))
        yield bytes(raw)
        raw = bytearray(data)
        for at in rng.integers(0, len(raw), 4):
            raw[at] = int(rng.integers(256))
        yield bytes(raw)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_bytes_give_a_picture_or_one_line(make, name):
    codec = make(name)
    img = picture("photo", (40, 56))
    data = codec.encode(img, spread(codec, 2)[-1])
    refused = 0
    for bad in damaged_bytes(data, 3 if family_of(name) in PROCESS else 40):
        try:
            shown = codec.decode(bad, (40, 56))
        except ScmcError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert shown.shape == (3, 40, 56) and bool(shown.isfinite().all())
            assert 0 <= shown.min() and shown.max() <= 1
    assert refused >= 1  # at least the empty one


@pytest.mark.parametrize("name", [f"{name}:headers=file" for name in SLIM if name not in PROCESS])
def test_a_file_of_another_size_is_refused(make, name):
    codec = make(name)
    data = codec.encode(picture("photo", (40, 56)), codec.qualities[0])
    with pytest.raises(ScmcError):
        codec.decode(data, (56, 40))


# --- what a machine may lack -----------------------------------------------------------------


def test_unknown_names_and_weights_where_none_belong():
    with pytest.raises(ScmcError, match="jpeg2000"):
        make_image_codec("jp2k")
    with pytest.raises(ScmcError, match="there is no key 'weights'; there are headers$"):
        make_image_codec("jpeg:weights=here")
    with pytest.raises(ScmcError, match="no checkpoint or folder"):
        make_image_codec("hyperprior:weights=/not/there")


@pytest.mark.parametrize("name", ["webp", "jpeg2000", "avif"])
def test_a_pillow_without_the_codec_names_the_fix(monkeypatch, name):
    monkeypatch.setattr(image_codec.features, "check", lambda feature: False)
    with pytest.raises(ScmcError, match="pip install"):
        make_image_codec(name)


def test_an_ffmpeg_without_x265_names_the_fix(monkeypatch):
    listing = subprocess.CompletedProcess([], 0, b" V....D libx264  H.264\n", b"")
    monkeypatch.setattr("subprocess.run", lambda *args, **kwargs: listing)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "somewhere/else/ffmpeg")
    codec = hevc.HevcCodec()
    with pytest.raises(ScmcError, match="lacks the libx265 encoder; pip install"):
        codec.encode(torch.full((3, 32, 32), 0.5), 20)


def test_zoo_weights_without_a_network_name_the_fix(monkeypatch, tmp_path):
    def unreachable(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.delenv("SCMC_WEIGHTS", raising=False)
    codec = make_image_codec("hyperprior")
    assert codec.qualities == tuple(range(1, 9))
    with pytest.raises(ScmcError, match=r"no route.*bmshj2018-hyperprior-3-6d87be32\.pth\.tar"):
        codec.encode(torch.rand(3, 64, 64), 3)


def test_zoo_weights_from_the_weights_folder(monkeypatch, tmp_path, folder):
    source = save_tiny_networks("hyperprior", folder / "again")
    (tmp_path / "compressai").mkdir()
    name = "bmshj2018-hyperprior-5-f8b614e1.pth.tar"
    (tmp_path / "compressai" / name).write_bytes((source / "hyperprior-2.pth.tar").read_bytes())
    monkeypatch.setenv("SCMC_WEIGHTS", str(tmp_path))
    img = picture("photo", (64, 64))
    got = make_image_codec("hyperprior").encode(img, 5)
    want = make_image_codec(f"hyperprior:weights={source}").encode(img, 2)
    assert got[0] == 5 and got[1:] == want[1:]


def test_learned_codecs_count_their_parameters(make):
    net = compressai_zoo._file_net("bmshj2018-hyperprior", make("hyperprior")._files[1])
    assert make("hyperprior").num_parameters(1) == sum(p.numel() for p in net.parameters()) > 0
    assert make("jpeg").num_parameters(50) == 0


@pytest.mark.parametrize("content", [b"not a checkpoint", None])
def test_checkpoints_that_are_none(tmp_path, content):
    path = tmp_path / "net-1.pth.tar"
    if content is None:
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(ScmcError, match="net-1"):
        make_image_codec(f"hyperprior:weights={path}").encode(torch.rand(3, 64, 64), 1)


def test_a_folder_without_checkpoints(tmp_path):
    with pytest.raises(ScmcError, match=r"expected names such as"):
        make_image_codec(f"hyperprior:weights={tmp_path}")


def test_the_field_s_words_are_names_too():
    assert make_image_codec("bpg:headers=file").name == "hevc:headers=file"
    with pytest.raises(ScmcError, match="no image codec 'jpg'; did you mean jpeg?"):
        make_image_codec("jpg")
