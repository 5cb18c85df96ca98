"""The audit trail: who decided what, chained by digest and signed.

Each entry's digest covers its fields and the digest before it, so that an entry that is changed, removed
or slipped in breaks the chain; the signature says which key wrote it. What a chain cannot show is a
missing end: each writer therefore keeps, beside its key, the last entry that it wrote.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from penstock.digest import canonical_json, digest_bytes, digest_value
from penstock.errors import Damaged
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

    def public(self) -> str | None:
        """The public key; None when there is no key, yet or any more."""
        return load_signer(self.key).public if self.key.exists() else None


class End(NamedTuple):
    """The last entry that was written with a key, as it is remembered beside it."""

    seq: int
    digest: str


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
    return draft._replace(digest=digest, signature=signer.sign(digest.encode()))


def remember(entry: AuditEntry, signing: Signing) -> None:
    """Keep what the chain's end was, unless a later one is kept already; what is damaged is written anew.

    The entry is committed: that a file cannot be written must not look as if it was not.
    """
    with suppress(OSError), _alone(signing.key):
        known = None
        with suppress(Damaged):
            known = remembered(signing.memory)
        if known is None or known.seq < entry.seq:
            _replace(signing.memory, canonical_json(End(entry.seq, entry.digest)._asdict()))


@contextmanager
def _alone(key: Path) -> Iterator[None]:
    """Two writers that look and then replace would leave the earlier end; the key is a file that both have."""
    with key.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.{new_id()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def digest_of(entry: AuditEntry) -> str:
    """What an entry's digest must be: over all its fields but the digest and the signature."""
    facts = entry._asdict()
    covered = {name: value for name, value in facts.items() if name not in ("digest", "signature")}
    return digest_value({**covered, "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds")})


def remembered(memory: Path) -> End | None:
    """The last entry that was written with this key; None when there was none. Raises Damaged."""
    try:
        known = json.loads(memory.read_bytes())
        return End(int(known["seq"]), str(known["digest"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        hint = f"restore it from a backup, or rm {memory}: the next decision writes it anew"
        raise Damaged("what remembers the end of the audit trail is damaged", where=str(memory), hint=hint) from error
