"""Retrain every layer on one data set, in order.

    python -m experiments.training.recipe --data CUB_200_2011 --out runs/birds --minutes 600

The models come to OUT/models. A run that was stopped goes on with the same command: finished
stages are passed over, and each script resumes from its checkpoint. With other minutes all
stages are run again, from their checkpoints. Shares of the minutes: edges 5 %, captioner 8 %,
generator 17 %, fusion 12 % and 3 % in which its views must agree, signal 15 %, signal with lower
layers 7 %, the analog baseline, which starts from the signal's transforms, 7 %, the signal given
the colour map 9 %, its perceptual refinement 8 %, the enhancement network of VVC 9 %; features of
the captioner, text model, lower layers, colour maps, VVC's pictures, the heads that tell kinds and
the curves of the protection optimiser and of the image codecs take what they need beside.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.execution.children import call
from experiments.training import kinds
from experiments.training.captioner_features import SETS as PHOTO_SETS
from experiments.training.data import SETS
from scmc_comm.codec.structure import LEVELS
from scmc_comm.datasets import find_set, read_set
from scmc_comm.errors import ScmcError
from scmc_comm.models import FOLDER, MODELS_ENV

logger = logging.getLogger(__name__)

MIN_TRAIN = 64
"""Fewer training pictures than these are taken for a mistake."""

_QPS = ",".join(str(level.colour_qp) for level in LEVELS)

Command = tuple[str, ...]
Runner = Callable[[Command, Path], None]


@dataclass(frozen=True)
class Stage:
    """One step of the recipe.

    Attributes:
        name: What it is called; each ran if a file of this name lies in OUT/done.
        commands: ``scmc-comm train`` with these arguments, one after the other.
        copies: File of the run to copy to the models, if the script itself writes it.
    """

    name: str
    commands: tuple[Command, ...]
    copies: Path | None = None


@dataclass(frozen=True)
class Plan:
    """Where from, where to, how long.

    Attributes:
        data: The data set, or the folder of the sets that the scripts name.
        boundaries: Folder that holds ``bsds500``; None keeps the edge detector that ships.
        out: Folder of all runs.
        minutes: Length of all timed stages together.
        count: Pictures whose lower layers are written.
    """

    data: Path
    boundaries: Path | None
    out: Path
    minutes: float
    count: int

    @property
    def models(self) -> Path:
        """Folder of the results."""
        return self.out / "models"

    def stages(self) -> list[Stage]:
        """All steps, in order."""
        out, lower, signal = self.out, self.out / "lower", self.out / "signal"
        fusion = self.out / "fusion" / "checkpoint.pt"
        return [
            *self._edges(),
            self._stage("captioner_features", ("captioner_features", *self._data())),
            self._stage("captioner", self._train("captioner", 0.08), ships=True),
            self._stage("text_model", self._text_model()),
            self._stage("generator", self._train("generator", 0.17), ships=True),
            self._stage("sketches", self._lower("sketches")),
            self._stage("fusion", self._train("fusion", 0.12, "--lower", lower)),
            self._stage(
                "fusion_steady",
                self._train(
                    "fusion", 0.03, "--start", fusion, "--lower", lower, "--steady",
                    out="fusion_steady",
                ),
                self._export("fusion", "fusion_steady", "--start", fusion, "--keep", 0.25),
            ),
            self._stage("pictures", self._lower("pictures")),
            self._stage("signal", self._train("signal", 0.15)),
            self._stage(
                "signal_on_lower",
                self._train(
                    "signal", 0.07, "--start", signal / "checkpoint.pt", "--lower", lower,
                    out="signal_on_lower",
                ),
                self._export("signal", "signal_on_lower"),
            ),
            self._stage(
                "deepjscc",
                self._train("deepjscc", 0.07, "--start", self._model("signal")),
                self._export("deepjscc"),
            ),
            self._stage("colour_maps", *(self._maps(level.colour_qp) for level in LEVELS)),
            self._stage("scalable", self._scalable()),
            self._stage(
                "detail",
                self._train(
                    "detail", 0.08, "--start", out / "scalable" / "checkpoint.pt", "--qps", _QPS
                ),
                self._export("signal", "detail"),
            ),
            self._stage(
                "enhance",
                self._train("enhance", 0.09, "--count", self.count),
                self._export("enhance"),
            ),
            *self._kinds(),
            self._curves("layer_curves"),
            self._curves("codec_curves"),
        ]  # fmt: skip

    def _stage(self, name: str, *commands: Command, ships: bool = False) -> Stage:
        """A stage; one that ``ships`` writes the weights of its name itself."""
        return Stage(name, commands, self.out / name / f"{name}.safetensors" if ships else None)

    def _edges(self) -> list[Stage]:
        if self.boundaries is None:
            return []
        from scmc_comm.zoo.sources import kept_path, vgg16_features

        vgg16_features()  # brings the file here
        command = (
            "edges", "--data", str(self.boundaries), "--out", str(self.out / "edges"),
            "--cpu-minutes", f"{0.05 * self.minutes:g}", "--vgg16", str(kept_path("vgg16")),
        )  # fmt: skip
        return [self._stage("edges", command, ships=True)]

    def _kinds(self) -> list[Stage]:
        if not kinds.known_sets(self.data):
            return []
        command = ("kinds", *self._data(), "--out", str(self.out / "kinds"))
        return [self._stage("kinds", command, ships=True)]

    def _train(self, script: str, share: float, *more: object, out: str = "") -> Command:
        return (
            script, *self._data(), "--out", str(self.out / (out or script)),
            "--minutes", f"{share * self.minutes:g}", *map(str, more),
        )  # fmt: skip

    def _lower(self, what: str) -> Command:
        folder = str(self.out / "lower")
        return ("lower", what, *self._data(), "--out", folder, "--count", str(self.count))

    def _text_model(self) -> Command:
        captions, file = self.out / "captioner", self.models / "text_model.npz"
        return ("text_model", *self._data(), "--captions", str(captions), "--out", str(file))

    def _curves(self, script: str) -> Stage:
        folder = self.out / "curves"
        command = (script, *self._data(), "--out", str(folder))
        return Stage(script, (command,), folder / f"{script}.json")

    def _maps(self, qp: int) -> Command:
        return ("colour_maps", *self._data(), "--qp", str(qp), "--count", str(self.count))

    def _scalable(self) -> Command:
        return (
            "scalable", "train", *self._data(), "--out", str(self.out / "scalable"),
            "--start", str(self._model("signal")), "--minutes", f"{0.09 * self.minutes:g}",
            "--qps", _QPS,
        )  # fmt: skip

    def _export(self, network: str, run: str = "", *more: object) -> Command:
        checkpoint = self.out / (run or network) / "checkpoint.pt"
        out = str(self._model(network))
        return ("export", network, str(checkpoint), "-o", out, *map(str, more))

    def _model(self, network: str) -> Path:
        return self.models / f"{network}.safetensors"

    def _data(self) -> Command:
        return ("--data", str(self.data), "--cache", str(self.out / "cache"))


def check_data(data: Path) -> None:
    """Refuse before any training a data set that some stage cannot use.

    Raises:
        ScmcError: If a set, a split, or captions are missing, or it is too small.
    """
    for name in (*SETS, *PHOTO_SETS):
        splits = {"train", "val", *(["test"] if name == SETS[0] else [])}
        folder = find_set(data, name)
        pictures = read_set(folder)
        if absent := sorted(splits - {p.split for p in pictures}):
            raise ScmcError(f"data set {folder} has no pictures in split {', '.join(absent)}")
        train = [p for p in pictures if p.split == "train"]
        if len(train) < MIN_TRAIN:
            raise ScmcError(
                f"data set {folder} has {len(train)} training pictures, not {MIN_TRAIN}"
            )
        if not any(p.captions for p in train):
            raise ScmcError(
                f"data set {folder} has no captions, which the semantic layer learns from; train "
                "edges, fusion or signal by their own"
            )


def boundaries_of(data: Path) -> Path | None:
    """Folder that holds ``bsds500``: the data folder, or the one it lies in."""
    found = (folder for folder in (data, data.resolve().parent) if (folder / "bsds500").is_dir())
    return next(found, None)


def run_script(command: Command, models: Path) -> None:
    """Run one script in a process of its own, with the models made so far.

    Raises:
        ScmcError: If it fails; what it said stands above.
    """
    whole = [sys.executable, "-m", "scmc_comm", "train", *command]
    if status := call(whole, env={**os.environ, MODELS_ENV: str(models)}):
        raise ScmcError(
            f"'scmc-comm train {command[0]}' failed with status {status}, see above; "
            "run the same command again to go on from here"
        )


def train_all(plan: Plan, run: Runner = run_script) -> None:
    """Run all stages that are not done.

    Args:
        plan: What to do.
        run: Runs a command; replaced in tests.

    Raises:
        ScmcError: If the data cannot be used, OUT belongs to other data, or a stage fails.
    """
    _claim(plan)
    stages, changed = plan.stages(), False
    if plan.boundaries is None:
        logger.warning(
            "no bsds500/ in or beside %s, from whose boundaries edges are learned; the edge "
            "detector that ships is kept",
            plan.data,
        )
        shutil.copy(FOLDER / "edges.safetensors", plan.models)
    if not kinds.known_sets(plan.data):
        logger.warning(
            "no set of flowers or birds with named kinds in %s; the shipped metrics of kinds are "
            "kept", plan.data,
        )  # fmt: skip
        shutil.copy(FOLDER / "kinds.safetensors", plan.models)
    for number, stage in enumerate(stages, 1):
        mark, want = plan.out / "done" / f"{stage.name}.json", json.dumps(stage.commands)
        if not changed and mark.is_file() and mark.read_text(encoding="utf-8") == want:
            logger.info("stage %d of %d, %s: done before", number, len(stages), stage.name)
            continue
        changed = True  # later stages build on this one
        mark.unlink(missing_ok=True)
        logger.info("stage %d of %d, %s", number, len(stages), stage.name)
        for command in stage.commands:
            run(command, plan.models)
        if stage.copies is not None:
            shutil.copy(stage.copies, plan.models)
        mark.write_text(want, encoding="utf-8")


def _claim(plan: Plan) -> None:
    """A folder of runs belongs to one data set: its checkpoints fit no other."""
    owner = plan.out / "data.txt"
    source = str(plan.data.resolve())
    if owner.is_file() and (other := owner.read_text(encoding="utf-8")) != source:
        raise ScmcError(f"{plan.out} was begun with the data of {other}; give another --out")
    check_data(plan.data)
    for folder in (plan.models, plan.out / "done"):
        folder.mkdir(parents=True, exist_ok=True)
    owner.write_text(source, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="data set, or folder of several")
    parser.add_argument("--out", type=Path, required=True, help="folder of all runs and the models")
    parser.add_argument("--minutes", type=float, required=True, help="of all networks together")
    parser.add_argument(
        "--count", type=int, default=1500, help="pictures whose lower layers are written (1500)"
    )
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if args.minutes <= 0 or args.count < 1:
        raise ScmcError(f"got --minutes {args.minutes:g}, --count {args.count}; expected above 0")
    plan = Plan(args.data, boundaries_of(args.data), args.out, args.minutes, args.count)
    train_all(plan)
    print(f"models: {plan.models}")
    print(f"use them: {MODELS_ENV}={plan.models} scmc-comm encode photo.png -o photo.scmc")


if __name__ == "__main__":
    main()
