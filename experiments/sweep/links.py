"""Entries of a sweep's channels: a channel, and with ``@`` the physical layer that it is used with.

``tdl:model=A,speed_kmh=30@ofdm:csi=lmmse`` is a delay line under an OFDM link; an entry without
``@`` takes the sweep's ``phy``.
"""

from __future__ import annotations

from dataclasses import dataclass

from channels.phy.names import PHYS


@dataclass(frozen=True)
class Link:
    """One entry.

    Attributes:
        channel: As `channels.fading.models.make_channel` takes it.
        phy: As `channels.phy.names.make_phy` takes it.
    """

    channel: str
    phy: str

    @classmethod
    def parse(cls, entry: str, default_phy: str = "flat") -> Link:
        """Splits an entry.

        >>> Link.parse("tdl:model=A@ofdm:csi=ls")
        Link(channel='tdl:model=A', phy='ofdm:csi=ls')
        >>> Link.parse("trace:path=a@b.csv").phy
        'flat'
        """
        channel, at, phy = entry.rpartition("@")
        if at and phy.partition(":")[0] in PHYS:
            return cls(channel, phy)
        return cls(entry, default_phy)

    @property
    def parameters(self) -> dict[str, str]:
        """All parameters that are written out, with the names of both parts.

        >>> Link.parse("tdl:model=A@ofdm:csi=ls").parameters
        {'channel': 'tdl', 'model': 'A', 'phy': 'ofdm', 'csi': 'ls'}
        """
        found: dict[str, str] = {}
        for part, spec in (("channel", self.channel), ("phy", self.phy)):
            name, _, args = spec.partition(":")
            found[part] = name
            for item in filter(None, args.split(",")):
                key, _, value = item.partition("=")
                found[key.strip()] = value.strip()
        return found
