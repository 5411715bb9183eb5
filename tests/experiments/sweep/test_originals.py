"""Pictures are read when they are needed: memory does not grow with their number."""

import dataclasses
import pickle
import re
import weakref
from collections.abc import Mapping

import pytest
import torch
from fakes import TOY, TOYS, toy_annotations, toy_image, toy_images
from PIL import Image

from experiments.execution.cache import digest
from experiments.sweep.originals import Original, _pixels, originals, sizes_of
from experiments.sweep.runner import make_tasks, run_sweep
from scmc_comm.datasets.image_sets import LazyImages, image_set, image_sources
from scmc_comm.errors import ScmcError
from scmc_comm.types import Annotation


class Counted(Mapping):
    """Toy pictures of a mapping that counts what is alive of them."""

    def __init__(self, count):
        self.alive, self.most, self._names = 0, 0, list(toy_images("toys", count))

    def __getitem__(self, name):
        img = toy_image(self._names.index(name)).clone()
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(img, self._gone)
        return img

    def _gone(self):
        self.alive -= 1

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)


@pytest.mark.parametrize("count", [4, 12])
def test_few_pictures_are_in_memory_at_once(tmp_path, count):
    images = Counted(count)
    spec = dataclasses.replace(TOY, systems=("toy", "toy-flat"), num_images=count, num_trials=2)
    stated = toy_annotations("toys", count)
    make_tasks(spec, originals(images), ("mse",), tmp_path, TOYS, annotations=stated)
    assert images.most <= 3
    components = dataclasses.replace(TOYS, load_images=lambda *_: images)
    run_sweep(spec, tmp_path / "run", cache_dir=tmp_path, components=components, progress=False)
    assert images.most <= 5


def test_an_original_travels_with_its_pixels_and_is_known_by_them():
    img = torch.rand(3, 4, 6, generator=torch.Generator().manual_seed(1))
    here = Original.of(img, "a")
    there = pickle.loads(pickle.dumps(here))
    assert torch.equal(there.img, img) and there.size == (4, 6) and there.content == here.content
    assert here.content == digest([3, 4, 6], "float32", img.numpy().tobytes())
    assert here.key() == here.content != here.key(Annotation("rose"))
    assert len(pickle.dumps(here)) < img.numel() * 4 + 500
    assert sizes_of({"a": here}) == {"a": (4, 6)}


def test_lazy_images_are_those_of_the_set(tmp_path):
    for name in ("b.png", "a.png"):
        Image.new("RGB", (40, 36), "teal").save(tmp_path / name)
    for source in (str(tmp_path), f"{tmp_path}@32+36", "photos@32"):
        eager, lazy = image_set(source, 2), LazyImages(source, 2)
        assert list(lazy) == [x.name for x in eager] and len(lazy) == len(eager)
        assert all(torch.equal(lazy[x.name], x.img) for x in eager)
        stated = {x.name: x.annotation for x in image_sources(source, 2)}
        assert stated == {x.name: x.annotation for x in eager}


def test_a_picture_that_cannot_be_read_is_known_before_the_work(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n none")
    with pytest.raises(ScmcError, match=re.escape("a.png")):
        originals(LazyImages(str(tmp_path)))


def test_a_conversion_is_told_once(tmp_path, caplog):
    Image.new("P", (40, 36), 3).save(tmp_path / "a.png")
    Image.new("L", (40, 36), 3).save(tmp_path / "b.png")
    found = originals(LazyImages(str(tmp_path)))
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2 and "a.png" in told[0] and "b.png" in told[1]
    for original in [*found.values(), *found.values()]:
        _pixels.cache_clear()
        assert original.img.shape == (3, 36, 40)
    assert len(caplog.records) == 2
    originals(LazyImages(str(tmp_path)))  # another run tells again
    assert len(caplog.records) == 4


class Changing(dict):
    """Toy pictures of which the last is another when it is read again."""

    def __getitem__(self, name):
        img = super().__getitem__(name)
        self["img2"] = toy_image(9) if name == "img2" else super().__getitem__("img2")
        return img


def changing(name, count):
    return Changing(toy_images(name, 3))


@pytest.mark.parametrize("how", [{"jobs": 1}, {"jobs": 2}, {"jobs": 2, "dask": "local"}])
def test_a_picture_that_changes_during_the_run_is_refused(tmp_path, how):
    if "dask" in how:
        pytest.importorskip("distributed")
    components = dataclasses.replace(TOYS, load_images=changing)
    spec = dataclasses.replace(TOY, systems=("toy",), num_images=3, num_trials=2, strip_images=0)
    with pytest.raises(ScmcError, match="picture img2 is not what it was"):
        run_sweep(
            spec, tmp_path / "run", cache_dir=tmp_path / "cache", components=components,
            progress=False, **how,
        )  # fmt: skip
    assert not (tmp_path / "run" / "results.nc").exists()
