"""One mechanism for components of other people: names, origins, files that change."""

import importlib.metadata
import pickle
import sys
import types

import pytest
import torch

from channels import plugins, registry
from channels.fading.models import CHANNELS, channel_identity, make_channel
from channels.plugins import PluginError, load, load_same, register, unregister
from channels.registry import Registry

pytestmark = pytest.mark.usefixtures("nothing_registered")

PLUGIN = """
from channels.plugins import register
{extra}
def gains(num_symbols, rng, k: float = {k}):
    import numpy as np
    return np.ones(num_symbols) * np.exp(2j * np.pi * rng.random())
register("channel", "turned", gains)
"""


def write(path, k=1.0, extra=""):
    path.write_text(PLUGIN.format(k=k, extra=extra))
    return str(path)


def codecs(**built_in):
    return Registry("image_codec", built_in, lambda plugin: plugin.component)


# --- names ----------------------------------------------------------------------------------


def test_a_component_is_found_by_name_beside_those_of_the_package():
    known = codecs(jpeg="JPEG")
    register("image_codec", "mine", "MINE")
    assert dict(known) == {"jpeg": "JPEG", "mine": "MINE"} and len(known) == 2
    assert "mine" in known and "other" not in known
    assert known.origin("jpeg") == "built in" and known.origin("mine") == "registered by builtins"
    unregister("image_codec", "mine")
    assert list(known) == ["jpeg"]


def test_a_built_in_name_is_never_shadowed():
    known = codecs(jpeg="JPEG")
    register("image_codec", "jpeg", "MINE")
    with pytest.raises(PluginError, match="'jpeg' of registered by builtins has the name of a bu"):
        known["jpeg"]


def test_another_name_of_a_built_in_one_is_not_shadowed_either():
    known = Registry("image_codec", {"hevc": "HEVC"}, lambda p: p.component, aliases=["bpg"])
    register("image_codec", "bpg", "MINE")
    with pytest.raises(PluginError, match="'bpg' of registered by builtins has the name of a bu"):
        known["bpg"]


def test_two_plugins_cannot_have_one_name(tmp_path):
    load(write(tmp_path / "one.py"))
    with pytest.raises(PluginError, match=r"'turned' of plug-in .*two.py is there already, from"):
        load(write(tmp_path / "two.py"))


@pytest.mark.parametrize("name", ["", "a:b", "a,b", "a@b", "a b", 3])
def test_a_name_that_a_spec_could_not_hold_is_refused(name):
    with pytest.raises(PluginError, match="expected letters"):
        register("channel", name, object())


def test_an_unknown_kind_is_refused():
    with pytest.raises(PluginError, match="there is no kind of component 'chanel'; did you mean"):
        register("chanel", "a", object())


class Point(types.SimpleNamespace):
    def load(self):
        if self.component is None:
            raise ImportError("no\nsuch thing")
        return self.component


@pytest.fixture
def entry_points(monkeypatch):
    """Entry points of a made-up package."""
    found = {}
    dist = types.SimpleNamespace(name="theirs", version="1.2")

    def points(group):
        return [PointOf(name, component, dist) for name, component in found.get(group, {}).items()]

    class PointOf(Point):
        def __init__(self, name, component, dist):
            super().__init__(name=name, component=component, dist=dist, module="theirs.x")

        __hash__ = object.__hash__

    monkeypatch.setattr(importlib.metadata, "entry_points", points)
    caches = (registry._entry_points, registry._loaded, registry._warn_once)
    for cache in caches:
        cache.cache_clear()
    yield found
    for cache in caches:
        cache.cache_clear()


def test_entry_points_are_found_and_loaded_when_asked_for(entry_points):
    entry_points["scmc_comm.image_codecs"] = {"theirs": "THEIRS", "broken": None}
    known = codecs(jpeg="JPEG")
    assert list(known) == ["jpeg", "theirs", "broken"]
    assert known["theirs"] == "THEIRS" and known.origin("broken") == "package theirs 1.2"
    with pytest.raises(PluginError, match="'broken' of package theirs 1.2 cannot be loaded: Impo"):
        known["broken"]


def test_an_entry_point_with_a_built_in_name_is_passed_over_with_a_word(entry_points, caplog):
    entry_points["scmc_comm.image_codecs"] = {"jpeg": "THEIRS"}
    assert codecs(jpeg="JPEG")["jpeg"] == "JPEG"
    assert "'jpeg' of package theirs 1.2 is passed over" in caplog.text


# --- files ----------------------------------------------------------------------------------


def test_a_plugin_file_adds_a_channel_with_parameters(tmp_path):
    load(write(tmp_path / "mine.py"))
    channel = make_channel("turned:k=3")
    assert channel.name == "turned:k=3.0" and channel.k == 3.0
    assert CHANNELS.origin("turned") == f"plug-in {tmp_path / 'mine.py'}"
    one, two = (channel.draw(5, 10.0, [7]) for _ in range(2))
    assert torch.equal(one.h, two.h) and one.h.shape == (1, 5)


def test_a_plugin_file_that_changes_is_loaded_again_and_has_another_identity(tmp_path):
    file = tmp_path / "mine.py"
    load(write(file))
    before, old = channel_identity("turned"), make_channel("turned")
    load(write(file, k=2.0))
    assert make_channel("turned").k == 2.0 != old.k
    assert channel_identity("turned") != before
    load(write(file))
    assert channel_identity("turned") == before


def test_what_lies_beside_a_plugin_is_part_of_it(tmp_path):
    helper = tmp_path / "helper_of_mine.py"
    helper.write_text("def gain():\n    return 1.0\n")
    file = write(tmp_path / "mine.py", extra="import helper_of_mine")
    first = load(file)
    before = channel_identity("turned")
    helper.write_text("def gain():\n    return 2.00\n")
    second = load(file)
    assert second != first and channel_identity("turned") != before
    assert sys.modules["helper_of_mine"].gain() == 2.0


def test_a_worker_with_another_file_says_so(tmp_path):
    loaded = load(write(tmp_path / "mine.py"))
    load_same(pickle.loads(pickle.dumps(loaded)))
    write(tmp_path / "mine.py", k=5.0)
    with pytest.raises(PluginError, match="a worker has another plug-in .* put the same file"):
        load_same(loaded)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def", "SyntaxError"),
        (None, "there is no"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_says_why_in_one_line(tmp_path, text, match):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(PluginError, match=match) as error:
        load(str(path))
    assert "\n" not in str(error.value)


def test_a_function_of_a_module_registers(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "their_module.py").write_text(
        "def setup():\n    from channels.plugins import register\n"
        "    register('dataset', 'theirs', dict)\n"
    )
    load("their_module:setup")
    assert ("dataset", "theirs") in plugins._state.plugins
    with pytest.raises(PluginError, match="ModuleNotFoundError"):
        load("no_such_module_at_all")


# --- identity -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "word"),
    [("import sys\nsys.exit(3)", "cannot be loaded: SystemExit"),
     ("from channels.plugins import register\nregister(3, 'a', 1)", "kind of component")],
)  # fmt: skip
def test_a_file_that_ends_the_program_or_names_no_kind_is_one_line(tmp_path, text, word):
    (tmp_path / "odd.py").write_text(text)
    with pytest.raises(PluginError, match=word):
        load(str(tmp_path / "odd.py"))
    with pytest.raises(PluginError, match="empty"):
        load(" ")
