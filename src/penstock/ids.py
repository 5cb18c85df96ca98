"""Identifiers that sort by time: UUID version 7 (RFC 9562, section 5.7)."""

import os
import time
from datetime import UTC, datetime

_RANDOM = 10  # bytes of an identifier that are not its time


def new_id() -> str:
    """A fresh identifier: 32 hexadecimal characters, the first 12 are the milliseconds since 1970."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """Fresh identifiers of one moment; the system is asked for randomness once for all of them."""
    random = bytearray(os.urandom(count * _RANDOM))
    random[0::_RANDOM] = bytes(0x70 | (byte & 0x0F) for byte in random[0::_RANDOM])
    random[2::_RANDOM] = bytes(0x80 | (byte & 0x3F) for byte in random[2::_RANDOM])
    moment, tails = f"{time.time_ns() // 1_000_000:012x}", random.hex()
    return [moment + tails[at : at + 2 * _RANDOM] for at in range(0, len(tails), 2 * _RANDOM)]


def time_of(identifier: str) -> datetime:
    """When `identifier` was made, to the millisecond. ValueError if it is not one of ours."""
    if len(identifier) != 32 or identifier[12] != "7":
        raise ValueError(f"not an identifier: {identifier!r}")
    return datetime.fromtimestamp(int(identifier[:12], 16) / 1000, tz=UTC)
