"""The table of what each system sends, and of what both ends know beforehand."""

from __future__ import annotations

import numpy as np
import xarray as xr

from experiments.statistics.tables import Table
from experiments.sweep import store
from experiments.sweep.labels import channel_label, options_of, system_label, unit_label
from experiments.sweep.links import Link


def receiver_csi(link: Link) -> str:
    """What the receiver knows of the gains of a link.

    Example:
        >>> receiver_csi(Link("awgn", "flat")), receiver_csi(Link("tdl", "ofdm:csi=ls"))
        ('perfect', 'estimated (ls), pilots charged')
        >>> receiver_csi(Link("tdl", "ofdm:csi_error_variance=0.1"))
        'perfect with an error of variance 0.1, pilots charged'
    """
    keys = link.parameters
    if keys["phy"] == "flat":
        return "perfect"
    if keys.get("csi", "perfect") != "perfect":
        known = f"estimated ({keys['csi']})"
    elif (variance := keys.get("csi_error_variance", "0")) != "0":
        known = f"perfect with an error of variance {variance}"
    else:
        known = "perfect"
    return f"{known}, pilots charged"


def links_table(ds: xr.Dataset) -> Table:
    """The links of a sweep and the receiver's channel state information on each."""
    links = [Link.parse(str(name), str(ds.attrs.get("phy", "flat"))) for name in ds.channel.values]
    rows = [[channel_label(link.channel), link.phy, receiver_csi(link)] for link in links]
    return Table(["channel", "physical layer", "receiver's CSI"], rows)


def systems_table(ds: xr.Dataset) -> Table:
    """For each system what is sent, the headers, and the transmitter side information."""
    rows = [
        [system_label(name), _sent(ds, name), headers(ds, name), side_information(ds, name)]
        for name in map(str, ds.system.values)
    ]
    header = ["system", "units sent", "constant headers", "transmitter side information"]
    return Table(header, rows)


def _sent(ds: xr.Dataset, system: str) -> str:
    texts = {str(text) for text in np.ravel(ds.frames.sel(system=system).values)} - {""}
    if texts == {store.SYMBOLS}:
        return "analog symbols"
    tags = store.set_text(frozenset().union(*map(store.set_tags, texts))).split("+")
    layers = [tag for tag in tags if tag and not tag.startswith("signal.")]
    return " + ".join(map(unit_label, layers)) or "nothing fits"


def headers(ds: xr.Dataset, system: str) -> str:
    """Where a system's constant headers are."""
    if bool(store.is_analog(ds).sel(system=system)):
        return "none"
    return "in the file" if ("headers", "file") in options_of(system) else "out of band"


def side_information(ds: xr.Dataset, system: str) -> str:
    """Transmitter side information: what its designs follow, as far as the sweep varies it."""
    used, assumed = ds.design_of.sel(system=system), ds.designed_esno_db.sel(system=system)
    at = assumed.isel(design=used)
    follows = bool(np.allclose(at.values, np.broadcast_to(ds.esno_db.values, at.shape)))
    law = ds.designed_channel.sel(system=system).isel(design=used.isel(esno_db=0)).values
    laws = "channel law" if len(set(law)) > 1 else f"designed for {channel_label(str(law[0]))}"
    design = f"designed for {ds.attrs['design_esno_db']:g} dB"
    return f"{laws}; {'mean Es/N0 of the point' if follows else design}"
