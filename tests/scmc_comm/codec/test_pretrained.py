"""Published networks in place of the shipped ones: random ones of the same classes, offline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_models as tiny
import torch
from torch.nn import functional as F

from scmc_comm import device
from scmc_comm.bitstream import DEFAULT_CODECS
from scmc_comm.codec.captioner import Captioner
from scmc_comm.codec.options import CodecOptions, make_codec
from scmc_comm.codec.pretrained import diffusion
from scmc_comm.codec.pretrained.diffusion import PLAIN, TURBO, render_size
from scmc_comm.codec.pretrained.guided import (
    DEFAULT_BASES,
    GuidedStructureCodec,
    load_guided,
    match_colours,
)
from scmc_comm.codec.pretrained.painter import DiffusionPainter
from scmc_comm.codec.structure import StructureCodec
from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo

CAPTION = "a red rose. From top to bottom: white; black."
GUIDES = {
    "controlnet": (tiny.controlnet, False, "StableDiffusionControlNetPipeline"),
    "adapter": (tiny.adapter, False, "StableDiffusionAdapterPipeline"),
    "controlnet-xl": (tiny.controlnet, True, "StableDiffusionXLControlNetPipeline"),
    "adapter-xl": (tiny.adapter, True, "StableDiffusionXLAdapterPipeline"),
}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folder with a tiny model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    tiny.save_stable_diffusion(folder / "sd-turbo")
    tiny.save_stable_diffusion(folder / "sdxl-turbo", xl=True)
    tiny.save_stable_diffusion(folder / "sd", turbo=False)
    tiny.save_florence(folder / "florence")
    for name, (make, xl, _) in GUIDES.items():
        make(xl).save_pretrained(folder / name)
    (folder / "empty").mkdir()
    (folder / "text").mkdir()
    (folder / "text" / "config.json").write_text("not json")
    (folder / "text" / "model_index.json").write_text("not json")
    (folder / "notes.txt").write_text("a note")
    return folder


@pytest.fixture(scope="module")
def photo():
    return load_photo("chelsea", 64)


@pytest.fixture(scope="module")
def payload(photo):
    return StructureCodec.load().encode(photo)


@pytest.fixture
def offline(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


# --- captioners


def test_florence_describes_with_beams(models, photo):
    captioner = Captioner.load(models / "florence", beams=5)
    assert captioner.backend.task == "<CAPTION>"
    words = captioner(photo)
    assert words and words == captioner(photo)
    assert "<" not in words and "What does" not in words
    assert captioner.describe(torch.stack([photo, photo.flip(2)]))[0] == words
    seen = []
    original = captioner.backend._model.generate
    captioner.backend._model.generate = lambda **kw: seen.append(kw) or original(**kw)
    captioner(photo)
    assert seen[0]["num_beams"] == 5 and not seen[0]["do_sample"]
    task = captioner.backend._processor.tokenizer.decode(seen[0]["input_ids"][0])
    assert "What does the image describe?" in task


def test_captioner_without_all_its_weights_is_refused(models, tmp_path):
    """transformers alone would caption with random numbers and only log it."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(models / "florence", tmp_path / "half")
    path = tmp_path / "half" / "model.safetensors"
    state = {k: v for k, v in load_file(path).items() if "vision" not in k}
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(ScmcError, match=r"lack \d+ tensors.*florence-community"):
        Captioner.load(tmp_path / "half")


# --- generators of the semantic layer


@pytest.mark.parametrize("name", ["sd-turbo", "sdxl-turbo"])
def test_painter_repeats_itself_by_seed_and_reads_words(models, name):
    before = torch.get_rng_state()
    painter = DiffusionPainter.load(str(models / name))
    first = painter(CAPTION, (40, 56), 7)
    assert first.shape == (3, 40, 56) and first.dtype == torch.float32
    assert 0 <= first.min() and first.max() <= 1
    assert torch.equal(first, DiffusionPainter.load(str(models / name))(CAPTION, (40, 56), 7))
    assert not torch.equal(first, painter(CAPTION, (40, 56), 8))
    assert not torch.equal(first, painter(CAPTION.replace("rose", "cat"), (40, 56), 7))
    assert torch.equal(before, torch.get_rng_state()), "noise comes from the seed alone"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_painter_computes_in_half_precision(models, dtype):
    painter = DiffusionPainter.load(str(models / "sd-turbo"), dtype)
    assert painter._paint.unet.dtype == getattr(torch, dtype)
    for caption in ("a red rose.", CAPTION):  # from noise, and from a layout's colours
        img = painter(caption, (32, 32), seed=1)
        assert img.dtype == torch.float32
        assert img.isfinite().all()


@pytest.mark.parametrize("name", GUIDES)
def test_guided_pictures_are_painted_in_half_precision(models, payload, name):
    base = models / ("sdxl-turbo" if GUIDES[name][1] else "sd-turbo")
    pipeline = load_guided(str(models / name), str(base), "bfloat16")
    codec = GuidedStructureCodec(StructureCodec.load().detector, pipeline)
    assert pipeline.unet.dtype == torch.bfloat16
    assert codec.decode(payload, (64, 64), None, "a rose").isfinite().all()


def test_half_precision_without_a_named_generator_is_refused():
    with pytest.raises(ScmcError, match="no generator is named"):
        CodecOptions(dtype="float16")
    with pytest.raises(ScmcError, match="dtype is 'half'"):
        CodecOptions(dtype="half", generator="owner/model")


def test_pipelines_run_on_the_chosen_device_and_draw_on_the_processor(monkeypatch):
    drawn = []

    class Words:
        model_max_length = 77

        def __call__(self, prompt):
            return SimpleNamespace(input_ids=[])

    class Pipeline:
        device = torch.device("cpu")
        tokenizer = Words()

        def to(self, where):
            self.device = where

        def __call__(self, prompt, generator, **options):
            drawn.append((self.device.type, generator.device.type))
            return SimpleNamespace(images=np.zeros((1, 8, 8, 3), np.float32))

    monkeypatch.setattr(device, "_chosen", torch.device("meta"))
    img = diffusion.run(Pipeline(), "a rose", seed=3)
    assert drawn == [("meta", "cpu")]
    assert img.shape == (3, 8, 8)


def test_layout_sentence_is_the_start_and_words_alone_start_from_noise(models, monkeypatch):
    painter = DiffusionPainter.load(str(models / "sd-turbo"))
    told = {}
    for name in ("_paint", "_repaint"):
        pipe = getattr(painter, name)

        def spy(pipe=pipe, name=name, **options):
            told[name] = options
            return pipe(**options)

        spy.scheduler, spy.unet, spy.device = pipe.scheduler, pipe.unet, pipe.device
        spy.tokenizer, spy.vae_scale_factor = pipe.tokenizer, pipe.vae_scale_factor
        monkeypatch.setattr(painter, name, spy)
    painter(CAPTION, (32, 32), 0)
    assert list(told) == ["_repaint"] and told["_repaint"]["prompt"] == "a red rose."
    start = told["_repaint"]["image"]
    assert (
        start.shape == (1, 3, 32, 32)
        and start[..., 0, :].mean() > 0.8 > 0.2 > start[..., 31, :].mean()
    )
    told.clear()
    painter("a red rose", (32, 32), 0)
    assert list(told) == ["_paint"] and "image" not in told["_paint"]


def test_preset_follows_the_family(models):
    assert DiffusionPainter.load(str(models / "sd-turbo")).preset == TURBO
    assert DiffusionPainter.load(str(models / "sdxl-turbo")).preset == TURBO
    assert DiffusionPainter.load(str(models / "sd")).preset == PLAIN
    assert 1 <= TURBO.steps <= 4 and TURBO.guidance == 0 and TURBO.steps * TURBO.strength >= 1


class NativeSize:
    """SD-Turbo's numbers: latents of 64 x 64, eight pixels each."""

    vae_scale_factor = 8

    class unet:
        class config:
            sample_size = 64


@pytest.mark.parametrize(
    ("size", "expected"),
    [((256, 256), (512, 512)), ((256, 384), (512, 768)), ((64, 640), (512, 1024))],
)
def test_pictures_are_painted_at_the_size_trained_for(size, expected):
    assert render_size(NativeSize, size) == expected
    assert all(side % 192 == 0 for side in render_size(NativeSize, size, multiple=192))


# --- generators of the structure layer


@pytest.mark.parametrize("name", GUIDES)
def test_edges_guide_the_picture(models, photo, payload, name):
    base = models / ("sdxl-turbo" if name.endswith("xl") else "sd-turbo")
    pipe = load_guided(str(models / name), str(base))
    assert type(pipe).__name__ == GUIDES[name][2]
    codec = GuidedStructureCodec(StructureCodec.load().detector, pipe)
    img = codec.decode(payload, (64, 64), None, CAPTION, 3)
    assert img.shape == (3, 64, 64) and img.dtype == torch.float32
    assert torch.equal(img, codec.decode(payload, (64, 64), None, CAPTION, 3))
    assert not torch.equal(img, codec.decode(payload, (64, 64), None, CAPTION, 4))
    assert not torch.equal(img, codec.decode(payload, (64, 64), None, "a cat", 3))
    assert codec.decode(payload, (64, 64), None).shape == (3, 64, 64), "the caption may be lost"
    mirrored = codec.encode(photo.flip(2))
    assert not torch.equal(img, codec.decode(mirrored, (64, 64), None, CAPTION, 3))
    colours = codec.sketch(payload, (64, 64)).colours
    error = F.avg_pool2d(img, 8) - F.avg_pool2d(colours, 4)
    assert error.abs().mean() < 0.05, "the colours are those sent"


def test_edges_alone_change_the_picture(models, payload):
    """With the same colours, words and seed, only the control image differs."""
    codec = GuidedStructureCodec(
        StructureCodec.load().detector,
        load_guided(str(models / "controlnet"), str(models / "sd-turbo")),
    )
    sketch = codec.sketch(payload, (64, 64))
    made = []
    for edges in (sketch.edges, sketch.edges.flip(2)):
        codec.sketch = lambda *_, edges=edges: type(sketch)(edges, sketch.colours)
        made.append(codec.decode(payload, (64, 64), None, CAPTION, 3))
    assert (made[0] - made[1]).abs().max() > 1e-3


def test_whole_pipeline_in_one_folder(models, payload, tmp_path):
    pipe = load_guided(str(models / "controlnet"), str(models / "sd-turbo"))
    pipe.save_pretrained(tmp_path / "whole")
    again = load_guided(str(tmp_path / "whole"))
    detector = StructureCodec.load().detector
    one, two = (GuidedStructureCodec(detector, p) for p in (pipe, again))
    assert torch.equal(
        one.decode(payload, (64, 64), None, CAPTION), two.decode(payload, (64, 64), None, CAPTION)
    )
    with pytest.raises(ScmcError, match="leave the base .* out"):
        load_guided(str(tmp_path / "whole"), str(models / "sd-turbo"))


def test_a_base_that_does_not_fit_is_named(models):
    with pytest.raises(ScmcError, match="was not made for this base"):
        load_guided(str(models / "controlnet"), str(models / "sdxl-turbo"))
    with pytest.raises(ScmcError, match="was not made for this base"):
        load_guided(str(models / "adapter-xl"), str(models / "sd-turbo"))
    with pytest.raises(ScmcError, match="width 32.*name the text-to-image model"):
        load_guided(str(models / "controlnet"))


def test_default_base_is_asked_for_where_it_is_missing(models, offline):
    with pytest.raises(ScmcError, match=f"hf download {DEFAULT_BASES[768]}"):
        load_guided(str(models / "adapter"))
    with pytest.raises(ScmcError, match=f"hf download {DEFAULT_BASES[2048]}"):
        load_guided(str(models / "adapter-xl"))


@pytest.mark.parametrize("size", [(64, 64), (70, 101)])
def test_colour_match_keeps_detail_and_takes_the_means(size):
    rng = torch.Generator().manual_seed(0)
    img = 0.5 + 0.1 * torch.rand(3, *size, generator=rng)
    cells = [-(-side // 64) * 8 for side in size]
    colours = torch.tensor([0.3, 0.5, 0.7])[:, None, None].expand(3, *cells)
    got = match_colours(img, colours)
    inner = F.avg_pool2d(got, 8)[:, 1:6, 1:6]
    assert (inner - colours[:, :5, :5]).abs().max() < 0.02
    detail = [x - F.avg_pool2d(x[None], 9, 1, 4)[0] for x in (got, img)]
    kept = torch.stack([x[:, 8:-8, 8:-8].flatten() for x in detail])
    assert torch.corrcoef(kept)[0, 1] > 0.95


# --- what is missing or wrong

LOADERS = {
    "captioner": lambda name: Captioner.load(name),
    "generator": lambda name: DiffusionPainter.load(name),
    "guide": lambda name: load_guided(name),
}
WRONG = {
    "captioner": ("empty", "text", "sd-turbo", "controlnet"),
    "generator": ("empty", "text", "florence", "controlnet"),
    "guide": ("empty", "text", "florence", "sd-turbo"),
}


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in WRONG.items() for n in names])
def test_a_wrong_folder_gives_one_line(models, kind, name):
    with pytest.raises(ScmcError) as caught:
        LOADERS[kind](str(models / name))
    line = str(caught.value)
    assert "\n" not in line and name in line and len(line) < 500
    assert "holds no" in line or "expected a" in line


@pytest.mark.parametrize("kind", LOADERS)
def test_a_missing_model_says_what_to_do_at_once(models, kind, offline):
    start = time.perf_counter()
    with pytest.raises(ScmcError, match="hf download nobody/none.*network.*folder") as caught:
        LOADERS[kind]("nobody/none")
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 5
    with pytest.raises(ScmcError, match=r"there is no folder \./none"):
        LOADERS[kind]("./none")
    with pytest.raises(ScmcError, match="is a file; expected the folder"):
        LOADERS[kind](str(models / "notes.txt"))


BY_NAME = """
from scmc_comm.codec.captioner import Captioner
from scmc_comm.codec.pretrained.guided import load_guided
from scmc_comm.codec.pretrained.painter import DiffusionPainter
print(Captioner.load("tiny/florence").backend.task)
print(DiffusionPainter.load("tiny/sd-turbo").preset.steps)
print(type(load_guided("tiny/controlnet", "tiny/sd-turbo")).__name__)
"""


def test_hub_names_load_from_the_cache_without_a_network(models, tmp_path):
    """The hub's cache as its client lays it out: names, a revision, and its files."""
    for name in ("florence", "sd-turbo", "controlnet"):
        repo = tmp_path / "hub" / f"models--tiny--{name}"
        (repo / "refs").mkdir(parents=True)
        (repo / "refs" / "main").write_text("a" * 40)
        shutil.copytree(models / name, repo / "snapshots" / ("a" * 40))
    done = subprocess.run(
        [sys.executable, "-c", BY_NAME],
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["<CAPTION>", "4", "StableDiffusionControlNetPipeline"]


# --- the codec that is made of them


def test_options_make_a_codec_that_paints_with_them(models, photo):
    options = CodecOptions(
        captioner=str(models / "florence"),
        beams=2,
        generator=str(models / "sd-turbo"),
        structure_generator=str(models / "controlnet"),
        structure_base=str(models / "sd-turbo"),
    )
    codec, shipped = make_codec(options), make_codec()
    assert isinstance(codec.semantic.painter, DiffusionPainter)
    assert options.chosen()["beams"] == 2 and CodecOptions().chosen() == {}
    stream = codec.encode(photo, quality=10)
    assert {x.kind: x.codec for x in stream.layers} == DEFAULT_CODECS, "the coders stay the same"
    for count, level in enumerate(("semantic", "structure", "signal"), start=1):
        mine, theirs = (c.decode(stream.layers[:count], stream.size) for c in (codec, shipped))
        assert mine.level.tag == theirs.level.tag == level
        assert mine.caption == theirs.caption
        same = torch.equal(mine.img_hat, theirs.img_hat)
        assert same == (level == "signal"), "of the layers below, the signal reads colours alone"


def test_caption_is_not_painted_where_nobody_looks(models, photo):
    codec = make_codec(
        CodecOptions(
            structure_generator=str(models / "controlnet"),
            structure_base=str(models / "sd-turbo"),
        )
    )
    stream = codec.encode(photo, quality=10)
    codec.semantic.painter = pytest.fail
    assert codec.decode(stream.layers[:2], stream.size).level.tag == "structure"


def test_a_layer_of_an_unknown_codec_is_left_out(photo, caplog):
    codec = make_codec()
    layers = codec.encode(photo, quality=10).layers
    other = type(layers[1])(layers[1].kind, "jbig", layers[1].payload)
    got = codec.decode([layers[0], other], (64, 64))
    assert got.level.tag == "semantic" and "'jbig'" in caplog.text


def test_base_without_generator_is_refused():
    with pytest.raises(ScmcError, match="base for no structure generator"):
        CodecOptions(structure_base="stabilityai/sd-turbo")


def test_options_are_plain_values():
    import pickle

    options = CodecOptions(edges="x.pth")
    assert pickle.loads(pickle.dumps(options)) == options and hash(options) == hash(options)


# --- the command line


@pytest.fixture(scope="module")
def picture(tmp_path_factory, photo):
    from scmc_comm.images import save_png

    path = tmp_path_factory.mktemp("pretrained-cli") / "cat.png"
    save_png(photo, path)
    return path


def run(capsys, *args):
    from experiments.commands.main import main

    capsys.readouterr()
    main([str(a) for a in args])
    return capsys.readouterr().out


def test_command_line_end_to_end(models, picture, capsys, tmp_path):
    box, out = tmp_path / "cat.scmc", tmp_path / "back.png"
    told = run(
        capsys, "encode", picture, "-o", box, "--quality", 10,
        "--semantic.captioner", models / "florence", "--semantic.beams", 2,
    )  # fmt: skip
    words = Captioner.load(models / "florence", 2)(load_photo("chelsea", 64))
    assert f"caption: {words}" in told
    shown = []
    for extra in ((), ("--semantic.generator", models / "sd-turbo")):
        told = run(capsys, "decode", box, "-o", out, "--layers", "semantic", *extra)
        assert "shown from: semantic" in told
        shown.append(out.read_bytes())
    told = run(
        capsys, "decode", box, "-o", out, "--layers", "semantic,structure",
        "--structure.generator", models / "adapter", "--structure.base", models / "sd-turbo",
    )  # fmt: skip
    assert "shown from: structure" in told
    assert len({*shown, out.read_bytes()}) == 3


def test_transmit_sends_with_the_networks_chosen(models):
    from experiments.commands.codec_options import chosen_system, codec_options
    from experiments.commands.main import parser

    line = f"transmit x.png --esno-db 9 --rho 1/8 -o y.png --semantic.generator {models}/sd-turbo"
    args = parser().parse_args(line.split())
    system = chosen_system(args)
    assert isinstance(system.layered_codec().semantic.painter, DiffusionPainter)
    assert codec_options(args).chosen() == {"generator": f"{models}/sd-turbo"}


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("encode", "P", "-o", "x.scmc", "--semantic.captioner", "M/sd-turbo"), "image-to-text"),
        (("encode", "P", "-o", "x.scmc", "--semantic.generator", "M/sd-turbo"), "use 'decode'"),
        (("encode", "P", "-o", "x.scmc", "--structure.edges", "M/sd-turbo"), "weight files"),
        (("encode", "P", "-o", "x.scmc", "--semantic.beams", "0"), "expected a whole number, 1 to 64"),
        (("decode", "P", "-o", "x.png", "--structure.edges", "e.pth"), "use 'encode'"),
        (
            ("transmit", "P", "--esno-db", "9", "--rho", "1/8", "-o", "x.png", "--system", "jpeg",
             "--semantic.generator", "M/sd-turbo"),
            "jpeg has none",
        ),
        (
            ("transmit", "P", "--esno-db", "9", "--rho", "1/8", "-o", "x.png",
             "--structure.base", "M/sd-turbo"),
            "no structure generator",
        ),
    ],
)  # fmt: skip
def test_mistakes_get_one_line(models, picture, capsys, monkeypatch, tmp_path, args, word):
    from experiments.commands.main import main

    monkeypatch.chdir(tmp_path)
    args = [a.replace("M/", f"{models}/") if a.startswith("M/") else a for a in args]
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([str(picture) if a == "P" else a for a in args])
    assert stop.value.code == 2
    assert word in capsys.readouterr().err.strip().splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
