"""Freed memory is kept where the C library can."""

from __future__ import annotations

import platform

import pytest

from penstock.runtime.freed_memory import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has this to set")
def test_freed_memory_is_kept() -> None:
    assert keep_freed_memory()
