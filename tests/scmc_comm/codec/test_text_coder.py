"""Text coding: exact for every string, exact integers, short captions, safe on hostile bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scmc_comm.codec import layout
from scmc_comm.codec.text_coder import MAX_CHARS, TextCoder, _categorical
from scmc_comm.codec.text_model import TOTAL, exact_sum, load_model
from scmc_comm.codec.text_tokens import ESCAPE, Joiner, tokenize
from scmc_comm.errors import ScmcError

CAPTION = (
    "passion flower: this flower is white and purple in color, with petals that are oval shaped."
)


@pytest.fixture(scope="module")
def coder() -> TextCoder:
    return TextCoder.load()


def _layout_text(seed: int, rows: int = 5, columns: int = 5) -> str:
    generator = torch.Generator().manual_seed(seed)
    return layout.layout_from_indices(torch.randint(48, (rows, columns), generator=generator))


@given(st.text(max_size=80))
@settings(max_examples=120, deadline=None)
def test_every_string_survives(text: str) -> None:
    coder = TextCoder.load()
    assert coder.decode(coder.encode(text)) == text


WORDS = st.sampled_from(
    ["flower", "Flower", "FLOWER", "a", "A", "petals", "red", "zzyx", " ", "  ", ",", ".", ": ",
     "it's", "well-known", "_", "é", "日本", "From top to bottom:", "From top to bottom: red.",
     "\n", "ﬁ", "ß", "\ud800", "\U0010ffff", "two red, blue; three red.", "42"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=12), st.booleans())
@settings(max_examples=120, deadline=None)
def test_mixed_pieces_survive(pieces: list[str], spaced: bool) -> None:
    coder = TextCoder.load()
    text = (" " if spaced else "").join(pieces)
    assert coder.decode(coder.encode(text)) == text


@given(
    st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 8), st.sampled_from(["", "a", "x. "])
)
@settings(max_examples=40, deadline=None)
def test_every_layout_survives(seed: int, rows: int, columns: int, content: str) -> None:
    coder = TextCoder.load()
    sentence = _layout_text(seed, rows, columns)
    for text in (layout.join_caption(content, sentence), content + sentence, sentence + content):
        assert coder.decode(coder.encode(text)) == text


def test_coder_realises_the_integer_frequencies_exactly() -> None:
    """The first 24 bits of the stream fall in the interval of the symbol they select."""
    import constriction

    generator = np.random.default_rng(3)
    freq = exact_sum(generator.integers(1, 9000, 2000).astype(np.int64))
    cumulative = np.concatenate([[0], np.cumsum(freq)])
    model = _categorical(freq)
    for i in generator.integers(1, 2000, 300):
        for point, symbol in ((cumulative[i], i), (cumulative[i] - 1, i - 1)):
            words = np.array([int(point) << 8 | 128, 0, 0], np.uint32)
            assert constriction.stream.queue.RangeDecoder(words).decode(model) == symbol


def test_all_frequencies_are_positive_integers_with_exact_sum(coder: TextCoder) -> None:
    model = coder.model
    ids = [model.ids[w] for w in ("this", "flower", "is")]
    rows = [model.word_frequencies(ids[:n]) for n in range(4)] + [
        model.word_frequencies([ESCAPE] * 9)
    ]
    rows += [model.char_frequencies(c) for c in range(97)]
    topic = model.topic(ids)
    rows += [model.layout_frequencies([[0] * c], (5, 5), topic) for c in range(5)]
    rows += [model.layout_frequencies([[9], [3]], (8, 1), topic)]
    for freq in rows:
        assert freq.dtype == np.int64 and freq.min() >= 1 and freq.sum() == TOTAL


def test_frequencies_match_frozen_numbers(coder: TextCoder) -> None:
    """The way from counts to frequencies is pinned: encoders and decoders of all machines agree."""
    arrays = {
        "words": np.array(["<end>", "<e>", "<g>", "<s>", "<c>", "<u>", "a", "b"]),
        "discounts": np.array([8, 8, 8, 8]),
        "context_0": np.array([0, 0]), "word_0": np.array([6, 7]), "count_0": np.array([3, 1]),
    }  # fmt: skip
    for n in (1, 2, 3):
        arrays |= {f"{k}_{n}": np.zeros(0, np.int64) for k in ("context", "word", "count")}
    shapes = {
        "chars": (97, 97), "neighbour_table": (9, 49, 4), "position_table": (25, 4),
        "word_table": (8, 4), "hidden_bias": (4,), "out_weight": (4, 48), "out_bias": (48,),
        "exp_table": (1,),
    }  # fmt: skip
    arrays |= {k: np.ones(s, np.int64) for k, s in shapes.items()}
    freq = type(coder.model)(arrays).word_frequencies([])
    # (3 - 1/2) / 4 + 1/4 * 1/8 = 21/32, (1 - 1/2) / 4 + 1/32 = 5/32, others 1/32
    assert freq.tolist() == [TOTAL // 32] * 6 + [TOTAL * 21 // 32, TOTAL * 5 // 32]


def test_captions_are_short(coder: TextCoder) -> None:
    assert len(coder.encode(CAPTION)) <= 12
    smooth = layout.describe_layout(torch.linspace(0.1, 0.4, 64)[None, :, None].expand(3, 64, 64))
    assert len(coder.encode(layout.join_caption(CAPTION, smooth))) <= 28
    assert len(coder.encode("a dog runs over the green grass")) < 26


@given(st.binary(max_size=60))
@settings(max_examples=120, deadline=None)
def test_hostile_bytes_give_text_or_an_error(data: bytes) -> None:
    coder = TextCoder.load()
    try:
        text = coder.decode(data)
    except ScmcError:
        return
    assert len(text) <= 2 * MAX_CHARS
    assert coder.decode(coder.encode(text)) == text if len(text) <= MAX_CHARS else True


def test_truncated_and_flipped_captions_do_not_crash(coder: TextCoder) -> None:
    data = coder.encode(layout.join_caption(CAPTION, _layout_text(1)))
    for i in range(1, len(data)):
        for bad in (data[:i], data[: i - 1] + bytes([data[i - 1] ^ 0x55]) + data[i:]):
            try:
                assert isinstance(coder.decode(bad), str)
            except ScmcError as e:
                assert "\n" not in str(e)


def test_limits(coder: TextCoder) -> None:
    with pytest.raises(ScmcError, match="10001 characters"):
        coder.encode("a" * 10_001)
    for data in (b"", bytes(200_001)):
        with pytest.raises(ScmcError, match="expected 1 to"):
            coder.decode(data)
    assert coder.encode("")
    longest = "\U0010fffe" * MAX_CHARS
    assert coder.decode(coder.encode(longest)) == longest


def test_model_file_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ScmcError, match="no text model"):
        load_model(tmp_path / "none.npz")
    for name, content in (("a.npz", b""), ("b.npz", b"PK\3\4junk"), ("c.npz", b"junk")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ScmcError, match="cannot read"):
            load_model(tmp_path / name)
    np.savez(tmp_path / "d.npz", words=np.array(["a"]))
    with pytest.raises(ScmcError, match="is no text model"):
        load_model(tmp_path / "d.npz")


def test_tokens_are_invertible_by_hand() -> None:
    words = ["", "", "", "", "", "", "rose", ","]
    ids = {"rose": 6, ",": 7}
    for text in ("rose, ROSE", " rose", "rose ,Rose  rose ", "", "x rose"):
        joiner = Joiner(words)
        tokens = tokenize(text, ids)
        assert tokens.pop() == 0
        for token in tokens:
            if isinstance(token, str):
                joiner.add_word(token)
            elif token != ESCAPE:
                joiner.add(token)
        tail = tokens[-1:] and tokens[-1]
        assert joiner.text() == text, tail
