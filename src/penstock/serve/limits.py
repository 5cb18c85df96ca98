"""What one request may ask for."""

from dataclasses import dataclass

MAX_ROWS = 10_000
MAX_BODY = 32 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Beyond these a request is refused with 413."""

    max_rows: int = MAX_ROWS
    max_body: int = MAX_BODY  # bytes
