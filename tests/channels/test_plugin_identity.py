"""What a plug-in is made of, as the keys of stored results hold it: all that its code can reach."""

import collections
import copy
import logging
import os
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from channels import plugins
from channels.identity import content
from channels.plugins import PluginError, load, new_run, register
from channels.sources import NoIdentityError

pytestmark = pytest.mark.usefixtures("nothing_registered")


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


class Slotted:
    __slots__ = ("__dict__", "scale")

    def __init__(self, scale):
        self.scale, self.name = scale, "mine"


class OnlySlots:
    __slots__ = ("scale",)

    def __init__(self, scale):
        self.scale = scale


def _marked(scale):
    weights = torch.ones(2)
    weights.scale = scale
    return weights


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Slotted(1), Slotted(2)),
        (OnlySlots(1), OnlySlots(2)),
        (_marked(1), _marked(2)),
        (collections.defaultdict(int, a=1), collections.defaultdict(float, a=1)),
        (np.array(["a", [1]], object), np.array(["a", [2]], object)),
        (torch.ones(2, dtype=torch.bfloat16), torch.tensor([1, 2], dtype=torch.bfloat16)),
        (torch.eye(2).to_sparse(), (2 * torch.eye(2)).to_sparse()),
        (torch.tensor([1 + 1j]).conj(), torch.tensor([1 + 1j])),
        ({"a", "b"}, {"a", "c"}),
        ("one at 0x1f>", "two ... at 0x1f>"),
    ],
    ids=[
        "slots beside",
        "slots alone",
        "attribute of a tensor",
        "factory",
        "objects",
        "bfloat16",
        "sparse",
        "conjugate",
        "set",
        "text",
    ],
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
