"""Descriptions that expand, nest or quote without end; messages that a terminal survives."""

import time
import tracemalloc

import pytest

from channels.errors import LONGEST, ChannelError, printable
from experiments.specs import read_mapping
from experiments.sweep.spec import SweepSpec
from scmc_comm.errors import ScmcError
from scmc_comm.guarded_yaml import MAX_TEXT, load_yaml

SPEC = "name: demo\nsystems: [scmc]\nchannels: [awgn]\nesno_db: [0]\nrho: [1/24]\n"


def laughs(levels=9):
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for i in range(1, levels):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]")
    return "\n".join(lines)


HOSTILE = {
    "billion laughs": laughs(),
    "an anchor in a key": SPEC + f"{laughs()}\nnum_trials: *a8\n",
    "merged mappings": "base: &a {seed: 1}\n<<: *a\n",
    "lists in lists": "rho: " + "[" * 5000 + "]" * 5000,
    "mappings in mappings": "rho: " + "{a: " * 3000 + "1" + "}" * 3000,
    "blocks in blocks": "\n".join(" " * i + "a:" for i in range(900)),
    "a text without end": "description: " + "x" * (MAX_TEXT + 1),
    "many digits": SPEC + f"seed: {'9' * 5000}\n",
    "hexadecimal": SPEC + f"seed: 0x{'f' * 400}\n",
    "a key without end": SPEC + f"{'k' * 100_000}: 1\n",
    "a value without end": SPEC + f"num_trials: [{'1, ' * 20_000}]\n",
    "a group that is none": SPEC + f"base: {'b' * 100_000}\n",
    "an escape": SPEC + 'num_trials: "\\e[31m\\e[2J"\n',
    "a binary value": SPEC + "num_trials: !!binary aGVsbG8=\n",
    "a tag": SPEC + "num_trials: !!python/object/apply:os.system [ls]\n",
    "a date": SPEC + "num_trials: 2020-01-01\n",
    "a set": SPEC + "num_trials: !!set {a, b}\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_description_is_refused_in_one_short_line_at_once(text):
    start = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(ScmcError) as caught:
            SweepSpec.from_yaml(text)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) <= LONGEST and str(caught.value).isprintable()
    assert time.process_time() - start < 8


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_plan_of_such_text_is_read_or_refused(text):
    try:
        load_yaml(text, "the plan")
    except ScmcError as error:
        assert len(str(error)) <= LONGEST and str(error).isprintable()


def test_what_is_refused_says_why():
    for name, said in (
        ("billion laughs", "anchors"), ("lists in lists", "deep"), ("a text without end", "at most")
    ):  # fmt: skip
        with pytest.raises(ScmcError, match=said):
            read_mapping(HOSTILE[name])


@pytest.mark.parametrize("error", [ScmcError, ChannelError])
def test_an_error_quotes_its_input_short_and_printable(error):
    text = f"name is \x1b]0;title\x07\r\n\u202e{'x' * 10_000}; expected letters"
    said = str(error(text))
    assert len(said) <= LONGEST and said.isprintable()
    assert said.startswith("name is \\x1b]0;title\\x07\\r\\n\\u202exxx") and "expected" in said


@pytest.mark.parametrize("text", ["a red rose", "café 🌹", "日本語", ""])
def test_what_can_be_printed_stays_as_it_is(text):
    assert printable(text) == text
    assert str(ScmcError(text)) == text
