"""What an ingest that did not end has staged: the next one goes on from there.

A record in the ledger names the parts of each input that was staged completely. It counts for the same bytes of the
input, the same settings, contract and watermark, and for as long as its parts are in the store and whole: garbage
collection may take them after its grace time. It goes when the ingest has published.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from penstock.data.ingestion.job import Job
from penstock.data.sources.inputs import Input
from penstock.digest import digest_value
from penstock.ledger import Cursor, Transaction, utc_now
from penstock.store import Part, Store, Table

if TYPE_CHECKING:
    from penstock.data.contracts.contract import Contract
    from penstock.data.ingestion.staging import Staged

_MOST = 1_000_000


def binding_of(job: Job, contract: "Contract", since: str) -> str:
    """What rows of an input depend on, beside its bytes. `since` is the version whose watermark counts, or ""."""
    columns = contract.model_dump(mode="json")
    return digest_value({"settings": dict(job.settings), "contract": columns, "since": since})


def staged_before(job: Job, inputs: Iterable[Input], binding: str) -> "dict[str, Staged]":
    """Inputs by name that need not be read again."""
    with job.ledger.read() as reader:
        found = reader.starting(Cursor, "name", _prefix(job), limit=_MOST)
    records = {one.name.removeprefix(_prefix(job)): one.position for one in found}
    usable = ((one, records[one.name]) for one in inputs if not one.is_asked and one.name in records)
    return {
        one.name: _staged(one, record)
        for one, record in usable
        if (record["binding"], record["digest"]) == (binding, one.digest) and _is_whole(job.store, record)
    }


def note_staged(job: Job, done: "Staged", binding: str) -> None:
    """Remember that an input is staged. Not what was asked for: it may be something else next time."""
    if done.input.is_asked:
        return
    position = {
        "binding": binding,
        "digest": done.input.digest,
        "good": asdict(done.good),
        "bad": asdict(done.bad),
        "reasons": dict(done.reasons),
        "warnings": dict(done.warnings),
        "examples": {reason: list(example) for reason, example in done.examples.items()},
        "read": done.read,
        "passed": done.passed,
    }
    with job.ledger.write() as tx:
        tx.put(Cursor(_prefix(job) + done.input.name, position, utc_now()))


def forget_staged(job: Job, tx: Transaction) -> None:
    """What was staged is published, or was published before."""
    for one in tx.starting(Cursor, "name", _prefix(job), limit=_MOST):
        tx.remove(Cursor, name=one.name)


def _prefix(job: Job) -> str:
    return f"staged:{job.dataset}:"


def _is_whole(store: Store, record: Mapping[str, Any]) -> bool:
    return all(store.blobs.keep(part["digest"]) for side in ("good", "bad") for part in record[side]["parts"])


def _staged(one: Input, record: Mapping[str, Any]) -> "Staged":
    from penstock.data.ingestion.staging import Staged

    return Staged(
        one,
        _table(record["good"]),
        _table(record["bad"]),
        Counter(record["reasons"]),
        Counter(record["warnings"]),
        {reason: (name, row) for reason, (name, row) in record["examples"].items()},
        read=record["read"],
        passed=record["passed"],
    )


def _table(value: Mapping[str, Any]) -> Table:
    return Table(tuple((name, dtype) for name, dtype in value["schema"]), tuple(Part(**one) for one in value["parts"]))
