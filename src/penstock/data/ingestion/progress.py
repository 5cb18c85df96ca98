"""How far an ingest is: rows, and bytes of its files where their size is known."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.data.sources.inputs import LINES, PACKED, Input

SAMPLE = 1 << 16  # bytes of a text file that tell how long its lines are


@dataclass(frozen=True)
class Progress:
    """How far an ingest is. Within a file the bytes are an estimate from its rows; at its end they are exact."""

    dataset: str
    input: str
    position: int  # of the input, from 1
    inputs: int
    rows: int  # read so far, of all inputs
    bytes: int = 0  # read so far, of all inputs
    total: int | None = None  # bytes of all inputs; None when one of them has no size


class Meter:
    """Counts what is read, and tells it."""

    def __init__(
        self,
        dataset: str,
        inputs: Sequence[Input],
        tell: Callable[[Progress], None] | None,
        *,
        done: Sequence[Input] = (),
    ) -> None:
        self._dataset = dataset
        self._inputs = inputs
        self._tell = tell
        self._total = sum(one.size for one in inputs) if not any(one.is_asked for one in inputs) else None
        self._position = len(done)
        self._rows = 0
        self._bytes = sum(one.size for one in done)

    @contextmanager
    def reading(self, one: Input) -> Iterator[Callable[[int], None]]:
        """The next input; gives what is to be called with the rows that were read more."""
        self._position += 1
        row_bytes = _row_bytes(one) if self._tell else 0.0
        here = 0

        def add(rows: int) -> None:
            nonlocal here
            here += rows
            self._rows += rows
            self._say(one, min(one.size, int(here * row_bytes)))

        self._say(one, 0)
        yield add
        self._bytes += one.size

    def _say(self, one: Input, here: int) -> None:
        if self._tell:
            place = (self._dataset, one.name, self._position, len(self._inputs))
            self._tell(Progress(*place, self._rows, self._bytes + here, self._total))


def _row_bytes(one: Input) -> float:
    """Bytes of a file per row, about; 0 where nobody knows without reading it."""
    if one.path is None or one.path.is_dir() or one.path.suffix == PACKED:
        return 0.0
    if one.format == "parquet":
        return one.size / max(1, _parquet_rows(one.path))
    return _line_bytes(one.path) if one.format in LINES else 0.0


def _line_bytes(path: Path) -> float:
    with path.open("rb") as file:
        sample = file.read(SAMPLE)
    return len(sample) / max(1, sample.count(b"\n"))


def _parquet_rows(path: Path) -> int:
    import polars as pl

    return int(pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.len()).collect().item())
