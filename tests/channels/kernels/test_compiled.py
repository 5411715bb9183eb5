"""Compiled loops where nothing can be kept of them."""

import numba.core.caching as caching
import pytest

from channels.kernels.compiled import compiled


def test_a_loop_is_compiled_where_no_folder_can_be_written(monkeypatch):
    for locator in vars(caching).values():
        if isinstance(locator, type) and issubclass(locator, caching._CacheLocator):
            monkeypatch.setattr(locator, "from_function", classmethod(lambda cls, *_: None))

    def half(x):
        return x / 2

    from numba import njit

    with pytest.raises(RuntimeError, match="no locator"):
        njit(cache=True)(half)
    assert compiled(error_model="numpy")(half)(3.0) == 1.5
