"""Protection plans that somebody wrote down."""

import pytest

from channels.coding.transport_block import num_channel_uses
from scmc_comm.errors import ScmcError
from scmc_comm.link.budget import Budget
from scmc_comm.link.plan_file import load_plan
from scmc_comm.link.protection import MIN_SIGNAL_BITS
from scmc_comm.registry import make_system
from scmc_comm.types import LayerKind

PLAN = """
semantic: {modulation: QPSK, coderate: 50/1024, power_db: 2}
structure: {modulation: 16-QAM, coderate: 0.5}
signal: {modulation: 64-QAM, coderate: 3/4}
"""
SIZE, BITS = (256, 256), {LayerKind.SEMANTIC: 200, LayerKind.STRUCTURE: 1000}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    return file


def test_layers_are_sent_as_written_and_the_signal_gets_what_is_left(path):
    level, plan = load_plan(path).plan(Budget(1 / 24, 10.0), [BITS, BITS], SIZE)
    semantic = plan.protection(LayerKind.SEMANTIC)
    assert (semantic.mcs.num_bits_per_symbol, semantic.power_db, semantic.priority) == (2, 2.0, 0)
    assert semantic.mcs.coderate / semantic.mcs.repetition == pytest.approx(50 / 1024)
    assert level == 1 and plan.exact and plan.num_parts == 1 and plan.signal_uses > 0
    small = load_plan(path).plan(Budget(1 / 70, 10.0), [BITS], SIZE, with_signal=False)[1]
    assert LayerKind.SIGNAL not in small.layers


def test_a_layer_without_room_says_what_it_needs_and_what_is_left(path):
    planner = load_plan(path)
    assert planner.plan(Budget(1 / 24, 10.0), [BITS], SIZE)[1].left_out == {}
    caption = num_channel_uses(200, planner.layers["semantic"].mcs)
    needed = num_channel_uses(1000, planner.layers["structure"].mcs)
    for uses in (caption + needed - 1, caption + 10):
        plan = planner.plan(Budget(uses / (3 * 256 * 256), 10.0), [BITS], SIZE)[1]
        left = uses - caption
        assert plan.left_out["structure"] == f"needs {needed} channel uses, {left} are left"
        assert LayerKind.STRUCTURE not in plan.layers
        assert ("signal" in plan.left_out) == (left * 4.5 <= MIN_SIGNAL_BITS)
    small = planner.plan(Budget(1 / 24, 10.0), [BITS], SIZE, with_signal=False)[1]
    assert small.left_out["signal"].startswith("needs for its coarsest quality more ")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("signal: {modulation: QPSK, coderate: 1/2}", "has no layer semantic"),
        ("semantic: {modulation: 8-QAM, coderate: 1/2}", "no modulation '8-QAM'; did you mean"),
        ("semantic: {modulation: QPSK}", "expected a coderate"),
        ("semantic: {modulation: QPSK, coderate: 1/5, repetition: 2.5}", "a whole repetition"),
        ("semantic: {modulation: QPSK, coderate: 1/5, repetition: .inf}", "a whole repetition"),
        ("semantic: {modulation: QPSK, coderate: 1/5, repetition: true}", "a whole repetition"),
        ("semantic: {modulation: QPSK, coderate: 1e-320}", "a rate from 2e-05 to 1"),
        ("semantic: {modulation: QPSK, coderate: .nan}", "a rate from 2e-05 to 1"),
        ("semantic: {modulation: QPSK, coderate: 1/5, repetition: 10001}", "1 to 10000 repetitions"),
        ("semantic: {modulation: QPSK, coderate: 1:30}", "coderate 90"),
        ("semantic: {modulation: QPSK, coderate: 1/2, power: 3}", "no key 'power'; did you mean"),
        (PLAN + "signal.3: {modulation: QPSK, coderate: 1/2}", "signal.3 without the parts"),
        (PLAN + "sound: {modulation: QPSK, coderate: 1/2}", "there is no layer 'sound'"),
        (f"semantic: {{modulation: QPSK, coderate: 1/2, power_db: {'9' * 400}}}", "expected a coderate"),
        ("semantic: 3", "semantic is 3"), ("[", "not valid YAML"), (None, "there is no plan file"),
    ],
)  # fmt: skip
def test_a_wrong_plan_is_one_line(path, text, match):
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ScmcError, match=match) as error:
        make_system(f"scmc:plan={path}")
    assert "\n" not in str(error.value)


def test_another_plan_is_another_system_to_the_sender_alone(path):
    one = make_system(f"scmc:plan={path}")
    before, shown = one.identity(), one.receiver_identity()
    path.write_text(PLAN.replace("0.5", "0.625"))
    assert one.identity() != before and one.receiver_identity() == shown
    with pytest.raises(ScmcError, match="keep one of them"):
        make_system(f"scmc:plan={path},protection=equal")
