"""Which partition a key belongs to, as the producers of the common Kafka clients compute it.

`murmur2` is the Java client's default (librdkafka: `murmur2`, `murmur2_random`); `crc32` is librdkafka's default
(`consistent`, `consistent_random`) and `fnv1a` its third (`fnv1a`, `fnv1a_random`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal
from zlib import crc32

Partitioner = Literal["murmur2", "crc32", "fnv1a", "any"]

# An entry takes about 150 bytes, so as many are some 10 MB; customers come back often enough to be found.
KNOWN_KEYS = 65_536

_WORD = 0xFFFFFFFF
_MURMUR2_MULTIPLIER = 0x5BD1E995  # of MurmurHash 2 by Austin Appleby
_MURMUR2_SEED = 0x9747B28C  # the seed Kafka chose
_FNV_PRIME = 0x01000193  # the 32-bit parameters of FNV, draft-eastlake-fnv
_FNV_BASIS = 0x811C9DC5


def murmur2(key: bytes) -> int:
    """Return the 32-bit MurmurHash 2 of *key* with Kafka's seed, unsigned."""
    length = len(key)
    whole = length & ~3
    m = _MURMUR2_MULTIPLIER
    h = _MURMUR2_SEED ^ length
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & _WORD
        h = (h * m ^ (k ^ k >> 24) * m) & _WORD
    if whole < length:
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & _WORD
    h = (h ^ h >> 13) * m & _WORD
    return h ^ h >> 15


def fnv1a(key: bytes) -> int:
    """Return the 32-bit FNV-1a hash of *key*, unsigned."""
    h = _FNV_BASIS
    for byte in key:
        h = (h ^ byte) * _FNV_PRIME & _WORD
    return h


def _murmur2_slot(key: bytes) -> int:
    # Kafka's toPositive drops the sign bit.
    return murmur2(key) & 0x7FFFFFFF


def _fnv1a_slot(key: bytes) -> int:
    # librdkafka keeps the hash in a signed integer and negates a negative one.
    h = fnv1a(key)
    return h if h < 1 << 31 else (1 << 32) - h


_SLOTS: dict[str, Callable[[bytes], int]] = {"murmur2": _murmur2_slot, "crc32": crc32, "fnv1a": _fnv1a_slot}


def partition_for(key: bytes, partitions: int, partitioner: Partitioner) -> int:
    """Return the partition, 0 to *partitions* - 1, that *key* belongs to; "any" is the caller's to skip.

    Raises ValueError for "any", which says that a record belongs wherever it is.
    """
    try:
        slot = _SLOTS[partitioner]
    except KeyError:
        raise ValueError(f'no partitioner computes a place for "{partitioner}"') from None
    return slot(key) % partitions


class Places(dict[str, int]):
    """The partition of each key, worked out once for those that come back."""

    def __init__(self, partitions: int, partitioner: Partitioner) -> None:
        super().__init__()
        self._partitions = partitions
        self._partitioner = partitioner

    def __missing__(self, key: str) -> int:
        if len(self) >= KNOWN_KEYS:
            self.clear()
        place = self[key] = partition_for(key.encode(), self._partitions, self._partitioner)
        return place
