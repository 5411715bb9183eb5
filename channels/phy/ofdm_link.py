"""The parameters of a link over the OFDM grid: antennas, knowledge of the channel, flaws."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated, Self, get_type_hints

from channels.coding.transport_block import check_decoder
from channels.errors import ChannelError
from channels.ofdm.antennas import parse_antennas
from channels.ofdm.estimation import CSI
from channels.ofdm.grid import OfdmGrid
from channels.ofdm.impairments import Impairments
from channels.ranges import Decibels, Range
from channels.specs import check_values, parse_arguments


@dataclass(frozen=True)
class OfdmLink:
    """What `channels.phy.ofdm.OfdmPhy` is set up with.

    Attributes:
        antennas: Transmit x receive: 1x1, 1x2 (maximum-ratio combining), 2x1 and 2x2 (Alamouti).
        csi: What the receiver knows of the gains: perfect, or estimated by ls or lmmse.
        csi_error_variance: Variance of a Gaussian error added to perfect knowledge.
        pilot_power_db: Power of a pilot relative to the mean data symbol.
        decoder: LDPC decoder, fast or sionna.
        grid: The resource grid.
        impairments: Flaws of the radio.
    """

    antennas: str = "1x1"
    csi: str = "perfect"
    csi_error_variance: Annotated[float, Range(0, 1e3)] = 0.0
    pilot_power_db: Decibels = 0.0
    decoder: str = "fast"
    grid: OfdmGrid = field(default_factory=OfdmGrid)
    impairments: Impairments = field(default_factory=Impairments)

    def __post_init__(self) -> None:
        check_values(self)
        self.grid.pilots_per_slot(self.num_tx)
        if self.grid.data_per_slot(self.num_tx) < 2:
            raise ChannelError("the pilots leave no room for data; raise pilot_spacing")
        if self.csi not in CSI:
            raise ChannelError(f"csi is {self.csi!r}; expected one of {', '.join(CSI)}")
        if self.csi_error_variance > 0.0 and self.csi != "perfect":
            raise ChannelError(
                f"csi_error_variance is {self.csi_error_variance} with csi={self.csi}; expected "
                "csi=perfect, since an estimator makes errors of its own"
            )
        check_decoder(self.decoder)
        self.impairments.check(self.grid)

    @classmethod
    def from_spec(cls, args: str) -> Self:
        """Builds the link from ``key=value,key=value``; keys of the grid and the flaws included.

        >>> OfdmLink.from_spec("csi=lmmse,num_pilot_symbols=1,cfo_hz=50").grid.num_pilot_symbols
        1
        """
        parts = {"": cls, "grid": OfdmGrid, "impairments": Impairments}
        types = {part: get_type_hints(owner, include_extras=True) for part, owner in parts.items()}
        known = {
            f.name: types[part][f.name]
            for part, owner in parts.items()
            for f in fields(owner)
            if f.name not in parts
        }
        values = parse_arguments("the OFDM link", known, args)

        def of(part: str) -> dict[str, object]:
            return {key: value for key, value in values.items() if key in types[part]}

        grid, flaws = OfdmGrid(**of("grid")), Impairments(**of("impairments"))  # type: ignore[arg-type]
        return cls(**of(""), grid=grid, impairments=flaws)  # type: ignore[arg-type]

    @property
    def num_tx(self) -> int:
        """Transmit antennas."""
        return parse_antennas(self.antennas)[0]

    @property
    def num_rx(self) -> int:
        """Receive antennas."""
        return parse_antennas(self.antennas)[1]
