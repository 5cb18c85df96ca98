"""The audit trail: who decided what, chained by digest and signed.

Each entry's digest covers its fields and the digest before it, so that an entry that is changed, removed
or slipped in breaks the chain; the signature says which key wrote it. What a chain cannot show is a
missing end: each writer therefore keeps, beside its key, the last entry that it wrote.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from penstock.digest import canonical_json, digest_bytes, digest_value
from penstock.ids import new_id
from penstock.ledger.records import AuditEntry
from penstock.ledger.values import clean
from penstock.signing import load_signer

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


def next_entry(
    last: AuditEntry | None,
    signing: Signing,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    reason: str,
    payload: Mapping[str, Any],
) -> AuditEntry:
    """The entry that follows `last`, signed; the first one when there is none."""
    signer = load_signer(signing.key)
    draft = AuditEntry(
        seq=last.seq + 1 if last else 1,
        at=at,
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


def remember(entry: AuditEntry, memory: Path) -> None:
    """Keep what the chain's end was, unless a later one is kept already."""
    known = remembered(memory)
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


def remembered(memory: Path) -> dict[str, Any] | None:
    """The last entry that was written with this key: its `seq` and `digest`."""
    try:
        known: dict[str, Any] = json.loads(memory.read_bytes())
    except FileNotFoundError:
        return None
    return known
