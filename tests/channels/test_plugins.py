"""One mechanism for components of other people: names, origins, identities, files that change."""

import collections
import copy
import importlib.metadata
import logging
import os
import pickle
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from channels import plugins, registry
from channels.fading.models import CHANNELS, channel_identity, make_channel
from channels.identity import content
from channels.plugins import PluginError, load, load_same, new_run, register, unregister
from channels.registry import Registry
from channels.sources import NoIdentityError

PLUGIN = """
from channels.plugins import register
{extra}
def gains(num_symbols, rng, k: float = {k}):
    import numpy as np
    return np.ones(num_symbols) * np.exp(2j * np.pi * rng.random())
register("channel", "turned", gains)
"""


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch):
    """What a test adds is gone after it."""
    fresh = plugins._State({}, {}, None, "run", plugins._state.changes)
    monkeypatch.setattr(plugins, "_state", fresh)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.endswith("_of_mine")]:
        del sys.modules[name]


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


def test_identity_holds_networks_closures_and_declared_files(tmp_path):
    net, weights = torch.nn.Linear(2, 2), tmp_path / "w.bin"
    weights.write_bytes(b"one")

    class Component:
        def __init__(self):
            self.run, self.files = (lambda x: net(x)), (weights,)

    component = Component()
    register("metric", "mine", component)
    identity = [plugins.added("metric")["mine"].identity]

    def again():
        new_run()
        identity.append(plugins.added("metric")["mine"].identity)

    again()
    with torch.no_grad():
        net.weight += 1
    again()
    weights.write_bytes(b"two!")
    new_run()
    with pytest.raises(PluginError, match="files of metric 'mine' changed since it was registered"):
        _ = plugins.added("metric")["mine"].identity
    register("metric", "mine", component)
    again()
    assert identity[0] == identity[1] and len(set(identity)) == 3


def test_a_component_that_reads_when_it_is_called_and_declares_nothing_is_warned_of(
    caplog, tmp_path
):
    def reads(img, img_hat):
        return float((tmp_path / "scale.txt").read_text(encoding="utf-8"))

    register("metric", "mine", reads)
    assert plugins.added("metric")["mine"].identity and plugins.added("metric")["mine"].identity
    assert caplog.text.count("uses 'read_text' when it is called") == 1
    caplog.clear()
    (tmp_path / "scale.txt").write_text("1", encoding="utf-8")
    reads.files = (tmp_path / "scale.txt",)
    register("metric", "mine", reads)
    new_run()
    assert plugins.added("metric")["mine"].identity and not caplog.text


def test_a_component_that_cannot_tell_is_computed_afresh_with_a_notice(caplog):
    caplog.set_level(logging.WARNING)
    register("metric", "mine", object())
    one = plugins.added("metric")["mine"].identity
    assert one == plugins.added("metric")["mine"].identity
    assert caplog.text.count("metric 'mine' is computed afresh in each run") == 1
    new_run()
    assert one != plugins.added("metric")["mine"].identity


def test_a_function_that_was_typed_in_has_no_identity():
    sys.modules["typed_in"] = types.ModuleType("typed_in")
    exec("def f(x): return x", vars(sys.modules["typed_in"]))
    with pytest.raises(NoIdentityError, match="source of module typed_in is in no .py file"):
        content(sys.modules.pop("typed_in").f)


def test_content_of_objects_that_hold_themselves_ends():
    held = [1]
    held.append(held)
    assert content(held) == "[1, (itself)]"


def test_content_tells_arrays_apart_that_print_alike():
    many = np.ones(2000)
    other = many.copy()
    other[1000] = 2
    assert content(many) == content(many.copy()) != content(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.array(["a", [1]], object), np.array(["a", [2]], object)),
        (torch.ones(2, dtype=torch.bfloat16), torch.tensor([1, 2], dtype=torch.bfloat16)),
        (torch.eye(2).to_sparse(), (2 * torch.eye(2)).to_sparse()),
        (torch.tensor([1 + 1j]).conj(), torch.tensor([1 + 1j])),
        ({"a", "b"}, {"a", "c"}),
        ("one at 0x1f>", "two ... at 0x1f>"),
    ],
    ids=["objects", "bfloat16", "sparse", "conjugate", "set", "text"],
)
def test_content_tells_values_apart_and_their_copies_alike(one, other):
    assert content(one) == content(copy.deepcopy(one)) != content(other)


def test_content_of_a_set_is_the_same_in_each_process():
    code = "from channels.identity import content; print(content({'a', 'bb', 'ccc', 'dddd'}))"
    told = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, env=os.environ | seed
        ).stdout
        for seed in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"})
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("value", [collections.deque([np.ones(2000)]), np.random.default_rng(0)])
def test_what_prints_shortened_or_by_its_address_has_no_identity(value):
    with pytest.raises(NoIdentityError, match="has no identity"):
        content(value)


# --- what is seen of a plug-in's content -----------------------------------------------------

USER = """
import json, pathlib
from channels.plugins import register
{imports}
HERE = pathlib.Path({folder!r})
LEVEL = 1
{state}
def level(img, img_hat):
    {body}
register("metric", "level", level)
"""


def metric_of(tmp_path, imports="", state="", body="return LEVEL"):
    """Identity of a metric in a file, as a process that starts anew sees it."""
    file = tmp_path / "uses.py"
    file.write_text(USER.format(imports=imports, state=state, body=body, folder=str(tmp_path)))
    return identity_anew(file)


def identity_anew(file):
    plugins._forget(str(file))
    for name in [n for n, m in sys.modules.items() if _beside(m, file)]:
        del sys.modules[name]
    load(str(file))
    return identity_now()


def _beside(module, file):
    return str(getattr(module, "__file__", None)).startswith(str(file.parent))


def identity_now():
    new_run()
    return plugins.added("metric")["level"].identity


@pytest.mark.parametrize(
    "values", [("1", "2"), ("'a'", "'b'"), ("[1]", "[2]"), ("{1: 2}", "{1: 3}")]
)
@pytest.mark.parametrize(
    ("imports", "body"),
    [
        ("from constants_of_mine import GAIN", "return GAIN"),
        ("import constants_of_mine as c", "return c.GAIN"),
        ("", "from constants_of_mine import GAIN; return GAIN"),
        ("", "import importlib; return importlib.import_module('constants_of_mine').GAIN"),
    ],
    ids=["name", "module", "inside", "by name"],
)
def test_constants_from_beside_a_plugin_are_part_of_it(tmp_path, values, imports, body):
    helper = tmp_path / "constants_of_mine.py"
    helper.write_text(f"GAIN = {values[0]}\n")
    first = metric_of(tmp_path, imports, body=body)
    assert metric_of(tmp_path, imports, body=body) == found_again(first)
    helper.write_text(f"GAIN = {values[1]}\n\n")
    assert metric_of(tmp_path, imports, body=body) != first
    before = load(str(tmp_path / "uses.py"))
    helper.write_text(f"GAIN = {values[1]}\n\n\n")
    assert load(str(tmp_path / "uses.py")) != before


def found_again(identity):
    """The identity, which must be one that other runs find too."""
    assert f"of run {plugins.current_run()}" not in identity
    return identity


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("kind", ["json", "torch"])
def test_what_modules_read_when_they_are_loaded_is_part_of_a_plugin(tmp_path, kind, lazy):
    def write_state(value):
        if kind == "json":
            (tmp_path / "state").write_text(f'{{"gain": {value}}}')
        else:
            torch.save({"gain": torch.tensor([value])}, tmp_path / "state")

    read = {
        "json": "import json\nSTATE = json.loads(open({!r}).read())",
        "torch": "import torch\nSTATE = torch.load({!r})",
    }[kind].format(str(tmp_path / "state"))
    (tmp_path / "reads_of_mine.py").write_text(read)
    use = "from reads_of_mine import STATE; return STATE" if lazy else "return STATE['gain']"
    found = []
    for value in (0.12341, 0.12341, 0.12344):
        write_state(value)
        found.append(metric_of(tmp_path, state="" if lazy else read, body=use))
        found_again(found[-1])
    assert found[0] == found[1] != found[2]


def test_a_global_that_changes_between_two_runs_is_seen(tmp_path):
    first = metric_of(tmp_path, body="return [LEVEL for _ in range(1)]")
    module = sys.modules[plugins.added("metric")["level"].component.__module__]
    assert identity_now() == first
    module.LEVEL = 2
    assert found_again(identity_now()) != found_again(first)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain, self.layer = 0.5, torch.nn.Linear(2, 2)
        self.register_buffer("own", torch.zeros(2), persistent=False)
        self.layer.register_forward_hook(print)


def test_attributes_and_buffers_of_a_network_that_no_checkpoint_holds_are_seen():
    net = Net()
    found = [content(net), content(copy.deepcopy(net))]
    net.gain = 0.7
    found.append(content(net))
    net.own += 1
    found.append(content(net))
    assert found[0] == found[1] and len(set(found)) == 3


def test_tensors_in_objects_that_print_few_digits_are_told_apart():
    values = (0.12341, 0.12341, 0.12344)
    one, same, other = (content(types.SimpleNamespace(w=torch.tensor([v]))) for v in values)
    assert one == same != other


def test_a_helper_of_the_name_of_a_loaded_module_is_refused(tmp_path):
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "constants_of_mine.py").write_text("GAIN = 1\n")
        (folder / "uses.py").write_text("from constants_of_mine import GAIN\n")
    load(str(tmp_path / "one" / "uses.py"))
    with pytest.raises(PluginError, match="imports constants_of_mine of .*one.*, not .*two"):
        load(str(tmp_path / "two" / "uses.py"))


def test_a_helper_that_cannot_be_imported_has_no_identity(tmp_path, caplog):
    (tmp_path / "broken_of_mine.py").write_text("1 / 0\n")
    metric_of(tmp_path, body="import broken_of_mine")
    assert "computed afresh in each run: module broken_of_mine cannot be imported" in caplog.text


def test_two_functions_of_one_name_are_told_apart():
    functions = [lambda x: x, lambda x: x + 1]
    assert content(functions[0]) != content(functions[1])
