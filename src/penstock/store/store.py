"""The store of one project."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.digest import canonical_json
from penstock.errors import Damaged, UsageError
from penstock.store.blobs import Blobs, Draft
from penstock.store.manifest import Manifest, Part, Table

if TYPE_CHECKING:
    import polars as pl

    from penstock.store.collect import Swept
    from penstock.store.tables import Frames
    from penstock.store.verify import Damage

DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Store:
    """Blobs and tables under one directory. Safe for any number of processes and threads at once."""

    blobs: Blobs

    @classmethod
    def open(cls, root: Path) -> "Store":
        """The store at `root`; its directories are made when something is first put."""
        return cls(Blobs(Path(root)))

    def put_bytes(self, data: bytes) -> str:
        """Keep bytes; returns their digest."""
        return self.blobs.put(data)

    def put_file(self, path: Path) -> str:
        """Keep a copy of a file; returns its digest."""
        return self.blobs.put_file(path)

    def put_json(self, value: Any) -> str:
        """Keep a JSON value as its canonical text, so that equal values are one blob."""
        return self.blobs.put(canonical_json(value))

    def has(self, digest: str) -> bool:
        """Whether the blob is here."""
        return self.blobs.has(digest)

    def path(self, digest: str) -> Path:
        """A read-only file with the blob's bytes, verified on first use. Raises Damaged."""
        return self.blobs.path(digest)

    def read_bytes(self, digest: str) -> bytes:
        """The blob's bytes, verified. Raises Damaged."""
        return self.blobs.read(digest)

    def read_json(self, digest: str) -> Any:
        """The value of a JSON blob, verified. Raises Damaged."""
        data = self.blobs.read(digest)
        try:
            return json.loads(data)
        except ValueError as error:
            raise Damaged(f"blob {digest} is not JSON", where=str(self.blobs.location(digest))) from error

    def write_table(self, frames: "Frames", *, rows_per_part: int = 1_000_000) -> Table:
        """Write rows as Parquet parts of `rows_per_part` rows; all of them become visible together, at the end.

        The same rows give the same parts, however many frames they came in. One part's rows are in memory
        at a time.
        """
        from penstock.store import tables

        if rows_per_part < 1:
            raise UsageError(f"rows_per_part is {rows_per_part}", expected="1 or more")
        schema, arriving = tables.opened(frames)
        drafts: list[Draft] = []
        parts: list[Part] = []
        try:
            for frame in tables.cut(arriving, rows_per_part):
                data = tables.to_parquet(frame)
                kept = self.blobs.draft(data)
                drafts += [kept] if isinstance(kept, Draft) else []
                digest = kept.digest if isinstance(kept, Draft) else kept
                parts.append(Part(digest, frame.height, len(data), tables.statistics(frame)))
            self.blobs.publish(drafts)
        finally:
            self.blobs.discard(drafts)
        return Table(schema, tuple(parts))

    def commit(self, manifest: Manifest) -> str:
        """Keep a manifest; its digest is the version's id. Damaged when one of its parts or packs is not here."""
        for digest, place in manifest.blobs():
            if not self.blobs.renew(digest):
                raise Damaged(f"{place} is not in the store: blob {digest}")
        return self.put_json(manifest.as_json())

    def manifest(self, commit: str) -> Manifest:
        """The version's manifest, verified. Raises Damaged."""
        return Manifest.from_json(self.read_json(commit), commit=commit)

    def scan(self, commit: str) -> "pl.LazyFrame":
        """The version's rows, in order; every part is verified before this returns. Raises Damaged naming the part."""
        return self._rows(self.manifest(commit), commit)

    def rows(self, table: Table) -> "pl.LazyFrame":
        """The rows of a table that no version names (yet), or of some parts of one, in order and verified."""
        return self._rows(Manifest(table.schema, table.parts), "")

    def write_packs(self, files: Iterable[tuple[str, bytes]]) -> tuple[str, ...]:
        """Keep files, given as (digest, content), each digest once; the packs that hold them."""
        from penstock.store import packs

        return packs.write(self.blobs, files)

    def scan_packs(self, digests: Iterable[str]) -> "pl.LazyFrame":
        """`digest`, `content` of every file in some packs, which are verified before this returns. Raises Damaged."""
        from penstock.store import packs

        return packs.scan([self.blobs.path(digest) for digest in digests])

    def verify(self, digests: Iterable[str] | None = None, *, expected: Iterable[str] = ()) -> "list[Damage]":
        """Read blobs (None: all that are there) and the parts of those that are versions; what is damaged or missing,
        named. `expected` are blobs that must be there too.
        """
        from penstock.store import verify

        return verify.damages(self.blobs, digests, expected)

    def collect_garbage(self, roots: Iterable[str], *, grace: timedelta = DAY) -> "Swept":
        """Remove blobs that cannot be reached from `roots` (through JSON blobs and manifests) and were neither
        written nor put again within `grace`, which must be longer than the longest write.
        """
        from penstock.store import collect

        return collect.sweep(self.blobs, collect.mark(self.blobs, roots), grace)

    def _rows(self, manifest: Manifest, commit: str) -> "pl.LazyFrame":
        from penstock.store import tables

        paths = [self._part(manifest, commit, number) for number in range(len(manifest.parts))]
        return tables.scan(paths, manifest.schema)

    def _part(self, manifest: Manifest, commit: str, number: int) -> Path:
        try:
            return self.blobs.path(manifest.parts[number].digest)
        except Damaged as damaged:
            place = manifest.place(number, commit)
            raise Damaged(f"{place}: {damaged.what}", where=damaged.where, hint=damaged.hint) from damaged
