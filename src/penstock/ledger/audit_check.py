"""Whether the audit trail is as it was written."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from penstock.ledger.audit import GENESIS, End, digest_of, remembered
from penstock.ledger.ledger import Reader
from penstock.ledger.records import AuditEntry
from penstock.signing import verify


@dataclass(frozen=True)
class Break:
    """An entry that is not as it was written. `seq` is where it is, or where it should be."""

    seq: int
    why: str


@dataclass(frozen=True)
class AuditCheck:
    """What the verification of the whole trail found.

    signers   public key -> how many entries name it as theirs
    own       the public key that the ledger was opened with; None without one
    """

    entries: int
    broken: tuple[Break, ...]
    signers: Mapping[str, int]
    own: str | None

    @property
    def whole(self) -> bool:
        """Whether nothing is broken."""
        return not self.broken


def verify_audit(reader: Reader, *, trusted: Sequence[str] | None = None) -> AuditCheck:
    """Check every entry, the chain between them, and that its known end is there.

    `trusted` are the public keys that may sign beside the one that the ledger was opened with; None means
    that any may. An end that was cut off is noticed where one of the keys that wrote is kept.
    """
    end = remembered(reader.signing.memory) if reader.signing else None  # first: others may write meanwhile
    entries = reader.find(AuditEntry, order_by="seq")
    own = reader.signing.public() if reader.signing else None
    allowed = None if trusted is None else {own, *trusted}
    broken = [*_broken_links(entries), *_broken_entries(entries, allowed), *_missing_end(entries, end)]
    signers = dict(Counter(entry.public_key for entry in entries))
    return AuditCheck(len(entries), tuple(sorted(broken, key=lambda found: found.seq)), signers, own)


def _broken_links(entries: Sequence[AuditEntry]) -> Iterator[Break]:
    expected, previous = 1, GENESIS
    for entry in entries:
        if entry.seq != expected:
            missing = f"{expected}" if entry.seq == expected + 1 else f"{expected} to {entry.seq - 1}"
            yield Break(expected, f"entry {missing} is missing")
        elif entry.previous != previous:
            yield Break(entry.seq, "does not follow from the entry before it")
        expected, previous = entry.seq + 1, entry.digest


def _broken_entries(entries: Sequence[AuditEntry], allowed: Collection[str | None] | None) -> Iterator[Break]:
    for entry in entries:
        if digest_of(entry) != entry.digest:
            yield Break(entry.seq, "was changed after it was signed")
        elif allowed is not None and entry.public_key not in allowed:
            yield Break(entry.seq, f"signed by a key that is not trusted: {entry.public_key}")
        elif not verify(entry.public_key, entry.digest.encode(), entry.signature):
            yield Break(entry.seq, "the signature does not fit")


def _missing_end(entries: Sequence[AuditEntry], known: End | None) -> Iterator[Break]:
    if known is None:
        return
    at_end = [entry for entry in entries if entry.seq == known.seq]
    if not at_end:
        yield Break(known.seq, "the end of the trail was cut off: this entry was written here and is gone")
    elif at_end[0].digest != known.digest:
        yield Break(known.seq, "is another entry than the one that was written here")
