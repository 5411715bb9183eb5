"""Primary endpoints: what a sweep is to decide, stated before it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from channels.specs import read_number
from experiments.sweep.labels import channel_label, metric_name, ratio_label
from scmc_comm.errors import ScmcError


@dataclass(frozen=True)
class Endpoint:
    """A metric over a channel and bandwidth, averaged over a range of SNRs.

    Attributes:
        metric: Name of the metric.
        channel: Name of the channel, as the sweep has it.
        rho: Bandwidth ratio.
        low_db: Least Es/N0 of the average in dB.
        high_db: Greatest Es/N0 of the average in dB.
    """

    metric: str
    channel: str
    rho: float
    low_db: float
    high_db: float

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Reads ``METRIC CHANNEL RHO LOW:HIGH``.

        Raises:
            ScmcError: The text is not of that form.

        Example:
            >>> Endpoint.parse("lpips rayleigh_block 1/24 0:15").label()
            'LPIPS, Rayleigh block fading, ρ = 1/24, 0 to 15 dB'
        """
        try:
            metric, channel, rho, snrs = text.split()
            low, _, high = snrs.partition(":")
            found = cls(metric, channel, read_number(rho), float(low), float(high or low))
        except (ValueError, ZeroDivisionError) as error:
            raise ScmcError(
                f"primary endpoint is {text!r}; expected METRIC CHANNEL RHO LOW:HIGH, such as "
                "'lpips rayleigh_block 1/24 0:15'"
            ) from error
        return found

    def holds(self, channel: str, esno_db: float, rho: float) -> bool:
        """Does the endpoint average over this point?"""
        within = self.low_db <= esno_db <= self.high_db
        return channel == self.channel and within and math.isclose(rho, self.rho)

    def label(self) -> str:
        """For tables."""
        snrs = f"{self.low_db:g} to {self.high_db:g} dB"
        where = f"{channel_label(self.channel)}, ρ = {ratio_label(self.rho)}"
        return f"{metric_name(self.metric)}, {where}, {snrs}"
