"""An accelerator beside the processor of its machine: first that both agree, then speed.

    python -m benchmarks.device [--images DIR] [--device auto] [--out FILE.json]

Prints JSON: whether containers are the same byte for byte, how far the pictures are apart, seconds
of each piece of work, and steps of training a second. Without ``--images``, a folder such as
Kodak's, the built-in photographs stand in, enlarged and turned. A machine without an accelerator
says so and ends with status 2, unless ``--cpu`` asks for the processor alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from experiments.bench.link import machine
from experiments.sweep.runner import run_sweep
from experiments.sweep.spec import SweepSpec
from experiments.training.loop import adam, descend
from experiments.training.precision import mixed_precision
from experiments.training.signal import SignalRecipe, rate_distortion
from experiments.training.signal_net import TrainedSignalNet
from scmc_comm.codec.layered import LayeredCodec
from scmc_comm.datasets.image_sets import image_set
from scmc_comm.device import chosen_device, describe_device, find_device, using_device
from scmc_comm.images import save_png
from scmc_comm.metrics import default_metrics, measure
from scmc_comm.types import Layer, LayerKind

SIZE = (512, 768)
TOLERANCE = 1e-3
QUALITY = 24
CPU_PICTURES = 2
"""Of the sweep on the processor, whose time is stated a picture: all would take too long."""
SETS = (("semantic",), ("structure",), ("semantic", "structure"), ("structure", "signal"))


def pictures(folder: str | None, count: int) -> dict[str, Tensor]:
    """Pictures float32 [3, H, W] by name."""
    if folder is not None:
        return {named.name: named.img for named in image_set(folder, count)}
    found = {}
    photos = [named.img for named in image_set("photos", None)]
    for i in range(count):
        img = photos[i % len(photos)].rot90(i // len(photos), (1, 2))
        img = F.interpolate(img[None], SIZE, mode="bicubic", antialias=True)[0]
        found[f"photo{i:02d}"] = img.clamp(0, 1).contiguous()
    return found


def coded_and_shown(img: Tensor) -> tuple[bytes, list[Tensor]]:
    """A picture's container, and what receivers show of parts of it."""
    codec = LayeredCodec()
    stream = codec.encode(img, QUALITY, level=1)
    shown = [codec.decode(_only(stream.layers, tags), stream.size).img_hat for tags in SETS]
    return stream.to_bytes(), shown


def _only(layers: tuple[Layer, ...], tags: tuple[str, ...]) -> list[Layer]:
    return [layer for layer in layers if layer.kind.tag in tags]


def agreement(imgs: list[Tensor], device: str) -> dict[str, Any]:
    """How the device's containers, pictures and metrics stand to the processor's."""
    names, same, apart, scores = default_metrics(), [], [], []
    for img in imgs:
        with using_device("cpu"):
            data, shown = coded_and_shown(img)
            values = measure(img, shown[-1], names)
        with using_device(device):
            other_data, other = coded_and_shown(img)
            other_values = measure(img, shown[-1], names)
        same.append(data == other_data)
        apart += [float((a - b).abs().max()) for a, b in zip(shown, other, strict=True)]
        scores += [abs(values[n] - other_values[n]) for n in names if np.isfinite(values[n])]
    return {
        "same_bytes": all(same), "pictures_apart": max(apart), "metrics_apart": max(scores),
        "passed": all(same) and max(apart) < TOLERANCE,
    }  # fmt: skip


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Median time after one run that loads and warms up."""
    work()
    return statistics.median(_timed(work) for _ in range(repeats))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    if chosen_device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def codec_times(img: Tensor) -> dict[str, float]:
    """Seconds of a picture: its coding, what receivers show of it, and the metrics."""
    codec, names = LayeredCodec(), default_metrics()
    stream = codec.encode(img, QUALITY, level=1)
    layers = [layer for layer in stream.layers if layer.kind is not LayerKind.SIGNAL]

    def fresh(work: Callable[[], object]) -> Callable[[], object]:
        return lambda: (codec.forget(), work())

    shown = codec.decode(stream.layers, stream.size).img_hat
    turned = shown.flip(2)
    return {
        "encode_s": seconds(fresh(lambda: codec.encode(img, QUALITY, level=1))),
        "decode_all_s": seconds(fresh(lambda: codec.decode(stream.layers, stream.size))),
        "decode_lower_s": seconds(fresh(lambda: codec.decode(layers, stream.size))),
        "metrics_s": seconds(lambda: (measure(img, shown, names), measure(img, turned, names))) / 2,
    }


def sweep_s(imgs: dict[str, Tensor], folder: Path) -> float:
    """Seconds a picture of a sweep with nothing in the cache, in this process."""
    source = folder / "pictures"
    source.mkdir()
    for name, img in imgs.items():
        save_png(img, source / f"{name}.png")
    spec = SweepSpec(
        name="device", systems=("scmc",), channels=("rayleigh_block",), esno_db=(0.0, 10.0),
        rho=(1 / 24,), images=str(source), strip_images=0, metrics=default_metrics(),
        estimator="expected",
    )  # fmt: skip
    start = time.perf_counter()
    run_sweep(spec, folder / "run", 1, cache_dir=folder / "cache", progress=False)
    return (time.perf_counter() - start) / len(imgs)


def steps_a_second(budget_s: float = 20.0) -> float:
    """Training steps of the signal layer on noise: forward, backward and the optimiser's."""
    recipe, where = SignalRecipe(), chosen_device()
    torch.manual_seed(0)
    net = TrainedSignalNet(recipe.net).to(where).to(memory_format=torch.channels_last)
    optimizer = adam([p for p in net.parameters() if p.requires_grad], recipe.lr)
    img = torch.rand(recipe.batch, 3, recipe.crop, recipe.crop, device=where)
    quality = torch.full((recipe.batch,), 3.0, device=where)

    def step() -> float:
        with mixed_precision():
            img_hat, bits = net(img.contiguous(memory_format=torch.channels_last), quality)
        loss, *_ = rate_distortion(net, img, bits, img_hat, quality)
        descend(loss, optimizer)
        return loss.item()  # waits for the device

    step()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < budget_s or count < 2:
        step()
        count += 1
    return count / (time.perf_counter() - start)


def speeds(imgs: dict[str, Tensor]) -> dict[str, Any]:
    """What the chosen device takes."""
    first = next(iter(imgs.values()))
    with tempfile.TemporaryDirectory() as folder:
        found = codec_times(first) | {"sweep_s_a_picture": sweep_s(imgs, Path(folder))}
    return {"device": describe_device(), **found, "training_steps_a_s": steps_a_second()}


def results(args: argparse.Namespace, device: str) -> Iterator[tuple[str, Any]]:
    """Parts of the report, one after the other."""
    imgs = pictures(args.images, args.pictures)
    few = dict(list(imgs.items())[:CPU_PICTURES])
    yield "machine", machine()
    yield "pictures", {"from": args.images or "photos, enlarged", "count": len(imgs)}
    if device != "cpu":
        yield "agreement", agreement(list(few.values()), device)
    with using_device("cpu"):
        yield "cpu", speeds(few)
    if device != "cpu":
        with using_device(device):
            yield "accelerator", speeds(imgs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", metavar="DIR", help="folder of pictures, such as Kodak's")
    parser.add_argument("--pictures", type=int, default=24, help="of the sweep (24)")
    parser.add_argument("--device", default="auto", help="beside the processor (auto)")
    parser.add_argument("--cpu", action="store_true", help="the processor alone")
    parser.add_argument("--out", type=Path, help="JSON to write as well")
    args = parser.parse_args()
    device = "cpu" if args.cpu else find_device(args.device).type
    if device == "cpu" and not args.cpu:
        print("no accelerator here; --cpu measures the processor alone", file=sys.stderr)
        sys.exit(2)
    report = {}
    for name, part in results(args, "cpu" if args.cpu else args.device):
        report[name] = part
        print(f"{name}: {json.dumps(part)}", file=sys.stderr, flush=True)
        if name == "agreement" and not part["passed"]:
            break
    text = json.dumps(report, indent=2)
    print(text)
    if args.out is not None:
        args.out.write_text(text + "\n", encoding="utf-8")
    sys.exit(0 if report.get("agreement", {"passed": True})["passed"] else 1)


if __name__ == "__main__":
    main()
