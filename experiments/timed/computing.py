"""How long the codecs of a timed experiment work, and what that costs in joules.

The times go into the link as `channels.timed.types.TrafficClass.encode_s` and ``decode_s``. They
are measured once, kept in a file, and never part of what is cached of pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from experiments.computing.measure import REPETITIONS
from experiments.computing.times import Times, mean_s, read_times, write_times
from experiments.timed.library import Library
from experiments.timed.schemes import INSTANT, Computing, Scheme
from experiments.timed.spec import TimedSpec
from scmc_comm.errors import ScmcError

TIMES_FILE = "times.json"


def find_times(spec: TimedSpec, library: Library, folder: Path, progress: bool) -> Times | None:
    """The measured times that the schemes ask for; what is missing is measured and kept.

    Args:
        spec: The experiment.
        library: Its pictures.
        folder: Of the results, where `TIMES_FILE` is read and written.
        progress: Show a progress bar.

    Returns:
        None if no scheme asks for measured times.

    Raises:
        ScmcError: The spec's file lacks a time, or the folder's is of another machine.
    """
    schemes = [scheme for scheme in map(Scheme.parse, spec.schemes) if scheme.measures]
    systems = dict.fromkeys(scheme.system for scheme in schemes)
    wanted = [(system, image) for system in systems for image in library.images]
    if not wanted:
        return None
    path = Path(spec.times) if spec.times else folder / TIMES_FILE
    known = spec.times or path.is_file()
    times = read_times(path) if known else Times.none_yet(REPETITIONS)
    missing = [pair for pair in wanted if times.get(library.coding(*pair)) is None]
    if missing and spec.times:
        raise ScmcError(
            f"{path} has no times of {missing[0][0]} for {missing[0][1]} at this size, rho and "
            "design, or of other content; give no file to measure them here"
        )
    for pair in wanted:
        found = times.get(library.coding(*pair))
        lacking = set() if found is None else set(library.sent(*pair).sizes) - set(found.decode)
        if lacking:
            raise ScmcError(
                f"{path} lacks what decoding {min(lacking)} of {pair[1]} takes with {pair[0]}; "
                "delete it and measure again"
            )
    if missing:
        times.check_machine(path)
    for system, image in tqdm(missing, "times", unit="picture", disable=not (progress and missing)):
        times = times.plus(library.measure(system, image))
        folder.mkdir(parents=True, exist_ok=True)
        write_times(path, times)
    return times


def computing_of(scheme: Scheme, library: Library, times: Times | None) -> Computing:
    """How long a scheme's codec works: means over the pictures, measured or as it states them."""
    if not scheme.measures:
        tags = library.tags(scheme.system)
        stated = dict.fromkeys(tags, scheme.decode_s or 0.0)
        return Computing(scheme.encode_s or 0.0, stated) if scheme.computes else INSTANT
    assert times is not None
    found = [times.get(library.coding(scheme.system, image)) for image in library.images]
    known = [picture for picture in found if picture is not None]
    decode_s = {
        tag: mean_s([p.decode[tag] for p in known if tag in p.decode], scheme.computing)
        for tag in dict.fromkeys(tag for picture in known for tag in picture.decode)
    }
    return Computing(mean_s([p.encode for p in known], scheme.computing), decode_s)


def decoding_s(computing: Computing, usable: frozenset[str], tags: tuple[str, ...]) -> float:
    """Time to decode a set: that of its least urgent unit, which includes all others.

    Args:
        computing: How long the codec works.
        usable: Units that arrived and can be decoded.
        tags: All units, the most urgent first.

    Example:
        >>> layers = Computing(1.0, {"semantic": 0.2, "signal": 0.5})
        >>> decoding_s(layers, frozenset({"semantic"}), ("semantic", "signal"))
        0.2
        >>> decoding_s(layers, frozenset(), ("semantic", "signal"))
        0.0
    """
    arrived = [tag for tag in tags if tag in usable]
    return computing.decode_s.get(arrived[-1], 0.0) if arrived else 0.0


def energy_j(
    spec: TimedSpec,
    library: Library,
    scheme: Scheme,
    computing: Computing,
    delivered: Mapping[tuple[int, str], int],
) -> tuple[float, float]:
    """Energy of encoding and of decoding in J, a mean over the pictures offered.

    Each picture is encoded once, whatever becomes of it, and decoded once, from all that came in
    time; one of which nothing came is not decoded.

    Args:
        spec: States the power of both devices in W.
        library: Its pictures.
        scheme: How they are sent.
        computing: How long its codec works.
        delivered: How often each set of tags came for each picture.
    """
    images, tags = list(library.images), library.tags(scheme.system)
    seconds, count = 0.0, 0
    for (place, text), times in delivered.items():
        prepared = library.sent(scheme.system, images[place]).prepared
        usable = prepared.usable(frozenset(filter(None, text.split("+"))))
        seconds += times * decoding_s(computing, usable, tags)
        count += times
    return spec.encoder_w * computing.encode_s, spec.decoder_w * seconds / max(count, 1)
