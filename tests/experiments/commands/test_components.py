"""The verbs that list components say what each is."""

import pytest

from channels.phy.names import PHYS
from experiments.commands.components import MEANINGS
from experiments.commands.main import main
from scmc_comm.baselines.image_codecs import IMAGE_CODECS
from scmc_comm.datasets.named_sets import DATASETS
from scmc_comm.link.planners import PROTECTIONS
from scmc_comm.metrics import METRICS

LISTED = {
    "metrics": METRICS, "codecs": IMAGE_CODECS, "planners": PROTECTIONS, "phys": PHYS,
    "datasets": DATASETS,
}  # fmt: skip


@pytest.mark.parametrize("verb", LISTED)
def test_every_component_of_the_package_is_told(verb, capsys):
    main([verb])
    lines = capsys.readouterr().out.splitlines()
    for name in LISTED[verb].built_in:
        line = next(line for line in lines if line.split()[:1] == [name])
        assert MEANINGS[verb][name] in line
        assert len(line) <= 120
    assert set(MEANINGS[verb]) >= set(LISTED[verb].built_in)
