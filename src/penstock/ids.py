"""Identifiers that sort by time: UUID version 7 (RFC 9562, section 5.7)."""

import os
import time
from datetime import UTC, datetime


def new_id() -> str:
    """A fresh identifier: 32 hexadecimal characters, the first 12 are the milliseconds since 1970."""
    random = bytearray(os.urandom(10))
    random[0] = 0x70 | (random[0] & 0x0F)
    random[2] = 0x80 | (random[2] & 0x3F)
    return f"{time.time_ns() // 1_000_000:012x}{random.hex()}"


def time_of(identifier: str) -> datetime:
    """When `identifier` was made, to the millisecond. ValueError if it is not one of ours."""
    if len(identifier) != 32 or identifier[12] != "7":
        raise ValueError(f"not an identifier: {identifier!r}")
    return datetime.fromtimestamp(int(identifier[:12], 16) / 1000, tz=UTC)
