"""What a version of a table is: a schema, parts, and where they came from. Pure values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.digest import digest_value
from penstock.errors import Damaged

FORMAT = "penstock.table/1"
Schema = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Part:
    """One Parquet blob.

    `columns` maps a column to `{"nulls": n, "min": …, "max": …}`, JSON values; a bound that is
    unknown (or not finite, or a text over 128 characters) is None. Floats also count `"nans"`.
    """

    digest: str
    rows: int
    bytes: int
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows in the store that no version names yet. `schema` is (column, dtype as Polars writes it) in order."""

    schema: Schema
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """Rows in all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def bytes(self) -> int:
        """Bytes on disk."""
        return sum(part.bytes for part in self.parts)

    @property
    def schema_digest(self) -> str:
        """Same columns? Names, order and dtypes."""
        return digest_value(self.schema)

    @property
    def content(self) -> str:
        """Same data? Equal for the same schema and the same parts, in whatever order they arrived."""
        return digest_value({"schema": self.schema_digest, "parts": sorted(part.digest for part in self.parts)})


@dataclass(frozen=True)
class Manifest(Table):
    """A version: a table with its history. Its digest is the commit (same history?).

    packs   the blobs that hold the bytes of files, where each row stands for a file
    """

    parents: tuple[str, ...] = ()
    producer: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    packs: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The JSON value whose canonical text is the commit's blob."""
        parts = [
            {"digest": part.digest, "rows": part.rows, "bytes": part.bytes, "columns": dict(part.columns)}
            for part in self.parts
        ]
        return {
            "format": FORMAT,
            "schema": [list(column) for column in self.schema],
            "parts": parts,
            "parents": list(self.parents),
            "producer": self.producer,
            "notes": dict(self.notes),
            **({"packs": list(self.packs)} if self.packs else {}),
        }

    @classmethod
    def from_json(cls, value: Any, *, commit: str) -> "Manifest":
        """The manifest in a blob; Damaged when the blob `commit` holds something else."""
        if not is_manifest(value):
            raise Damaged(f"blob {commit} is not a table's manifest", expected=f"a JSON object of format {FORMAT}")
        return cls(
            schema=tuple((name, dtype) for name, dtype in value["schema"]),
            parts=tuple(Part(**part) for part in value["parts"]),
            parents=tuple(value["parents"]),
            producer=value["producer"],
            notes=value["notes"],
            packs=tuple(value.get("packs", ())),
        )

    def place(self, number: int, commit: str = "") -> str:
        """Where a part stands, for people: `part 2 of 5 of flights (commit 1a2b…)`."""
        return self._place(f"part {number + 1} of {len(self.parts)}", commit)

    def pack_place(self, number: int, commit: str = "") -> str:
        """Where a pack stands, for people: `pack 2 of 5 of images (commit 1a2b…)`."""
        return self._place(f"pack {number + 1} of {len(self.packs)}", commit)

    def blobs(self, commit: str = "") -> Iterator[tuple[str, str]]:
        """The digest of each part and pack, and where it stands."""
        yield from ((part.digest, self.place(number, commit)) for number, part in enumerate(self.parts))
        yield from ((pack, self.pack_place(number, commit)) for number, pack in enumerate(self.packs))

    def _place(self, which: str, commit: str) -> str:
        place = f"{which} of {self.notes.get('dataset') or self.producer or 'a table'}"
        return f"{place} (commit {commit})" if commit else place


def is_manifest(value: Any) -> bool:
    """Whether a JSON value is a manifest of a format that we read."""
    return isinstance(value, dict) and value.get("format") == FORMAT
