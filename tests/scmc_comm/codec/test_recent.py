"""What a codec keeps: the same results, made once while they are recent and small."""

import torch

from scmc_comm.codec.recent import Recent


def test_the_least_recently_used_goes_first():
    recent, made = Recent(max_bytes=20), []

    def get(key, size=10):
        return recent.get(key, lambda: made.append(key) or bytes(size))

    get("a"), get("b"), get("a"), get("c")  # "b" goes
    assert made == ["a", "b", "c"]
    get("a"), get("b")
    assert made == ["a", "b", "c", "b"]
    get("large", 21), get("large", 21)
    assert made[4:] == ["large", "large"]  # too large to be kept, and nothing went for it
    get("a")
    assert made[6:] == []


def test_tensors_and_parts_count_by_their_bytes():
    recent, made = Recent(max_bytes=100), []
    for key, value in (("t", torch.zeros(20)), ("p", (b"12345", b"67890")), ("u", torch.ones(5))):
        recent.get(key, lambda key=key, value=value: made.append(key) or value)
    recent.get("t", lambda: made.append("t again") or torch.zeros(20))
    assert made == ["t", "p", "u", "t again"]  # 80 + 10 + 20 bytes are more than 100
