"""Names that a plug-in's pictures, units and captions have: text, or refused before any work."""

import numpy as np
import pytest
import torch

from channels.errors import ChannelError
from channels.plugins import PluginError, register, unregister
from channels.types import Frame, Mcs
from scmc_comm.datasets.image_sets import annotations_of, image_set
from scmc_comm.errors import ScmcError
from scmc_comm.types import LayerKind, Reconstruction

GREY = torch.full((3, 32, 32), 0.5)


@pytest.fixture
def named():
    def add(pictures):
        return register("dataset", "numbered", lambda: pictures)

    yield add
    unregister("dataset", "numbered")


def test_whole_numbers_become_text(named):
    named({3: GREY, "b": GREY})
    assert [image.name for image in image_set("numbered")] == ["3", "b"]
    assert list(annotations_of("numbered")) == ["3", "b"]
    assert [image.name for image in image_set("numbered@32", 1)] == ["3@32"]


@pytest.mark.parametrize("name, told", [
    ((1, 2), r"calls a picture \(1, 2\), tuple; expected text, or whole numbers"),
    (None, "calls a picture None, NoneType"), (0.5, "calls a picture 0.5, float"),
    (True, "calls a picture True, bool"), ("two\nlines", "not printable UTF-8"), ("", "rename it"),
])  # fmt: skip
def test_other_names_are_refused(named, name, told):
    named({"a": GREY, name: GREY})
    with pytest.raises(ScmcError, match=told):
        image_set("numbered", 1)


def test_a_number_and_its_text_are_one_name(named):
    named({1: GREY, "1": GREY})
    with pytest.raises(ScmcError, match="two pictures called 1"):
        image_set("numbered")


@pytest.mark.parametrize("caption", [3, b"a rose", "a\0rose", "a \udc80 rose"])
def test_a_caption_that_no_store_holds_is_refused_when_it_is_shown(caption):
    with pytest.raises(ScmcError, match="the caption is .*; expected text in UTF-8"):
        Reconstruction(GREY, LayerKind.SEMANTIC, frozenset(), caption)
    assert Reconstruction(GREY, None, frozenset(), "a rosé\n猫").caption == "a rosé\n猫"


@pytest.mark.parametrize("tag", [0, "", "none", "a+b", "a\nb"])
def test_a_tag_that_a_delivered_set_cannot_hold_is_refused(tag):
    with pytest.raises(ChannelError, match="a frame's tag is"):
        Frame(tag, np.ones(8, np.uint8), Mcs(2, 0.5))


def test_a_component_has_a_printable_name():
    with pytest.raises(PluginError, match="expected letters"):
        register("metric", "two\rlines", None)
