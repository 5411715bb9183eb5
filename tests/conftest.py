"""Settings of all tests (how long an example takes says more of the machine than of the code)."""

import sys

import pytest
from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture(scope="session")
def weights():
    """The published weights of the learned metrics; skips, and says why, without them."""
    from scmc_comm.errors import ScmcError
    from scmc_comm.zoo.sources import alexnet_features, vgg16_features

    try:
        alexnet_features()
        vgg16_features()
    except ScmcError as error:
        pytest.skip(str(error))


@pytest.fixture
def nothing_registered(monkeypatch):
    """No plug-in is there, and what a test adds is gone after it."""
    from channels import plugins

    fresh = plugins._State({}, {}, None, "run", plugins._state.changes)
    monkeypatch.setattr(plugins, "_state", fresh)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.endswith("_of_mine")]:
        del sys.modules[name]


def pytest_runtest_setup():
    """What is told once a run was perhaps told in another test of this process."""
    if (plugins := sys.modules.get("channels.plugins")) is not None:
        plugins._notice.cache_clear()
