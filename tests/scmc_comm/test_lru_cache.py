"""The LRU cache: results are made once while they are used and small."""

import torch

from scmc_comm.lru_cache import LruCache


def test_the_least_recently_used_goes_first():
    cache, made = LruCache(max_bytes=20), []

    def get(key, size=10):
        return cache.get(key, lambda: made.append(key) or bytes(size))

    get("a"), get("b"), get("a"), get("c")  # "b" goes
    assert made == ["a", "b", "c"]
    get("a"), get("b")
    assert made == ["a", "b", "c", "b"]
    get("large", 21), get("large", 21)
    assert made[4:] == ["large", "large"]  # too large to be kept, and nothing went for it
    get("a")
    assert made[6:] == []


def test_what_was_dropped_counts_no_more_and_no_less():
    cache, made = LruCache(max_bytes=20), []

    def get(key):
        return cache.get(key, lambda: made.append(key) or bytes(10))

    for key in range(100):
        get(key)
    made.clear()
    get(98), get(99)
    assert made == []  # two fit, however many went before them
    get(97), get(98)
    assert made == [97, 98]


def test_tensors_and_parts_count_by_their_bytes():
    cache, made = LruCache(max_bytes=100), []
    for key, value in (("t", torch.zeros(20)), ("p", (b"12345", b"67890")), ("u", torch.ones(5))):
        cache.get(key, lambda key=key, value=value: made.append(key) or value)
    cache.get("t", lambda: made.append("t again") or torch.zeros(20))
    assert made == ["t", "p", "u", "t again"]  # 80 + 10 + 20 bytes are more than 100
