"""Frames: records in an append-only file, of which every whole one can be read after a crash.

    4 bytes   marker
    u32       length of the payload
    u32       CRC-32 of length and payload
    payload

The marker lets a reader find the next frame behind a damaged one.
"""

import struct
import zlib
from typing import NamedTuple

_MARKER = b"\xf5pl1"
_HEAD = struct.Struct("<4sII")


class Scan(NamedTuple):
    """What a stretch of a file holds.

    A frame that is only half there (being written, or torn by a crash) is left out and `end` stays before it.
    """

    payloads: list[memoryview]
    damaged: list[tuple[int, int]]  # (begin, end) of places where bytes changed; the frames around them are intact
    end: int  # where the last whole frame ends: a reader goes on here


def frame(payload: bytes) -> bytes:
    """A payload as it lies in a file."""
    length = len(payload)
    return _HEAD.pack(_MARKER, length, _checksum(length, payload)) + payload


def scan(data: bytes) -> Scan:
    """The payloads of all whole frames."""
    view = memoryview(data)
    payloads: list[memoryview] = []
    damaged: list[tuple[int, int]] = []
    position = 0
    while position < len(data):
        payload = _frame_at(view, position)
        if payload is None:
            found = _next_frame(data, view, position + 1)
            if found is None:
                # A complete frame that fails its checksum was written whole: bytes changed since.
                if not _complete(view, position):
                    break
                found = len(data)
            damaged.append((position, found))
            position = found
            continue
        payloads.append(payload)
        position += _HEAD.size + len(payload)
    return Scan(payloads, damaged, position)


def _checksum(length: int, payload: bytes | memoryview) -> int:
    return zlib.crc32(payload, length & 0xFFFFFFFF)


def _frame_at(view: memoryview, position: int) -> memoryview | None:
    if len(view) - position < _HEAD.size:
        return None
    marker, length, checksum = _HEAD.unpack_from(view, position)
    payload = view[position + _HEAD.size : position + _HEAD.size + length]
    if marker != _MARKER or len(payload) != length or _checksum(length, payload) != checksum:
        return None
    return payload


def _complete(view: memoryview, position: int) -> bool:
    """Whether the bytes from `position` on can hold the frame whose head stands there."""
    if len(view) - position < _HEAD.size:
        return False
    marker, length, _ = _HEAD.unpack_from(view, position)
    return bool(marker != _MARKER or len(view) - position - _HEAD.size >= length)


def _next_frame(data: bytes, view: memoryview, position: int) -> int | None:
    while (position := data.find(_MARKER, position)) >= 0:
        if _frame_at(view, position) is not None:
            return position
        position += 1
    return None
