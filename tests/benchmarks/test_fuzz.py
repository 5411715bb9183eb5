"""A short campaign of mutated inputs, of the kinds that take no networks; and the watchdog itself."""

import os
import signal
import time

import pytest

pytest.importorskip("resource", reason="Linux alone")

from benchmarks import fuzz
from benchmarks.fuzzing import campaign
from benchmarks.fuzzing.campaign import DECODED, Kind
from benchmarks.fuzzing.codec_kinds import codec_kinds
from benchmarks.fuzzing.file_kinds import description_kinds, table_kinds
from benchmarks.fuzzing.mutations import OF_BYTES, OF_TEXT, mutated
from benchmarks.fuzzing.picture_kinds import picture_kinds, with_crcs
from scmc_comm.errors import ScmcError


@pytest.mark.slow
def test_mutated_inputs_decode_or_are_refused_in_one_line(tmp_path):
    files, inputs = tmp_path / "files", tmp_path / "inputs"
    files.mkdir()
    inputs.mkdir()
    kinds = [*codec_kinds(), *description_kinds(files), *table_kinds(files, inputs)]
    kinds += picture_kinds(files)
    fuzz.check_seeds(kinds)
    counts, failures = campaign.run(campaign.jobs_of(kinds, 3000), seed=1, num_workers=1)
    assert not failures, "\n".join(f"{f.kind} {f.number}: {f.why}" for f in failures)
    assert sum(count.inputs for count in counts.values()) >= 2990
    for name, count in counts.items():
        assert count.refused and count.inputs == count.decoded + count.refused, name


def hurt(data):
    """Everything that an input must not do."""
    act = data[0] % 6
    if act == 0:
        raise KeyError("a bug")
    if act == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if act == 2:
        time.sleep(60)
    if act == 3:
        os.urandom(1) * (150 << 20)
    if act == 4:
        raise ScmcError("refused")


class Numbered(Kind):
    """Inputs are their numbers."""

    def input(self, seed, number):
        return bytes([number])


def test_a_bug_a_crash_a_hang_and_memory_are_failures_and_the_campaign_goes_on():
    kind = Numbered("hurt", (b"\5",), hurt, 1.0, limit_s=1.0, limit_mib=100)
    counts, failures = campaign.run([campaign.Job(kind, 0, 12)], seed=1, num_workers=2)
    count = counts["hurt"]
    assert (count.inputs, count.decoded, count.refused, count.failed) == (12, 2, 2, 8)
    assert [failure.number for failure in failures] == [0, 1, 2, 3, 6, 7, 8, 9]
    said = [failure.why for failure in failures[:4]]
    assert "KeyError: 'a bug'" in said[0] and "status -11" in said[1]
    assert "longer than 1 s" in said[2] and "the limit is 100" in said[3]


@pytest.mark.parametrize("said", ["", "x" * 501, "a\nb", "\x1b[31m"])
def test_a_refusal_that_no_terminal_survives_is_a_failure(said):
    class Hostile(ScmcError):
        def __str__(self):
            return said

    def read(data):
        raise Hostile

    with pytest.raises(campaign.NoRefusalError):
        campaign.outcome_of(Kind("hostile", (), read, 1.0), b"")


def test_memory_that_ran_out_is_no_refusal():
    def read(data):
        try:
            raise MemoryError
        except MemoryError as error:
            raise ScmcError("damaged") from error

    with pytest.raises(campaign.NoRefusalError, match="memory ran out"):
        campaign.outcome_of(Kind("large", (), read, 1.0), b"")


def test_an_input_is_the_same_whenever_it_is_made_and_kept(tmp_path):
    kind = Kind("text", (b"a: 1\nb: [2, 3]\n", b"c: 4\n"), len, 1.0, text=True)
    inputs = [kind.input(5, number) for number in range(50)]
    assert inputs == [kind.input(5, number) for number in range(50)]
    assert len(set(inputs)) > 40 and kind.input(6, 0) != inputs[0]
    fuzz.keep([campaign.Failure("text", 7, "a traceback")], [kind], 5, tmp_path)
    assert (tmp_path / "text-5-7.bin").read_bytes() == inputs[7]
    assert (tmp_path / "text-5-7.txt").read_text().endswith("a traceback")


def test_every_mutation_changes_something_and_fails_on_nothing():
    import random

    for mutate in {*OF_BYTES, *OF_TEXT}:
        for size in (1, 2, 40):
            found = set()
            for number in range(30):
                data = bytearray(b"9" * size)
                mutate(data, random.Random(number))
                found.add(bytes(data))
            assert found - {b"9" * size}, mutate.__name__
    assert mutated([b""], False, random.Random(1)) == b""


def test_a_png_is_repaired_to_what_it_was():
    kind = picture_kinds(None)[0]
    data = kind.seeds[0]
    broken = data[:29] + b"\0\0\0\0" + data[33:]
    assert broken != data and with_crcs(broken) == data


def test_batches_hold_every_input_once_and_all_kinds_take_turns():
    kinds = [Kind("a", (), len, 3.0), Kind("b", (), len, 1.0)]
    jobs = campaign.jobs_of(kinds, 4000)
    for kind, count in (("a", 3000), ("b", 1000)):
        found = sorted(n for j in jobs if j.kind.name == kind for n in range(j.start, j.stop))
        assert found == list(range(count))
    assert {job.kind.name for job in jobs[:3]} == {"a", "b"}


def test_the_table_has_a_row_a_kind_and_their_sum():
    count = campaign.Count()
    count.add(DECODED, 0.25, 12.0)
    text = fuzz.table({"a": count, "b": count})
    assert (
        "| a | 1 | 1 | 0 | 0 | 250 | 12 |" in text and "| all | 2 | 2 | 0 | 0 | 250 | 12 |" in text
    )
