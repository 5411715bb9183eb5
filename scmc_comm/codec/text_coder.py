"""Lossless coding of captions to a few bytes, with constriction's range coder.

The text is split into its content and, if it ends with a layout sentence as ``layout.py`` writes
it, the palette indices of that sentence. Any other text is coded as content, word by word, with
escapes, so every string survives exactly; captions like the trained ones are merely cheaper.

The range coder works on 32-bit words; the payload is the shortest byte string that, continued
with zeros, still decodes to the same symbols.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scmc_comm.codec import layout
from scmc_comm.codec.text_model import (
    CHAR_END,
    CHAR_OTHER,
    ORDER,
    TOTAL,
    TextModel,
    exact_sum,
    load_model,
)
from scmc_comm.codec.text_tokens import END, ESCAPE, Joiner, tokenize
from scmc_comm.errors import ScmcError
from scmc_comm.models import ZOO, model_path

MAX_CHARS = 10_000
# A character costs at most five symbols of 24 bits (glue, escape, other, end, class) and 28 bits.
MAX_BYTES = 20 * MAX_CHARS
_WORD_BYTES = 4

# Whether a layout follows: none, 5 x 5, another size.
_LAYOUT_KIND = np.array([TOTAL // 16, TOTAL // 16 * 14, TOTAL // 16], np.int64)
# Code points by the number of bits that are sent: ASCII, two-, three- and four-byte UTF-8.
_CODE_CLASSES = ((7, 0x80), (11, 0x800), (16, 0x10000), (21, 0x110000))


def text_model_path() -> Path:
    """The model file that ``TextCoder.load`` takes unless told: shipped, or in SCMC_MODELS."""
    return model_path("text_model.npz", ZOO)


@cache
def _even(num: int) -> np.ndarray:
    return exact_sum(np.full(num, TOTAL // num, np.int64))


def _categorical(freq: np.ndarray) -> Any:
    """Make constriction's model of exactly these integer frequencies.

    Its fast constructor gives every symbol one unit of the 2^24 and shares out the rest by a
    scale of (2^24 - n) / sum; with frequencies less one as weights that scale is exactly 1.
    """
    import constriction

    return constriction.stream.model.Categorical((freq - 1).astype(np.float64), perfect=False)


class _Writer:
    """Collects symbols and their models; ``finish`` makes the bytes."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, Any]] = []

    def put(self, symbol: int, freq: np.ndarray) -> int:
        self._steps.append((symbol, _categorical(freq)))
        return symbol

    def finish(self) -> bytes:
        import constriction

        coder = constriction.stream.queue.RangeEncoder()
        for symbol, model in self._steps:
            coder.encode(symbol, model)
        full = coder.get_compressed().astype(">u4").tobytes()
        for size in range(max(1, len(full) - 2 * _WORD_BYTES), len(full)):
            head = int.from_bytes(full[:size], "big")
            for value in (head, head + 1):
                if value >> (8 * size) == 0:
                    short = value.to_bytes(size, "big")
                    if self._decodes(short):
                        return short
        return full or b"\0"

    def _decodes(self, data: bytes) -> bool:
        reader = _Reader(data)
        try:
            return all(reader.get_model(model) == symbol for symbol, model in self._steps)
        except ScmcError:
            return False


class _Reader:
    """Reads symbols back; past the end of the bytes follow zeros."""

    def __init__(self, data: bytes) -> None:
        import constriction

        padded = data + bytes(-len(data) % _WORD_BYTES + 2 * _WORD_BYTES)
        words = np.frombuffer(padded, ">u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def get_model(self, model: Any) -> int:
        try:
            return int(self._coder.decode(model))
        except (AssertionError, ValueError) as e:
            raise ScmcError(f"caption bytes are damaged ({e}); ask for them again") from None

    def put(self, symbol: int, freq: np.ndarray) -> int:
        """The symbol that was put here; the argument is not known yet and ignored."""
        return self.get_model(_categorical(freq))


class TextCoder:
    """Codes text to bytes and back, exactly.

    Args:
        model: The probability tables.

    Example:
        >>> coder = TextCoder.load()
        >>> coder.decode(coder.encode("a red rose. Zürich!"))
        'a red rose. Zürich!'
    """

    def __init__(self, model: TextModel) -> None:
        self.model = model

    @classmethod
    def load(cls, path: str | Path | None = None) -> TextCoder:
        """Load the shipped model, that of ``$SCMC_MODELS``, or the model file at ``path``."""
        return cls(load_model(Path(path) if path else text_model_path()))

    def encode(self, text: str) -> bytes:
        """Code a text; at least one byte.

        Raises:
            ScmcError: The text is longer than 10,000 characters.
        """
        if len(text) > MAX_CHARS:
            raise ScmcError(f"text has {len(text)} characters; at most {MAX_CHARS} can be sent")
        content, grid = _split(text)
        writer = _Writer()
        size = (5, 5)
        if grid is not None:
            size = (len(grid), len(grid[0]))
        kind = 0 if grid is None else 1 if size == (5, 5) else 2
        writer.put(kind, _LAYOUT_KIND)
        tokens = self._write_content(writer, content)
        if kind == 2:
            for side in size:
                writer.put(side - 1, _even(8))
        if grid is not None:
            self._code_layout(writer, grid, size, tokens)
        return writer.finish()

    def decode(self, data: bytes) -> str:
        """Decode bytes of ``encode``. Other bytes give some text or an error.

        Raises:
            ScmcError: The bytes are empty, too many, or decode to an endless text.
        """
        if not 0 < len(data) <= MAX_BYTES:
            raise ScmcError(f"caption payload has {len(data)} bytes; expected 1 to {MAX_BYTES}")
        reader = _Reader(bytes(data))
        kind = reader.put(0, _LAYOUT_KIND)
        content, tokens = self._read_content(reader)
        if not kind:
            return content
        size = (5, 5)
        if kind == 2:
            size = (reader.put(0, _even(8)) + 1, reader.put(0, _even(8)) + 1)
        grid = self._code_layout(reader, None, size, tokens)
        sentence = layout.layout_from_indices(torch.tensor(grid))
        return f"{content} {sentence}" if content else sentence

    def _write_content(self, writer: _Writer, content: str) -> list[int]:
        history: list[int] = []
        for token in tokenize(content, self.model.ids):
            if isinstance(token, str):
                self._write_word(writer, token)
            else:
                freq = self.model.word_frequencies(history[1 - ORDER :])
                history.append(writer.put(token, freq))
        return history

    def _read_content(self, reader: _Reader) -> tuple[str, list[int]]:
        history: list[int] = []
        joiner = Joiner(self.model.words)
        while True:
            token = reader.put(0, self.model.word_frequencies(history[1 - ORDER :]))
            history.append(token)
            if token == END:
                return joiner.text(), history
            if token == ESCAPE:
                joiner.add_word(self._read_word(reader))
            else:
                joiner.add(token)
            if max(joiner.length, len(history) // 3) > MAX_CHARS:
                raise ScmcError("caption bytes are damaged: they decode to an endless text")

    def _write_word(self, writer: _Writer, word: str) -> None:
        before = CHAR_END
        for char in word:
            code = ord(char)
            symbol = code - 32 if 32 <= code < 127 else CHAR_OTHER
            writer.put(symbol, self.model.char_frequencies(before))
            if symbol == CHAR_OTHER:
                which = next(i for i, (_, top) in enumerate(_CODE_CLASSES) if code < top)
                writer.put(which, _even(len(_CODE_CLASSES)))
                for shift in range(0, _CODE_CLASSES[which][0], 7):
                    writer.put(code >> shift & 127, _even(128))
            before = symbol
        writer.put(CHAR_END, self.model.char_frequencies(before))

    def _read_word(self, reader: _Reader) -> str:
        before = CHAR_END
        chars: list[str] = []
        while True:
            symbol = reader.put(0, self.model.char_frequencies(before))
            if symbol == CHAR_END:
                return "".join(chars)
            if symbol == CHAR_OTHER:
                bits = _CODE_CLASSES[reader.put(0, _even(len(_CODE_CLASSES)))][0]
                code = sum(reader.put(0, _even(128)) << s for s in range(0, bits, 7))
                if code > 0x10FFFF:
                    raise ScmcError(f"caption bytes are damaged: code point {code} is no character")
                chars.append(chr(code))
            else:
                chars.append(chr(symbol + 32))
            if len(chars) > MAX_CHARS:
                raise ScmcError("caption bytes are damaged: they decode to an endless word")
            before = symbol

    def _code_layout(
        self,
        coder: _Writer | _Reader,
        known: list[list[int]] | None,
        size: tuple[int, int],
        tokens: list[int],
    ) -> list[list[int]]:
        """Write the cells of ``known``, or read them if it is None; both walk the same way."""
        topic = self.model.topic(tokens)
        grid: list[list[int]] = []
        for r in range(size[0]):
            grid.append([])
            for c in range(size[1]):
                freq = self.model.layout_frequencies(grid, size, topic)
                grid[-1].append(coder.put(known[r][c] if known else 0, freq))
        return grid


def _split(text: str) -> tuple[str, list[list[int]] | None]:
    """Content and layout cells, if text is exactly content, a space and a canonical layout."""
    start = text.rfind(layout.LAYOUT_START)
    if start < 0:
        return text, None
    content = text[: max(0, start - 1)]
    try:
        idx = layout.parse_indices(text[start:])
    except ScmcError:
        return text, None
    if idx is None:
        return text, None
    sentence = layout.layout_from_indices(idx)
    if text != (f"{content} {sentence}" if content else sentence):
        return text, None
    return content, idx.tolist()
