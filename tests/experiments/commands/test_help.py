"""Help and hints: an example a verb, what users do, and how to go on after a stop."""

import argparse
import shlex

import pytest

from experiments.commands.main import TASKS, VERBS, main, parser


def sub_parsers():
    """Every verb with its parser."""
    (verbs,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return verbs.choices


def test_every_verb_s_help_ends_with_an_example_that_its_grammar_takes():
    for verb, sub in sub_parsers().items():
        example = sub.format_help().rpartition("example: scmc-comm ")[2]
        assert example.split()[0] == verb
        parser().parse_args(shlex.split(example))


def test_the_help_names_what_users_do_and_every_verb_once():
    text = parser().format_help()
    tasks = [example for group in TASKS.values() for _, example in group]
    assert len(tasks) == 10
    for example in tasks:
        assert f"scmc-comm {example}\n" in text
        parser().parse_args(shlex.split(example))
    assert sorted(verb for verbs in VERBS.values() for verb in verbs) == sorted(sub_parsers())


LONG = ("sweep", "rd", "anchors", "reproduce", "train", "bler", "bench", "stream", "transmit",
        "plan", "report")  # fmt: skip


class FixedParser:
    """Gives the same arguments whatever comes."""

    def __init__(self, args):
        self.args = args

    def parse_args(self, argv):
        return self.args


@pytest.mark.parametrize("verb", LONG)
def test_after_a_stop_every_long_verb_says_how_to_go_on(monkeypatch, capsys, verb):
    def stopped(args):
        raise KeyboardInterrupt

    example = sub_parsers()[verb].format_help().rpartition("example: scmc-comm ")[2]
    args = parser().parse_args(shlex.split(example))
    args.run = stopped
    monkeypatch.setattr("experiments.commands.main.parser", lambda: FixedParser(args))
    with pytest.raises(SystemExit) as stop:
        main([])
    said = capsys.readouterr().err
    assert stop.value.code == 130 and said.startswith("scmc-comm: stopped; ") and len(said) > 40
    assert " ".join(args.resume.split()) in " ".join(sub_parsers()[verb].format_help().split())
