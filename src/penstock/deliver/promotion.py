"""The way up: what must hold before a version may enter a state, and how it gets there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from penstock.deliver.registry import in_production, move
from penstock.digest import short
from penstock.errors import GateRefused, UsageError
from penstock.ids import new_id
from penstock.ledger import (
    Approval,
    Deployment,
    Edge,
    Evaluation,
    GateResult,
    Ledger,
    ModelVersion,
    Reader,
    SignOff,
    Transaction,
    Transition,
    node,
    utc_now,
)
from penstock.objective import agreement
from penstock.project import ProjectFile

UP = ("staging", "production")


@dataclass(frozen=True)
class Hop:
    """A version on its way to a state, with what is read to judge it."""

    reader: Reader
    project: ProjectFile
    version: ModelVersion
    state: str


def lacks(reader: Reader, project: ProjectFile, version: ModelVersion, state: str) -> tuple[str, ...]:
    """Everything that still stands between `version` and `state`; empty when nothing does."""
    if state not in UP:
        raise UsageError.unknown("state to promote to", state, UP)
    hop = Hop(reader, project, version, state)
    return tuple(lack for check in CHECKS for lack in check(hop))


def move_up(
    ledger: Ledger, project: ProjectFile, version: ModelVersion, state: str, *, actor: str, reason: str
) -> Deployment | None:
    """Move `version` to `state`; for production, also record the deployment that the endpoint follows.

    Raises GateRefused with everything that lacks, and changes nothing then.
    """
    if state not in UP:
        raise UsageError.unknown("state to promote to", state, UP)
    with ledger.write() as transaction:
        version = _as_it_is(transaction, version)
        if version.state in (state, "production"):
            raise UsageError(f"{version.name} is already in {version.state}", hint="penstock status")
        missing = lacks(transaction, project, version, state)
        if missing:
            raise GateRefused(f"{version.name} may not enter {state}", lacks=missing, hint=_hint(missing))
        retired = in_production(transaction, version.model) if state == "production" else None
        if retired:
            move(transaction, retired, "archived", actor=actor, reason=f"replaced by {version.name}")
        move(transaction, version, state, actor=actor, reason=reason)
        payload = {"bundle": version.bundle, "evaluation": version.evaluation, "before": version.state}
        transaction.audit(f"deliver.promote.{state}", version.name, actor=actor, reason=reason, payload=payload)
        if state == "staging":
            return None
        return record_deployment(transaction, project, version, kind="promote", actor=actor, reason=reason)


def move_back(
    ledger: Ledger, project: ProjectFile, *, actor: str, reason: str, to: ModelVersion | None = None
) -> Deployment:
    """Put the previous production version (or `to`) back. It was allowed before, so no gate is asked again."""
    with ledger.write() as transaction:
        current = in_production(transaction, project.config.name)
        if current is None:
            raise UsageError("nothing is in production", hint="penstock promote")
        if to and to.number == current.number:
            raise UsageError(f"{to.name} is in production already", hint="penstock status")
        if to and not transaction.count(Deployment, model=to.model, number=to.number):
            raise UsageError(f"{to.name} was never in production", hint=f"penstock promote {to.number}")
        back = to or _previous(transaction, project, current)
        move(transaction, current, "archived", actor=actor, reason=f"rolled back: {reason}")
        move(transaction, back, "production", actor=actor, reason=reason)
        payload = {"from": current.name, "to": back.name, "bundle": back.bundle}
        transaction.audit("deliver.rollback", back.name, actor=actor, reason=reason, payload=payload)
        return record_deployment(transaction, project, back, kind="rollback", actor=actor, reason=reason)


def approve(
    ledger: Ledger, project: ProjectFile, version: ModelVersion, state: str, *, name: str, role: str, reason: str
) -> Approval:
    """Record a person's yes to `version` entering `state`."""
    if state not in UP:
        raise UsageError.unknown("state to approve for", state, UP)
    wanted = required_roles(project, state)
    if role not in wanted:
        asked = f"{state} asks for an approval by {', '.join(wanted)}" if wanted else f"{state} asks for no approval"
        where = f"{project.path.name}: deliver.approvals.{state}"
        raise UsageError(
            f"unknown role {role!r}: {asked}", where=where, hint=f"penstock deliver lacks {version.number}"
        )
    with ledger.write() as transaction:
        given = Approval(new_id(), version.model, version.number, state, name, role, reason, utc_now())
        transaction.add(given)
        transaction.link(node("model", version.name), node("approval", given.id), "approved")
        if version.evaluation:
            transaction.link(node("evaluation", version.evaluation), node("approval", given.id), "approved")
        payload = {"bundle": version.bundle, "evaluation": version.evaluation, "state": state, "role": role}
        transaction.audit("deliver.approve", version.name, actor=name, reason=reason, payload=payload)
    return given


def required_roles(project: ProjectFile, state: str) -> tuple[str, ...]:
    """The roles that must approve before a version enters `state`."""
    approvals = project.config.deliver.approvals
    return approvals.production if state == "production" else approvals.staging


def record_deployment(
    transaction: Transaction, project: ProjectFile, version: ModelVersion, *, kind: str, actor: str, reason: str
) -> Deployment:
    """The next generation of the project's endpoint answers with `version`."""
    endpoint = project.config.deliver.endpoint
    newest = transaction.find(Deployment, endpoint=endpoint, order_by="-generation", limit=1)
    generation = newest[0].generation + 1 if newest else 1
    deployment = Deployment(
        id=new_id(),
        endpoint=endpoint,
        generation=generation,
        model=version.model,
        number=version.number,
        bundle=version.bundle,
        kind=kind,
        actor=actor,
        reason=reason,
        at=utc_now(),
    )
    transaction.add(deployment)
    here = node("deployment", deployment.id)
    transaction.link(node("model", version.name), here, kind)
    for decision in _decisions(transaction, version):
        transaction.link(decision, here, "allowed")
    return deployment


def _decisions(reader: Reader, version: ModelVersion) -> Iterator[str]:
    """What people signed and approved, so that `version` may be in production."""
    judged = reader.find(Evaluation, id=version.evaluation)
    for signed in reader.find(SignOff, objective=[one.objective for one in judged], order_by="at"):
        yield node("signoff", signed.id)
    for given in reader.find(Approval, model=version.model, number=version.number, state="production", order_by="at"):
        yield node("approval", given.id)


def _evaluated(hop: Hop) -> Iterator[str]:
    """A passing evaluation."""
    evaluation = _evaluation(hop)
    if evaluation is None:
        yield "an evaluation: penstock run"
    elif evaluation.verdict != "PASS":
        results = hop.reader.find(GateResult, evaluation=evaluation.id, severity="block", order_by="position")
        yield from (f"gate {r.gate}: {r.outcome}, {r.reason}" for r in results if r.outcome != "PASS")


def _still_fresh(hop: Hop) -> Iterator[str]:
    """The training rows are as new as promised today too, and not only on the day they were judged."""
    evaluation = _evaluation(hop)
    if evaluation is None:
        return
    since = (utc_now() - evaluation.at).total_seconds()
    for result in hop.reader.find(
        GateResult, evaluation=evaluation.id, metric="freshness", severity="block", outcome="PASS"
    ):
        if result.value is not None and result.threshold is not None and result.value + since > result.threshold:
            yield f"gate {result.gate}: it held when it was judged and no longer does; with newer rows: penstock run"


def _judged_against_this_objective(hop: Hop) -> Iterator[str]:
    """The evaluation was made under the objective as it stands."""
    evaluation = _evaluation(hop)
    now = agreement(hop.reader, hop.project).objective
    if evaluation and evaluation.objective != now:
        judged = short(evaluation.objective)
        yield f"an evaluation under objective {short(now)} (it was judged under {judged}): penstock run"


def _judged_by_these_gates(hop: Hop) -> Iterator[str]:
    """The evaluation was made by the gates, custom metrics and known cases as they stand."""
    from penstock.validate import judged_by

    evaluation = _evaluation(hop)
    if evaluation and evaluation.gates != judged_by(hop.project):
        yield "an evaluation by the gates as they stand: penstock run"


def _judged_against_this_champion(hop: Hop) -> Iterator[str]:
    """The champion has not changed since the comparison."""
    evaluation = _evaluation(hop)
    champion = in_production(hop.reader, hop.version.model)
    if evaluation and champion and champion.bundle != hop.version.bundle and evaluation.champion != champion.bundle:
        yield f"a comparison with {champion.name}, in production since it was judged: penstock run"


def _signed(hop: Hop) -> Iterator[str]:
    """A stakeholder has signed the objective as it stands."""
    if hop.state == "production" and not agreement(hop.reader, hop.project).signed:
        yield "a signature under the objective: penstock objective sign --as NAME --role ROLE"


def _approved(hop: Hop) -> Iterator[str]:
    """Every role that the project file names has said yes: to this evaluation, and since it was last retired."""
    reader, version = hop.reader, hop.version
    key: dict[str, Any] = {"model": version.model, "number": version.number}
    retired = reader.find(Transition, **key, after="archived", order_by="-at", limit=1)
    judged = reader.find(Edge, source=node("evaluation", version.evaluation or ""), role="approved")
    seen = {edge.target for edge in judged}
    roles = {
        given.role
        for given in reader.find(Approval, **key, state=hop.state)
        if node("approval", given.id) in seen and not (retired and given.at <= retired[0].at)
    }
    for role in required_roles(hop.project, hop.state):
        if role not in roles:
            yield f"approval by {role}: penstock approve {version.name} --to {hop.state} --as NAME --role {role}"


CHECKS: tuple[Callable[[Hop], Iterator[str]], ...] = (
    _evaluated,
    _still_fresh,
    _judged_against_this_objective,
    _judged_by_these_gates,
    _judged_against_this_champion,
    _signed,
    _approved,
)


def _as_it_is(reader: Reader, version: ModelVersion) -> ModelVersion:
    """The version as the ledger has it now: it may have been moved, or judged anew, since it was read."""
    now = reader.get(ModelVersion, model=version.model, number=version.number)
    assert now is not None  # versions are never deleted
    return now


def _evaluation(hop: Hop) -> Evaluation | None:
    identifier = hop.version.evaluation
    return hop.reader.get(Evaluation, id=identifier) if identifier else None


def _previous(transaction: Transaction, project: ProjectFile, current: ModelVersion) -> ModelVersion:
    """What answered before the current version was promoted; a second rollback goes one further back."""
    # at whichever endpoint: it may have been renamed since
    deployments = transaction.find(Deployment, model=project.config.name, order_by="-at")
    came = (i for i, one in enumerate(deployments) if one.kind == "promote" and one.bundle == current.bundle)
    for deployment in deployments[next(came, len(deployments)) :]:
        if deployment.bundle != current.bundle:
            found = transaction.get(ModelVersion, model=deployment.model, number=deployment.number)
            if found:
                return found
    raise UsageError(f"there is no production version before {current.name}", hint="penstock deliver models")


def _hint(missing: tuple[str, ...]) -> str | None:
    """The first command among what lacks."""
    commands = [lack.split(": penstock ", 1)[1] for lack in missing if ": penstock " in lack]
    return f"penstock {commands[0]}" if commands else None
