"""How many different values there were, of rows that are never together.

Up to 256 of them by their hashes, then a HyperLogLog of 2,048 registers (Flajolet et al. 2007): its standard error
is 2.3 % whatever the count. The same value twice changes nothing, so counts of overlapping parts merge. A hash depends
on nothing but the value: a profile of last year merges with today's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import inf, log
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

EXACT = 256
MANY = 4 * EXACT  # a look at so many usually says that there are more
INDEX_BITS = 11
REGISTERS = 1 << INDEX_BITS
RANK_BITS = 64 - INDEX_BITS
STEP = 16_384  # values hashed at a time: what is made on the way stays in the processor's cache
LONGEST = 400  # bytes of a text
DIGITS = 16  # of a hash
ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"  # a register is a character

Hashes = npt.NDArray[np.uint64]
Ranks = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Distinct:
    """A set of values, as far as its size is asked for.

    Distinct(hashes=(17, 2**63))       two values
    Distinct(ranks=bytes(2048))        many; the largest rank of a hash in every register
    """

    hashes: tuple[int, ...] = ()
    ranks: bytes = b""

    @classmethod
    def of(cls, hashes: Hashes) -> "Distinct":
        """Of hashed values, each as often as it likes."""
        few = len(np.unique(hashes[:MANY])) <= EXACT
        some = np.unique(hashes) if few else hashes
        return cls(tuple(some.tolist())) if few and len(some) <= EXACT else cls(ranks=_ranks(some).tobytes())

    @property
    def count(self) -> int:
        """How many values: exact up to 256, else an estimate."""
        return len(self.hashes) if not self.ranks else round(_estimate(np.frombuffer(self.ranks, dtype=np.uint8)))

    def merge(self, other: "Distinct") -> "Distinct":
        """Of both together."""
        if not self.ranks and not other.ranks:
            return Distinct.of(np.asarray(self.hashes + other.hashes, dtype=np.uint64))
        return Distinct(ranks=np.maximum(self._registers(), other._registers()).tobytes())

    def to_json(self) -> dict[str, str]:
        """Hashes as 16 hexadecimal digits each, registers as a character each."""
        if self.ranks:
            return {"registers": bytes(ALPHABET[rank] for rank in self.ranks).decode()}
        return {"hashes": "".join(f"{value:0{DIGITS}x}" for value in self.hashes)}

    @classmethod
    def from_json(cls, value: Any) -> "Distinct":
        """What `to_json` wrote."""
        if "registers" in value:
            return cls(ranks=bytes(ALPHABET.index(character) for character in value["registers"].encode()))
        digits = value["hashes"]
        return cls(tuple(int(digits[at : at + DIGITS], 16) for at in range(0, len(digits), DIGITS)))

    def _registers(self) -> Ranks:
        if self.ranks:
            return np.frombuffer(self.ranks, dtype=np.uint8)
        return _ranks(np.asarray(self.hashes, dtype=np.uint64))


def numbers(values: npt.NDArray[np.float64]) -> Distinct:
    """Of finite numbers; -0 is 0."""
    if not len(values):
        return Distinct()
    hashes = np.empty(len(values), dtype=np.uint64)
    for part in _parts(len(values)):
        hashes[part] = mixed((values[part] + 0.0).view(np.uint64))
    return Distinct.of(hashes)


def texts(values: pl.Series) -> Distinct:
    """Of texts without nulls, 400 bytes each at most.

    A text's hash is the sum of a random number for every byte at its place (tabulation: Zobrist 1970).
    """
    parts = [_text_hashes(values[part]) for part in _parts(len(values))]
    return Distinct.of(np.concatenate(parts)) if parts else Distinct()


def mixed(values: Hashes) -> Hashes:
    """Every bit of the result depends on every bit of the value (Steele, Lea and Flood 2014: SplitMix64)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def _text_hashes(values: pl.Series) -> Hashes:
    lengths = values.str.len_bytes().to_numpy().astype(np.intp)
    everything = np.frombuffer(values.str.join("").item().encode(), dtype=np.uint8)
    starts = np.cumsum(lengths) - lengths
    places = np.arange(len(everything)) - np.repeat(starts, lengths)
    sums, some = np.zeros(len(lengths), dtype=np.uint64), lengths > 0
    if some.any():
        sums[some] = np.add.reduceat(_table()[places, everything], starts[some])
    return mixed(sums)


@cache
def _table() -> Hashes:
    return mixed(np.arange(LONGEST * 256, dtype=np.uint64)).reshape(LONGEST, 256)


def _ranks(hashes: Hashes) -> Ranks:
    """For every register the largest rank: one more than the zeros before the first 1 of the hash's last 53 bits."""
    found = np.zeros(REGISTERS, dtype=np.uint8)
    low = np.uint64((1 << RANK_BITS) - 1)
    for part in _parts(len(hashes)):
        index = (hashes[part] >> np.uint64(RANK_BITS)).astype(np.intp)
        rest = ((hashes[part] & low) | np.uint64(1)).astype(np.float64)  # exact: 53 bits
        exponents = rest.view(np.uint64) >> np.uint64(52)
        np.maximum.at(found, index, (np.uint64(1023 + RANK_BITS) - exponents).astype(np.uint8))
    return found


def _estimate(ranks: Ranks) -> float:
    """Ertl 2017, "New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6: no bias to correct.

    Without its correction for registers at their limit, which takes 2^53 values.
    """
    counts = np.bincount(ranks, minlength=RANK_BITS + 1).tolist()
    z = 0.0
    for count in counts[RANK_BITS:0:-1]:
        z = (z + count) / 2
    z += REGISTERS * _sigma(counts[0] / REGISTERS)
    return REGISTERS * REGISTERS / (2 * log(2) * z)


def _sigma(x: float) -> float:
    if x == 1:
        return inf
    before, z, y = -1.0, x, 1.0
    while z != before:
        x, before = x * x, z
        z += x * y
        y += y
    return z


def _parts(rows: int) -> Iterator[slice]:
    return (slice(start, start + STEP) for start in range(0, rows, STEP))
