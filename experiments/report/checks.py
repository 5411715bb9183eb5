"""The known mistakes of comparisons over a channel, and the tests that keep each out."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from scmc_comm.errors import ScmcError

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mistake:
    """A mistake found in published code.

    Attributes:
        what: The mistake.
        effect: What it does to results.
        rule: What holds here instead.
        tests: Ids of the tests that fail if it is made, relative to the root of the sources.
    """

    what: str
    effect: str
    rule: str
    tests: tuple[str, ...]


_METRICS, _PERCEPTUAL, _MODELS = (
    "tests/scmc_comm/metrics/test_metrics.py",
    "tests/scmc_comm/metrics/test_perceptual_metrics.py",
    "tests/channels/fading/test_models.py",
)
_MODULATION = "tests/channels/modulation/test_qam.py"

MISTAKES = (
    Mistake(
        "noise power split over real and imaginary parts, but added to real symbols",
        "curves shifted by 3.01 dB",
        "the empirical Es/N0 of each channel lies within 0.05 dB of the request",
        (f"{_MODELS}::test_empirical_esno_within_a_twentieth_of_a_db",
         f"{_MODELS}::test_noise_has_half_its_variance_in_each_real_dimension"),
    ),
    Mistake(
        "constellation size used where bits per symbol belong in Eb/N0",
        "several dB",
        "links are set by Es/N0; uncoded BER of every modulation agrees with the closed form",
        (f"{_MODULATION}::test_uncoded_ber_in_awgn",),
    ),
    Mistake(
        "noise variance before equalisation in the demapper",
        "wrong LLRs in fading",
        "uncoded BER in Rayleigh fading agrees with the closed form",
        (f"{_MODULATION}::test_uncoded_ber_in_rayleigh_fading",),
    ),
    Mistake(
        "fading drawn as a real gain per symbol, without equaliser, called block fading",
        "not the stated channel",
        "complex gains of unit power, constant in a block, independent between blocks",
        (f"{_MODELS}::test_fading_has_unit_power_and_independent_blocks",
         f"{_MODELS}::test_rayleigh_amplitude_distribution"),
    ),
    Mistake(
        "failure image scored after a mix-up of integers and floats",
        "failure floor of 6.6 dB instead of about 12 dB",
        "mid-grey is scored as its closed form says",
        (f"{_METRICS}::test_mid_grey_against_a_uniform_picture_is_10_79_db",
         f"{_METRICS}::test_failure_floor_of_photographs_is_about_12_db_not_6"),
    ),
    Mistake(
        "a whole batch coded as one mosaic",
        "the baseline gains rate for free",
        "one bit stream an image, whatever was coded before",
        ("tests/scmc_comm/baselines/test_codec_contract.py::"
         "test_the_bytes_depend_on_the_picture_alone",),
    ),
    Mistake(
        "header or side-information bytes left out, or restored for free after decoding",
        "a semantic win that is none",
        "the ledger equals the symbols on the wire",
        ("tests/scmc_comm/link/test_ledger.py::test_ledger_equals_what_the_phy_sends",
         "tests/scmc_comm/link/test_ledger.py::test_items_sum_to_the_channel_uses"),
    ),
    Mistake(
        "a fixed modulation and code rate over the whole SNR axis called the baseline",
        "a flat curve, a manufactured cliff",
        "adaptive MCS takes the best modulation and code rate of each SNR, and bounds are drawn",
        ("tests/scmc_comm/systems/test_adaptive.py::"
         "test_no_scheme_of_the_grid_is_better_on_the_validation_set",
         "tests/experiments/sweep/test_bounds.py::"
         "test_fading_line_is_the_best_fixed_rate_for_the_mean_snr"),
    ),
    Mistake(
        "power normalised over a batch",
        "images lend power to each other",
        "each transmission has mean power 1",
        ("tests/channels/phy/test_phy.py::test_mean_power_of_each_transmission_is_one",),
    ),
    Mistake(
        "reconstructions saved as JPEG before they are scored",
        "wrong metrics",
        "metrics take float tensors and refuse bytes",
        (f"{_METRICS}::test_pictures_that_cannot_be_compared_are_refused",
         f"{_PERCEPTUAL}::test_networks_refuse_bytes_and_tiny_pictures"),
    ),
    Mistake(
        "LPIPS fed [0, 1] in place of [-1, 1]",
        "wrong LPIPS",
        "the published example pair, 0.722 and 0.138",
        (f"{_PERCEPTUAL}::test_lpips_takes_0_to_1_and_feeds_minus_1_to_1",
         f"{_PERCEPTUAL}::test_published_example_pairs"),
    ),
    Mistake(
        "a metric's network left trainable inside the model",
        "the metric is trained too",
        "metric networks are frozen",
        (f"{_PERCEPTUAL}::test_metric_networks_are_frozen_inside_a_model_that_is_trained",),
    ),
    Mistake(
        "a missing codec silently replaced by another",
        "false labels",
        "an error that names the fix",
        ("tests/scmc_comm/codec/test_vvc.py::test_missing_binary_names_the_fix",
         "tests/scmc_comm/baselines/test_codec_contract.py::test_an_ffmpeg_without_x265_names_the_fix"),
    ),
    Mistake(
        "a design made for AWGN, used over fading",
        "the baseline lies far below itself",
        "the channel that a design is made for is that of the link",
        ("tests/scmc_comm/systems/test_adaptive.py::"
         "test_in_fading_it_is_more_careful_than_on_awgn",),
    ),
    Mistake(
        "an undefined metric averaged as 0",
        "a flat line at 0",
        "it is left out of the mean, and counted",
        ("tests/experiments/sweep/test_store.py::"
         "test_pictures_without_a_metric_are_left_out_of_its_means_and_counted",),
    ),
)  # fmt: skip
"""In the order in which the protocol lists them."""


def _test_id(case: ElementTree.Element) -> str:
    """The id of a test in a JUnit report, without its parameters."""
    module = str(case.get("classname")).replace(".", "/") + ".py"
    return f"{module}::{str(case.get('name')).partition('[')[0]}"


def _outcome(case: ElementTree.Element) -> str:
    for child in case:
        if child.tag in ("failure", "error"):
            return "failed"
        if child.tag == "skipped":
            return f"skipped: {child.get('message')}"
    return "passed"


def run_tests(tests: Sequence[str], root: Path = ROOT) -> dict[str, list[str]]:
    """Runs tests in a process of their own.

    Args:
        tests: Their ids.
        root: Where the sources lie.

    Returns:
        For each id the outcomes of its cases: ``passed``, ``failed`` or ``skipped: WHY``; none if
        it did not run.

    Raises:
        ScmcError: There are no tests here, or pytest could not run them.
    """
    if not (root / "tests").is_dir():
        raise ScmcError(f"{root} holds no tests; run the report from a checkout of the sources")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                   f"--junit-xml={path}", *tests]  # fmt: skip
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, encoding="utf-8")
        if not path.is_file() or done.returncode not in (0, 1):
            last = (done.stdout + done.stderr).strip().splitlines()[-1:]
            raise ScmcError(f"pytest could not run the checks: {' '.join(last) or 'no output'}")
        found: dict[str, list[str]] = {test: [] for test in tests}
        for case in ElementTree.parse(path).iter("testcase"):
            found.setdefault(_test_id(case), []).append(_outcome(case))
    return found


def state_of(mistake: Mistake, outcomes: dict[str, list[str]] | None) -> str:
    """What is known of a mistake from the outcomes of `run_tests`, or None if none were run.

    Returns:
        ``passed (N tests)``, ``FAILED``, ``skipped: WHY``, ``did not run``, or which tests keep it.
    """
    if outcomes is None:
        names = ", ".join(test.partition("::")[2] for test in mistake.tests)
        return f"kept by {names}; not run for this report"
    results = [outcomes.get(test, []) for test in mistake.tests]
    flat = [result for cases in results for result in cases]
    if "failed" in flat:
        return "FAILED"
    skipped = sorted({result for result in flat if result.startswith("skipped")})
    if skipped or not all(results):
        return "; ".join(skipped) or "did not run"
    return f"passed ({len(flat)} test{'s' if len(flat) > 1 else ''})"


def states(run: bool) -> list[str]:
    """The state of each of `MISTAKES`; their tests are run if so asked."""
    tests = [test for mistake in MISTAKES for test in mistake.tests]
    outcomes = run_tests(tests) if run else None
    return [state_of(mistake, outcomes) for mistake in MISTAKES]
