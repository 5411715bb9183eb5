"""What the names of systems, channels, metrics and units are called in figures and tables."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from experiments.statistics.means import LOWER_IS_BETTER

METRICS = {
    "psnr_db": "PSNR (dB)",
    "ms_ssim": "MS-SSIM",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "lpips_vgg": "LPIPS-VGG",
    "dists": "DISTS",
    "mse": "MSE",
    "vmaf": "VMAF",
    "caption_f1": "caption F1",
    "layout_agreement": "layout agreement",
    "sentence_similarity": "similarity of captions",
    "caption_similarity": "similarity to people's captions",
    "kid_vgg16": "KID, VGG16 features",
    "fid_vgg16": "FID, VGG16 features",
    "flower_kind": "kind of flower recovered",
    "bird_kind": "kind of bird recovered",
}
CHANNELS = {
    "awgn": "AWGN",
    "rayleigh_block": "Rayleigh block fading",
    "rician_block": "Rician block fading",
    "nakagami_block": "Nakagami block fading",
    "tdl": "TDL",
    "cdl": "CDL",
    "clarke": "Clarke",
}
SYSTEMS = {
    "scmc": "SCMC",
    "scmc-signal": "SCMC signal layer",
    "jpeg": "JPEG",
    "webp": "WebP",
    "jpeg2000": "JPEG 2000",
    "avif": "AVIF",
    "hevc": "HEVC intra (BPG)",
    "bpg": "HEVC intra (BPG)",
    "vvc": "VVC",
    "hyperprior": "Hyperprior",
    "factorized": "Factorised prior",
    "deepjscc": "DeepJSCC",
}
# What an option says, where that is more than its key and value; {} is the value.
OPTIONS = {
    "protection=unequal": "unequal protection",
    "protection=equal": "equal protection",
    "protection=optimised": "optimised protection",
    "protection=range": "optimised for a range of SNR",
    "mcs=adaptive": "adaptive MCS",
    "mcs=fixed": "fixed MCS",
    "mcs=range": "one MCS for a range of SNR",
    "law=awgn": "designed for AWGN",
    "scale=1": "full resolution only",
    "headers=file": "with headers",
    "headers=slim": "slim headers",
    "enhance=perceptual": "perceptual enhancement",
    "enhance=none": "as decoded",
    "realism=0": "no perceptual refinement",
    "fixed=true": "design SNR only",
    "layers": "{} layers",
    "peak_db": "PAPR at most {} dB",
    "priorities=layers": "layers first",
    "priorities=equal": "equal priority",
    "scheduling=layer_aware": "layer-aware",
    "harq=none": "no retransmissions",
    "harq=chase": "chase combining",
    "harq=incremental": "incremental redundancy",
    "margin_db": "margin {} dB",
    "computing=none": "without computing",
    "computing=wall": "with computing",
    "computing=cpu": "with computing",
    "encode_s": "encoder {} s",
    "decode_s": "decoder {} s",
}
UNITS = {"semantic": "caption", "structure": "structure", "signal": "signal"}


def options_of(name: str) -> Iterator[tuple[str, str]]:
    """Key and value of each option in a name written ``NAME:key=value,key=value``.

    Example:
        >>> list(options_of("vvc:mcs=adaptive,utility=lpips"))
        [('mcs', 'adaptive'), ('utility', 'lpips')]
    """
    for item in filter(None, name.partition(":")[2].split(",")):
        key, _, value = item.partition("=")
        yield key.strip(), value.strip()


def _option(key: str, value: str) -> str:
    if key == "utility":
        return f"for {metric_name(value).removesuffix(' (dB)')}"
    if key == "weights":
        return Path(value).stem
    words = OPTIONS.get(f"{key}={value}") or OPTIONS.get(key)
    if words is not None:
        return words.format(value)
    return value.replace("_", " ") if key == "scheduling" else f"{key}={value}"


def system_label(name: str) -> str:
    """Legend entry of a system, an image codec or a scheme, by the rule of its name.

    Example:
        >>> system_label("scmc:protection=equal"), system_label("vvc:mcs=adaptive,utility=lpips")
        ('SCMC, equal protection', 'VVC, adaptive MCS, for LPIPS')
        >>> system_label("jpeg:headers=file"), system_label("bpg"), system_label("scmc:beams=4")
        ('JPEG, with headers', 'HEVC intra (BPG)', 'SCMC, beams=4')
    """
    base = name.partition(":")[0]
    words = (_option(key, value) for key, value in options_of(name))
    return ", ".join([SYSTEMS.get(base, base), *words])


def metric_name(metric: str) -> str:
    """A metric with its unit.

    Example:
        >>> metric_name("psnr_db"), metric_name("lpips")
        ('PSNR (dB)', 'LPIPS')
    """
    return METRICS.get(metric, metric)


def metric_label(metric: str) -> str:
    """Axis label of a metric: with its unit, or the direction that is better.

    Example:
        >>> metric_label("psnr_db"), metric_label("lpips")
        ('PSNR (dB)', 'LPIPS (lower is better)')
    """
    better = " (lower is better)" if metric in LOWER_IS_BETTER else ""
    return metric_name(metric) + better


def channel_label(name: str) -> str:
    """Title of a channel, with its parameters.

    Example:
        >>> channel_label("rayleigh_block:coherence_symbols=256")
        'Rayleigh block fading (coherence_symbols=256)'
    """
    base, _, args = name.partition(":")
    return CHANNELS.get(base, base) + (f" ({', '.join(args.split(','))})" if args else "")


def ratio_label(rho: float) -> str:
    """A bandwidth ratio as a fraction.

    Example:
        >>> ratio_label(0.041666666666666664)
        '1/24'
    """
    ratio = Fraction(rho).limit_denominator(2000)
    if abs(float(ratio) - rho) > 1e-9 or ratio.denominator == 1:
        return f"{rho:.4g}"
    return f"{ratio.numerator}/{ratio.denominator}"


def unit_label(tag: str) -> str:
    """A layer, a part of one, or the whole file.

    Example:
        >>> unit_label("semantic"), unit_label("signal.2"), unit_label("image")
        ('caption', 'signal part 2', 'file')
        >>> unit_label("image.2")
        'layer 2'
    """
    base, _, part = tag.partition(".")
    if base == "image" and part:
        return f"layer {part}"
    return UNITS.get(base, "file") + (f" part {part}" if part else "")
