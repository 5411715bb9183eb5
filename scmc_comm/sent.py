"""Pictures sent in one call: `transmit` and `transmit_each`, and what came of each.

The sender's assumptions are those of a sweep (`scmc_comm.link.budget.design_for`); the command line
sends through here too.
"""

from __future__ import annotations

import logging
import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from channels.fading.models import make_channel
from channels.phy.names import make_phy
from channels.types import LinkReport, ReceivedSymbols
from scmc_comm.datasets.named_sets import NamedImage
from scmc_comm.device import single_precision
from scmc_comm.errors import ScmcError
from scmc_comm.images import to_uint8
from scmc_comm.metrics import default_metrics, measure
from scmc_comm.pictures import EXPECTED, as_image, each_picture
from scmc_comm.setting import Setting, setting_of
from scmc_comm.systems.base import System
from scmc_comm.transmission import Transmission, prepare, send
from scmc_comm.types import UNANNOTATED, Annotation, Reconstruction

if TYPE_CHECKING:
    from scmc_comm.link.ledger import Ledger
    from scmc_comm.link.prepared import Prepared

logger = logging.getLogger(__name__)

_CHUNK = 50  # draws sent at once


@dataclass(frozen=True, eq=False)
class Sent:
    """One picture, sent over some draws of a channel.

    Attributes:
        name: Of the picture.
        img: float32 [3, H, W] in [0, 1], the original.
        setting: How it was sent.
        seeds: Of each draw: `transmit` with one of them as its seed repeats that draw.
        transmission: What was sent, and what came of it.
        fades_db: Mean gain of each draw over the channel uses in dB; None on another link than the
            flat one, and where nothing was sent.
        annotation: What the data set states of the picture.
    """

    name: str
    img: torch.Tensor
    setting: Setting
    seeds: tuple[int, ...]
    transmission: Transmission
    fades_db: tuple[float, ...] | None
    annotation: Annotation = UNANNOTATED
    _scores: dict[Any, dict[str, float]] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        """A line: the pictures themselves would be pages."""
        return f"Sent({self.name!r}, {self.setting}, delivery={self.delivery})"

    @property
    def prepared(self) -> Prepared:
        """What was sent; ``prepared.infeasible`` says why nothing was."""
        return self.transmission.prepared

    @property
    def ledger(self) -> Ledger:
        """Where the channel uses went: ``to_text()``, ``to_dict()``."""
        return self.prepared.ledger

    @property
    def delivered(self) -> tuple[frozenset[str], ...]:
        """Tags of what arrived in each draw."""
        return self.transmission.delivered

    @property
    def delivery(self) -> dict[str, float]:
        """Share of the draws in which each unit arrived."""
        arrived = Counter(tag for tags in self.delivered for tag in tags)
        return {tag: arrived[tag] / len(self.seeds) for tag in self.prepared.tags}

    def _number(self, trial: int) -> int:
        try:
            return range(len(self.seeds))[operator.index(trial)]
        except (IndexError, TypeError):
            most = len(self.seeds) - 1
            raise ScmcError(f"trial is {trial!r}; expected 0 to {most}") from None

    @single_precision()
    def reconstruction(self, trial: int = 0) -> Reconstruction:
        """What the receiver shows in one draw: ``img_hat``, ``level``, ``caption``.

        Raises:
            ScmcError: There is no such draw.
        """
        shown = self.transmission.reconstruction(self._number(trial))
        return replace(shown, img_hat=shown.img_hat.clone())  # draws of one set share theirs

    def picture(self, trial: int = 0) -> Image.Image:
        """The same as a picture of 8 bits."""
        return Image.fromarray(to_uint8(self.reconstruction(trial).img_hat))

    @single_precision()
    def metrics(self, trial: int = 0, names: Sequence[str] | None = None) -> dict[str, float]:
        """Quality of what is shown in one draw; measured once for each delivered set.

        Args:
            trial: Which draw.
            names: Of `scmc_comm.metrics.METRICS`; None for `scmc_comm.metrics.default_metrics`.

        Raises:
            ScmcError: There is no such metric, or its weights are missing.
        """
        chosen = _chosen(names)
        received = self.transmission.report.received(self._number(trial))
        shown: Any = trial
        if not isinstance(received, ReceivedSymbols):
            shown = self.prepared.usable(received)
        known = self._scores.setdefault(shown, {})
        if missing := [name for name in chosen if name not in known]:
            img_hat = self.reconstruction(trial).img_hat
            known |= measure(self.img, img_hat, missing, self.annotation)
        return {name: known[name] for name in chosen}

    def mean_metrics(self, names: Sequence[str] | None = None) -> dict[str, float]:
        """Mean of `metrics` over the draws, failures (mid-grey) included."""
        chosen = _chosen(names)
        each = [self.metrics(trial, chosen) for trial in range(len(self.seeds))]
        return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def _chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """Names of metrics, those measured unless told where none are given."""
    if names is None:
        return default_metrics()
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ScmcError(f"names are {names!r}; expected a list such as ['psnr_db']")
    return tuple(names)


def transmit(
    img: Any,
    system: str | System = "scmc",
    *,
    snr_db: float | None = None,
    cbr: float | str | None = None,
    channel: str = "awgn",
    phy: str = "flat",
    trials: int = 1,
    seed: int = 0,
    design_snr_db: float | None = None,
    esno_db: float | None = None,
    rho: float | str | None = None,
    design_esno_db: float | None = None,
) -> Sent:
    """Sends one picture over draws of a channel.

    Args:
        img: A path, a PIL image, or an array or tensor, see `scmc_comm.pictures.as_image`.
        system: Its name, such as ``"vvc:mcs=adaptive"``, or the system itself.
        snr_db: Mean Es/N0 per complex channel use in dB.
        cbr: Bandwidth ratio, complex channel uses / (3 H W), such as ``"1/24"``.
        channel: Its name, such as ``"rician_block:k_factor_db=6"``.
        phy: The physical layer, such as ``"ofdm:csi=ls"``, whose pilots are charged.
        trials: Draws of the channel.
        seed: Of the draws, 0 or more; each system sees the same fades and noise.
        design_snr_db: What systems that do not know the mean Es/N0 are designed for, in dB; None
            for the mean.
        esno_db: ``snr_db`` by the name of the command line; give just one of them.
        rho: ``cbr`` by that name.
        design_esno_db: ``design_snr_db`` by that name.

    Raises:
        ScmcError: It is no single picture, a name or value is wrong, or of two names of one value
            both are given, or none.

    Example:
        >>> sent = transmit(torch.rand(3, 64, 64), "jpeg", snr_db=20, cbr="1/2", trials=3)
        >>> sent.delivery, sent.picture().size
        ({'image': 1.0}, (64, 64))
        >>> sent.metrics(names=["psnr_db"])["psnr_db"] > 8
        True
    """
    setting = setting_of(
        system, channel, phy, trials, seed,
        snr_db=snr_db, cbr=cbr, design_snr_db=design_snr_db,
        esno_db=esno_db, rho=rho, design_esno_db=design_esno_db,
    )  # fmt: skip
    (sent,) = send_each([NamedImage("picture", as_image(img))], setting)
    return sent


def transmit_each(
    imgs: Any,
    system: str | System = "scmc",
    *,
    snr_db: float | None = None,
    cbr: float | str | None = None,
    channel: str = "awgn",
    phy: str = "flat",
    trials: int = 1,
    seed: int = 0,
    design_snr_db: float | None = None,
    esno_db: float | None = None,
    rho: float | str | None = None,
    design_esno_db: float | None = None,
) -> Iterator[Sent]:
    """Sends pictures one after the other, each over draws of its own; only one is in memory.

    Args:
        imgs: A folder, the name of a set, an array or tensor [N, ...], pictures by name, or a
            list, see `scmc_comm.pictures.each_picture`.
        system: This and what follows as in `transmit`.
        snr_db: Mean Es/N0 in dB.
        cbr: Bandwidth ratio.
        channel: The channel.
        phy: The physical layer.
        trials: Draws of the channel for each picture.
        seed: Of the draws.
        design_snr_db: Design Es/N0 in dB.
        esno_db: ``snr_db`` by its other name.
        rho: ``cbr`` by its other name.
        design_esno_db: ``design_snr_db`` by its other name.

    Raises:
        ScmcError: As `transmit`, when a picture's turn comes.

    Example:
        >>> batch = np.zeros((2, 64, 64, 3), np.uint8)
        >>> [sent.name for sent in transmit_each(batch, "jpeg", snr_db=20, cbr=1 / 2)]
        ['0', '1']
    """
    setting = setting_of(
        system, channel, phy, trials, seed,
        snr_db=snr_db, cbr=cbr, design_snr_db=design_snr_db,
        esno_db=esno_db, rho=rho, design_esno_db=design_esno_db,
    )  # fmt: skip
    if isinstance(imgs, Sized) and len(imgs) == 0 and not isinstance(imgs, str):
        raise ScmcError(f"imgs is an empty {type(imgs).__name__}; expected {EXPECTED}, or several")
    return send_each(each_picture(imgs), setting)


def send_each(pictures: Iterable[NamedImage], setting: Setting) -> Iterator[Sent]:
    """Sends pictures one after the other, each over draws of its own.

    Of a layer that was to be sent and has no room a warning says so, once for all pictures.
    """
    said = set[str]()
    for number, named in enumerate(pictures):
        sent = send_picture(named, number, setting)
        for tag, why in sent.prepared.left_out.items():
            if tag not in said:
                logger.warning("%s is sent without its %s, which %s", named.name, tag, why)
            said.add(tag)
        yield sent


@single_precision()
def send_picture(named: NamedImage, number: int, setting: Setting) -> Sent:
    """Sends one picture once for each of its draws, some at a time.

    Args:
        named: The picture.
        number: Its number among those sent, which decides over the seeds.
        setting: How to send it.

    Raises:
        ScmcError: As `scmc_comm.transmission.prepare` and `scmc_comm.transmission.send`.
    """
    channel, phy = make_channel(setting.channel), make_phy(setting.phy)
    prepared = prepare(setting.system, named.img, setting.budget())
    seeds, esno_db, uses = setting.seeds(number), setting.esno_db, prepared.ledger.used
    reports, fades = [], list[float]()
    parts = [seeds[n : n + _CHUNK] for n in range(0, len(seeds), _CHUNK)]
    for part in tqdm(parts, named.name, unit=f"{_CHUNK} draws", disable=len(parts) == 1):
        reports.append(send(prepared, channel, esno_db, part, phy))
        if setting.phy == "flat" and prepared.infeasible is None:
            power = channel.draw(uses, esno_db, part).h.abs().square().mean(dim=1)
            fades += (10 * power.double().log10()).tolist()
    first = reports[0]
    report = LinkReport(
        first.tags, np.concatenate([r.delivered for r in reports]), first.channel_uses,
        symbols=tuple(received for r in reports for received in r.symbols),
    )  # fmt: skip
    return Sent(
        named.name, named.img, setting, seeds, Transmission(setting.system, prepared, report),
        tuple(fades) or None, named.annotation,
    )  # fmt: skip
