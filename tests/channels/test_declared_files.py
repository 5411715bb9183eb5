"""Files that plug-ins declare: read anew when they change, or refused; what they may be."""

import importlib
import sys
from types import SimpleNamespace

import pytest

from channels import plugins
from channels.errors import ChannelError
from channels.plugins import PluginError, load, new_run, register, unregister
from channels.sources import declared_files, source_of

LAZY = """
import functools
from pathlib import Path
from channels.plugins import register

FILE = Path(__file__).with_name("w.txt")

@functools.cache
def weight():
    return float(FILE.read_text(encoding="utf-8"))

def metric(img, img_hat):
    return weight()

metric.files = (FILE,)
register("metric", "lazy_of_mine", metric)
"""


def found():
    return plugins.added("metric")["lazy_of_mine"]


def test_a_plug_in_that_keeps_its_weights_is_loaded_anew_when_they_change(tmp_path):
    file, weights = tmp_path / "lazy_mine.py", tmp_path / "w.txt"
    file.write_text(LAZY)
    identity = []
    try:
        for value in ("1.5", "1.5", "2.25"):
            if not weights.exists() or weights.read_text() != value:
                weights.write_text(value)
            new_run()
            load(str(file))
            assert found().component(None, None) == float(value)
            identity.append(found().identity)
    finally:
        unregister("metric", "lazy_of_mine")
    assert identity[0] == identity[1] != identity[2]


def test_what_was_registered_by_hand_is_refused_when_its_files_change(tmp_path):
    weights = tmp_path / "w.txt"
    weights.write_text("1")
    component = SimpleNamespace(files=str(weights))
    register("metric", "lazy_of_mine", component)
    try:
        assert found().identity
        weights.write_text("22")
        new_run()
        with pytest.raises(PluginError, match="changed since it was registered.*register it again"):
            _ = found().content_hash
        register("metric", "lazy_of_mine", component)
        assert found().identity
    finally:
        unregister("metric", "lazy_of_mine")


@pytest.mark.parametrize("files", [3, [None], b"x", {"a": 1}, ["a", 2]])
def test_files_are_a_path_or_paths(files):
    with pytest.raises(ChannelError, match="expected a path or a list of paths"):
        declared_files(SimpleNamespace(files=files))
    with pytest.raises(ChannelError, match="expected a path or a list of paths"):
        register("metric", "lazy_of_mine", SimpleNamespace(files=files))


def test_versions_of_installed_packages_that_a_plug_in_imports_count(tmp_path, monkeypatch):
    (tmp_path / "imports_mine.py").write_text("import yaml, os\nfrom scipy import signal\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    try:
        importlib.import_module("imports_mine")
        before = source_of("imports_mine")
        assert "PyYAML==" in before and "scipy==" in before and "os" not in before.split()
        monkeypatch.setattr("channels.sources._version", lambda name: "99")
        assert source_of("imports_mine") != before and "scipy==99" in source_of("imports_mine")
    finally:
        sys.modules.pop("imports_mine", None)
