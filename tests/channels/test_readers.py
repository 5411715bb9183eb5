"""Code that reads files or the environment when it is called is found, and said to the user."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from channels.identity import readers

BOUND = np.loadtxt


def opens(img, img_hat):
    with open("scale.json", encoding="utf-8") as file:
        return json.load(file)["scale"]


def asks(img, img_hat):
    return float(os.environ.get("SCALE", "1"))


def by_helper(img, img_hat):
    return 2 * helper()


def helper():
    return float(Path("scale.txt").read_text(encoding="utf-8"))


def nested(img, img_hat):
    return (lambda: os.getenv("SCALE"))()


class Held:
    def __init__(self):
        self.scale = float(Path(os.devnull).read_text(encoding="utf-8") or 1)

    def __call__(self, img, img_hat):
        return self.scale


class Late(Held):
    def __call__(self, img, img_hat):
        return np.fromfile("scale.bin")[0]


def plain(img, img_hat):
    return float(((img - img_hat) ** 2).mean())


@pytest.mark.parametrize(
    ("component", "name", "word"),
    [
        (opens, "opens", "open"),
        (asks, "asks", "environ"),
        (by_helper, "helper", "read_text"),
        (nested, "nested", "getenv"),
        (Late(), "Late.__call__", "fromfile"),
        (partial(asks, 1), "asks", "environ"),
        ({"metric": opens}, "opens", "open"),
    ],
)
def test_what_reads_when_called_is_found(component, name, word):
    assert readers(component) == {name: word}


@pytest.mark.parametrize("component", [plain, Held(), 3, np.zeros(3)])
def test_what_reads_nothing_or_when_it_is_made_is_not(component):
    assert readers(component) == {}
