"""Digests: the name of everything that does not change.

A digest is the BLAKE3 hash of bytes, 64 hexadecimal characters. A value is hashed through its
canonical JSON, so the same value has the same digest in every process and on every machine.
"""

import json
import sys
from pathlib import Path
from typing import Any

CHUNK = 1 << 20


def canonical_json(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8.

    Raises ValueError for NaN or infinity and TypeError for what JSON cannot hold.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest_bytes(data: bytes | memoryview) -> str:
    """Digest of bytes."""
    from blake3 import blake3

    return blake3(data).hexdigest()


def digest_value(value: Any) -> str:
    """Digest of a JSON value; key order does not matter."""
    return digest_bytes(canonical_json(value))


def digest_file(path: Path, *, first: int | None = None) -> str:
    """Digest of a file's bytes (or its first so many), read in pieces."""
    from blake3 import blake3

    hasher = blake3()
    left = sys.maxsize if first is None else first
    with path.open("rb") as file:
        while chunk := file.read(min(CHUNK, left)):
            hasher.update(chunk)
            left -= len(chunk)
    return hasher.hexdigest()


def short(digest: str) -> str:
    """The first 12 characters, for people."""
    return digest[:12]
