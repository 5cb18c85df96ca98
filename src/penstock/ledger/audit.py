"""The audit trail: who decided what, chained by digest and signed.

Each entry's digest covers its fields and the digest before it, so that an entry that is changed, removed
or slipped in breaks the chain; the signature says which key wrote it. What a chain cannot show is a
missing end: each writer therefore keeps, beside its key, the last entry that it wrote.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.digest import canonical_json, digest_bytes, digest_value
from penstock.errors import UsageError
from penstock.ids import new_id
from penstock.ledger.records import AuditEntry
from penstock.ledger.values import clean
from penstock.signing import load_signer, verify

if TYPE_CHECKING:
    from penstock.ledger.ledger import Reader

GENESIS = "0" * 64  # what stands before the first entry


@dataclass(frozen=True)
class Signing:
    """How a ledger's entries are signed: the key, and the file beside it that remembers the last entry."""

    key: Path
    memory: Path

    @classmethod
    def of(cls, key: Path, ledger: str) -> "Signing":
        """`ledger` tells apart the ledgers that one key signs."""
        return cls(key, key.with_name(f"{key.name}.{digest_bytes(ledger.encode())[:12]}.audit"))


@dataclass(frozen=True)
class Break:
    """An entry that is not as it was written. `seq` is where it is, or where it should be."""

    seq: int
    why: str


@dataclass(frozen=True)
class AuditCheck:
    """What the verification of the whole trail found."""

    entries: int
    broken: tuple[Break, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is broken."""
        return not self.broken


def next_entry(
    reader: "Reader", action: str, subject: str, *, actor: str, reason: str, payload: Mapping[str, Any]
) -> AuditEntry:
    """The entry that follows the chain's last one, signed."""
    if reader.signing is None:
        raise UsageError("the ledger was opened without a signing key", expected="Ledger.open(url, signing_key=FILE)")
    signer = load_signer(reader.signing.key)
    last = _last(reader)
    draft = AuditEntry(
        seq=last.seq + 1 if last else 1,
        at=reader.now(),
        actor=clean(actor),
        action=clean(action),
        subject=clean(subject),
        reason=clean(reason),
        payload=json.loads(canonical_json(payload)),
        previous=last.digest if last else GENESIS,
        digest="",
        public_key=signer.public,
        signature="",
    )
    digest = digest_of(draft)
    return replace(draft, digest=digest, signature=signer.sign(digest.encode()))


def verify_audit(reader: "Reader", *, trusted: Sequence[str] = ()) -> AuditCheck:
    """Check every entry, the chain between them, and that its known end is there.

    `trusted` are the public keys that may sign; none given means that any may. An end that was cut
    off is noticed where one of the keys that wrote is kept.
    """
    entries = reader.find(AuditEntry, order_by="seq")
    broken = [*_broken_links(entries), *_broken_entries(entries, trusted), *_missing_end(entries, reader.signing)]
    return AuditCheck(len(entries), tuple(sorted(broken, key=lambda found: found.seq)))


def remember(entry: AuditEntry, memory: Path) -> None:
    """Keep what the chain's end was, unless a later one is kept already."""
    known = _remembered(memory)
    if known and known["seq"] >= entry.seq:
        return
    draft = memory.with_name(f"{memory.name}.{new_id()}.tmp")
    with draft.open("wb") as file:
        file.write(canonical_json({"seq": entry.seq, "digest": entry.digest}))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(memory)


def digest_of(entry: AuditEntry) -> str:
    """What an entry's digest must be: over all its fields but the digest and the signature."""
    facts = asdict(entry)
    covered = {name: value for name, value in facts.items() if name not in ("digest", "signature")}
    return digest_value({**covered, "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds")})


def _last(reader: "Reader") -> AuditEntry | None:
    found = reader.find(AuditEntry, order_by="-seq", limit=1)
    return found[0] if found else None


def _broken_links(entries: Sequence[AuditEntry]) -> Iterator[Break]:
    expected, previous = 1, GENESIS
    for entry in entries:
        if entry.seq != expected:
            missing = f"{expected}" if entry.seq == expected + 1 else f"{expected} to {entry.seq - 1}"
            yield Break(expected, f"entry {missing} is missing")
        elif entry.previous != previous:
            yield Break(entry.seq, "does not follow from the entry before it")
        expected, previous = entry.seq + 1, entry.digest


def _broken_entries(entries: Sequence[AuditEntry], trusted: Sequence[str]) -> Iterator[Break]:
    for entry in entries:
        if digest_of(entry) != entry.digest:
            yield Break(entry.seq, "was changed after it was signed")
        elif trusted and entry.public_key not in trusted:
            yield Break(entry.seq, f"signed by a key that is not trusted: {entry.public_key}")
        elif not verify(entry.public_key, entry.digest.encode(), entry.signature):
            yield Break(entry.seq, "the signature does not fit")


def _missing_end(entries: Sequence[AuditEntry], signing: Signing | None) -> Iterator[Break]:
    known = _remembered(signing.memory) if signing else None
    if known is None:
        return
    at_end = [entry for entry in entries if entry.seq == known["seq"]]
    if not at_end:
        yield Break(known["seq"], "the end of the trail was cut off: this entry was written here and is gone")
    elif at_end[0].digest != known["digest"]:
        yield Break(known["seq"], "is another entry than the one that was written here")


def _remembered(memory: Path) -> dict[str, Any] | None:
    try:
        known: dict[str, Any] = json.loads(memory.read_bytes())
    except FileNotFoundError:
        return None
    return known
