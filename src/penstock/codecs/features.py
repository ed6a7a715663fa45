"""Features of interest that payloads name by a text."""

from __future__ import annotations

import hashlib


def feature_of(name: str) -> int:
    """Return the feature of interest that a name stands for, 1 to 2^63 - 1.

    The first 8 bytes of its BLAKE2b-64 hash, big-endian, without the sign bit; 0 becomes 1.
    """
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") & 0x7FFF_FFFF_FFFF_FFFF) or 1
