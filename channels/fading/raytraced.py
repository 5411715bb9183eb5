"""Ray-traced scenes by Sionna RT, an optional extra."""

from __future__ import annotations

import hashlib
import math
import os
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch

from channels.errors import ChannelError
from channels.fading.draws import check_size
from channels.ofdm.grid import OfdmGrid, check_links, draw_default_grid
from channels.ranges import CarrierHz, Range, SpeedKmh
from channels.rng import generator, preserve_torch_rng
from channels.specs import Component, check_values
from channels.types import ChannelState
from channels.units import esno_db_to_no, kmh_to_mps, max_doppler_hz

_RECEIVER_HEIGHT_M = 1.5
_MAX_DEPTH, _NUM_RAYS, _MAX_TRIES = 3, 100_000, 100
# Older compilers abort the whole process on Dr.Jit's code (seen with 15; 19 works).
_MIN_LLVM = 17
_RT = threading.Lock()

Metres = Annotated[float, Range(-1e5, 1e5)]


@dataclass(frozen=True)
class RayTraced(Component):
    """Ray-traced propagation to a random place around the transmitter.

    A trial puts the receiver somewhere within `radius_m` of the transmitter's foot, where rays
    reach it, moving in a random direction. Path loss is left to `esno_db`: the gains of each place
    have mean power 1. It takes the extra ``rt`` and about half a second a trial on a CPU.

    Attributes:
        scene: A scene that Sionna RT ships, such as simple_street_canyon, munich or etoile, or an
            XML file.
        tx_x_m: Place of the transmitter.
        tx_y_m: Place of the transmitter.
        tx_z_m: Its height.
        radius_m: How far from it receivers are.
        speed_kmh: Speed of the receiver.
        carrier_hz: Carrier frequency.

    Source: Sionna RT (J. Hoydis et al., "Sionna RT: Differentiable ray tracing for radio
    propagation modeling", IEEE Globecom Workshops, 2023).
    """

    scene: str = "simple_street_canyon"
    tx_x_m: Metres = 0.0
    tx_y_m: Metres = 0.0
    tx_z_m: Metres = 20.0
    radius_m: Annotated[float, Range(0, 1e5, open_low=True)] = 50.0
    speed_kmh: SpeedKmh = 3.0
    carrier_hz: CarrierHz = 3.5e9
    content_sha256: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_values(self)
        object.__setattr__(self, "content_sha256", _content_sha256(self.scene))
        try:
            version("sionna-rt")
        except PackageNotFoundError:
            raise ChannelError(
                "channel 'ray_traced' needs Sionna RT, which is not installed; "
                "run: pip install 'scmc-comm[rt]'"
            ) from None

    def draw(self, num_symbols: int, esno_db: float, seeds: Sequence[int]) -> ChannelState:
        """See `channels.fading.models.Channel.draw`; the gains are those of `draw_default_grid`."""
        check_size(num_symbols, seeds)
        return ChannelState(draw_default_grid(self, num_symbols, seeds), esno_db_to_no(esno_db))

    def draw_grid(
        self, grid: OfdmGrid, num_symbols: int, num_rx: int, num_tx: int, seeds: Sequence[int]
    ) -> torch.Tensor:
        """See `channels.ofdm.grid.GridChannel.draw_grid`."""
        check_size(num_symbols, seeds)
        check_links(num_rx, num_tx)
        grid.check_doppler(max_doppler_hz(kmh_to_mps(self.speed_kmh), self.carrier_hz))
        with _RT, preserve_torch_rng():
            scene, solver = _scene(self, num_rx, num_tx)
            rows = [self._trial(scene, solver, grid, num_symbols, seed) for seed in seeds]
        return torch.from_numpy(np.stack(rows))

    def _trial(
        self, scene: Any, solver: Any, grid: OfdmGrid, num_symbols: int, seed: int
    ) -> np.ndarray:
        gen = generator(seed, "ray_traced")
        receiver = scene.get("rx")
        for _ in range(_MAX_TRIES):
            place, bearing, heading = torch.rand(3, generator=gen, dtype=torch.float64).tolist()
            distance, angle = self.radius_m * math.sqrt(place), 2 * math.pi * bearing
            receiver.position = [
                self.tx_x_m + distance * math.cos(angle),
                self.tx_y_m + distance * math.sin(angle),
                _RECEIVER_HEIGHT_M,
            ]
            direction = np.array([math.cos(2 * math.pi * heading), math.sin(2 * math.pi * heading)])
            receiver.velocity = [*(direction * kmh_to_mps(self.speed_kmh)).tolist(), 0.0]
            paths = solver(scene, max_depth=_MAX_DEPTH, samples_per_src=_NUM_RAYS, seed=1)
            power = float(np.sum(np.square(np.array(paths.a)))) / np.prod(np.shape(paths.a)[1:-1])
            if power > 0.0:
                h = paths.cfr(
                    frequencies=grid.frequencies_hz.numpy(),
                    sampling_frequency=1.0 / grid.symbol_s,
                    num_time_steps=num_symbols,
                    out_type="numpy",
                )
                gains: np.ndarray = (h[0, :, 0] / math.sqrt(power)).astype(np.complex64)
                return gains
        raise ChannelError(
            f"no ray reached any of {_MAX_TRIES} places within {self.radius_m} m of the "
            "transmitter; move it or raise radius_m"
        )


def _content_sha256(scene: str) -> str:
    """Hash of a scene's XML file and of the files that it names; empty for a scene by name."""
    path = Path(scene)
    if not (scene.endswith(".xml") and os.path.isfile(scene)):  # a name of any length
        return ""
    content = path.read_bytes()
    digest = hashlib.sha256(content)
    try:
        elements = list(ElementTree.fromstring(content).iter())
    except ElementTree.ParseError as error:
        raise ChannelError(f"scene {scene!r} is no XML: {error}; expected a scene file") from None
    for element in elements:
        part = path.parent / element.get("value", "")
        if element.get("name") == "filename" and os.path.isfile(part):
            digest.update(part.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=4)
def _scene(channel: RayTraced, num_rx: int, num_tx: int) -> tuple[Any, Any]:
    """The loaded scene with its devices, and a path solver."""
    import drjit
    import mitsuba
    from sionna import rt

    llvm = drjit.detail.llvm_version()
    if mitsuba.variant().startswith("llvm") and llvm[0] < _MIN_LLVM:
        raise ChannelError(
            f"Sionna RT would crash on LLVM {llvm[0]}; expected {_MIN_LLVM} or newer (on Debian: "
            "apt install libllvm19); set DRJIT_LIBLLVM_PATH to its libLLVM.so"
        )
    source = getattr(rt.scene, channel.scene, None)
    if not isinstance(source, str) or not source.endswith(".xml"):
        source = channel.scene
    if not (source.endswith(".xml") and Path(source).is_file()):
        raise ChannelError(
            f"scene is {channel.scene!r}; expected a scene of Sionna RT, such as "
            "simple_street_canyon, munich or etoile, or an XML file"
        )
    scene = rt.load_scene(source)
    scene.frequency = channel.carrier_hz
    scene.rx_array, scene.tx_array = (
        rt.PlanarArray(
            num_rows=1,
            num_cols=num,
            vertical_spacing=0.5,
            horizontal_spacing=0.5,
            pattern="iso",
            polarization="V",
        )
        for num in (num_rx, num_tx)
    )
    place = [channel.tx_x_m, channel.tx_y_m, channel.tx_z_m]
    scene.add(rt.Transmitter("tx", position=place))
    scene.add(rt.Receiver("rx", position=[*place[:2], _RECEIVER_HEIGHT_M]))
    return scene, rt.PathSolver()
