import pandas as pd
import pytest

from benchmarks.ofdm_tables import by_knowledge


def test_gaps_are_gathered_by_knowledge_without_the_cases_at_a_floor():
    cases = pd.DataFrame(
        [("ls", 0.3, False), ("ls", -0.4, False), ("ls", 9.0, True), ("lmmse", 0.6, False)],
        columns=["knowledge", "gap_db", "floor"],
    )
    found = by_knowledge(cases).set_index("knowledge")
    assert list(found.index) == ["ls", "lmmse", "all"]
    assert found.cases.tolist() == [2, 1, 3] and found.at_a_floor.tolist() == [1, 0, 1]
    assert found.rms_db["ls"] == pytest.approx((0.25 / 2) ** 0.5, abs=1e-3)
    assert found.largest_db.tolist() == [0.4, 0.6, 0.6]
    assert found.within_half_a_db.tolist() == pytest.approx([1.0, 0.0, 2 / 3], abs=1e-3)
