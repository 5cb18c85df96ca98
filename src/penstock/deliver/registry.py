"""Model versions and the states they go through.

    candidate ──> staging ──> production ──> archived
        └──────────────────────────^   <──────┘ rollback

A version enters the registry once its gates have judged it, and never changes; only its state does,
and every change keeps who, when and why.
"""

from penstock.errors import Conflict, UsageError
from penstock.ids import new_id
from penstock.ledger import Evaluation, Ledger, ModelVersion, Reader, Transaction, Transition, node, utc_now

STATES = ("candidate", "staging", "production", "archived")


def register(ledger: Ledger, model: str, *, run: str, evaluation: Evaluation, note: str = "") -> ModelVersion:
    """The version of `evaluation`'s bundle: the one it has, or the next number as a candidate."""
    with ledger.write() as transaction:
        known = transaction.find(ModelVersion, model=model, bundle=evaluation.bundle, limit=1)
        if known:
            return _judged_anew(transaction, known[0], evaluation)
        version = enrol(transaction, model, evaluation.bundle, run=run, evaluation=evaluation.id, note=note)
        transaction.link(node("evaluation", evaluation.id), node("model", version.name), "judged")
    return version


def enrol(
    transaction: Transaction,
    model: str,
    bundle: str,
    *,
    run: str,
    evaluation: str | None = None,
    actor: str = "penstock",
    note: str = "",
) -> ModelVersion:
    """The next version of a model, a candidate. Without an evaluation it stays one: nothing has judged it."""
    newest = transaction.find(ModelVersion, model=model, order_by="-number", limit=1)
    number = newest[0].number + 1 if newest else 1
    version = ModelVersion(model, number, bundle, run, evaluation, "candidate", note, utc_now())
    transaction.add(version, _transition(version, None, "candidate", actor, note))
    transaction.link(node("bundle", version.bundle), node("model", version.name), "registered")
    return version


def find_version(reader: Reader, model: str, text: str | None = None) -> ModelVersion:
    """The version that `text` names: `3`, `flight-delay@3`, a state, or None for the newest.

    Raises UsageError when there is none.
    """
    versions = reader.find(ModelVersion, model=model, order_by="-number")
    if not versions:
        raise UsageError(f"model {model!r} has no version yet", hint="penstock run")
    if text is None or text == "newest":
        return versions[0]
    matches = [v for v in versions if text in (str(v.number), v.name, v.state)]
    if not matches:
        raise UsageError.unknown("model version", text, [v.name for v in versions], hint="penstock deliver models")
    return matches[0]


def in_production(reader: Reader, model: str) -> ModelVersion | None:
    """The version that answers users now, if any."""
    found = reader.find(ModelVersion, model=model, state="production", limit=1)
    return found[0] if found else None


def move(transaction: Transaction, version: ModelVersion, after: str, *, actor: str, reason: str) -> None:
    """Change a version's state, if it is still what the caller saw; Conflict otherwise."""
    key = {"model": version.model, "number": version.number}
    if not transaction.change(ModelVersion, key, expect={"state": version.state}, state=after):
        raise Conflict(f"{version.name} is no longer in {version.state}", hint="penstock deliver models")
    transaction.add(_transition(version, version.state, after, actor, reason))


def _judged_anew(transaction: Transaction, version: ModelVersion, evaluation: Evaluation) -> ModelVersion:
    if version.evaluation == evaluation.id:
        return version
    key = {"model": version.model, "number": version.number}
    transaction.change(ModelVersion, key, evaluation=evaluation.id)
    transaction.link(node("evaluation", evaluation.id), node("model", version.name), "judged")
    return version._replace(evaluation=evaluation.id)


def _transition(version: ModelVersion, before: str | None, after: str, actor: str, reason: str) -> Transition:
    return Transition(new_id(), version.model, version.number, before, after, actor, reason, utc_now())
