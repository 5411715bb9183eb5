"""What a plug-in is made with: see ``docs/plugins.md``."""

from channels.plugins import register
from scmc_comm.baselines.function_codec import FunctionCodec
from scmc_comm.metrics import Metric
from scmc_comm.systems.jscc import Jscc

__all__ = ["FunctionCodec", "Jscc", "Metric", "register"]
