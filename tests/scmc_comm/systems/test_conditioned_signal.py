"""The signal layer given the structure, over the link: what is needed, shown and refused."""

import pytest

from scmc_comm.errors import ScmcError
from scmc_comm.images import load_photo
from scmc_comm.link.budget import Budget
from scmc_comm.registry import make_system
from scmc_comm.types import LayerKind

BUDGET = Budget(1 / 12, 10.0)


@pytest.fixture(scope="module")
def photo():
    return load_photo("coffee", 128)


def test_a_signal_without_its_structure_is_not_shown(photo):
    system = make_system("scmc")
    prepared = system.prepare(photo, BUDGET)
    assert prepared.needs["signal"] == "structure"
    every = frozenset(prepared.tags)
    assert system.reconstruct(prepared, every).level == LayerKind.SIGNAL
    lost = system.reconstruct(prepared, every - {"structure"})
    assert lost.level == LayerKind.SEMANTIC
    assert prepared.usable(every - {"structure"}) == {"semantic"}


def test_a_simulcast_needs_no_structure_and_has_less_room(photo):
    systems = [make_system(f"scmc:signal_given={given}") for given in ("structure", "nothing")]
    given, alone = (system.prepare(photo, BUDGET) for system in systems)
    assert "signal" not in alone.needs
    every = frozenset(alone.tags)
    assert systems[1].reconstruct(alone, every - {"structure"}).level == LayerKind.SIGNAL
    squared = [
        (system.reconstruct(sent, frozenset(sent.tags)).img_hat - photo).square().mean()
        for system, sent in zip(systems, (given, alone), strict=True)
    ]
    assert squared[0] < squared[1], "the same budget shows more where layers support each other"


@pytest.mark.parametrize("protection", ["optimised", "range"])
def test_the_optimiser_has_no_curves_of_a_simulcast(protection):
    with pytest.raises(ScmcError, match="use protection=unequal or equal"):
        make_system(f"scmc:signal_given=nothing,protection={protection}")
    with pytest.raises(ScmcError, match="expected one of structure, nothing"):
        make_system("scmc:signal_given=caption")
