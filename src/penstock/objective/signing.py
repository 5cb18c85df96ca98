"""Who has agreed to the objective as it stands."""

from dataclasses import dataclass

from penstock.digest import digest_value, short
from penstock.errors import UsageError
from penstock.ids import new_id
from penstock.ledger import Ledger, Reader, SignOff, node, utc_now
from penstock.project import Objective, ProjectFile


@dataclass(frozen=True)
class Agreement:
    """The state of the objective: its digest and the signatures that hold for it.

    outdated   signatures under an earlier text
    """

    objective: str
    signatures: tuple[SignOff, ...]
    outdated: tuple[SignOff, ...]

    @property
    def signed(self) -> bool:
        """Whether anybody has signed the text as it stands."""
        return bool(self.signatures)


def objective_digest(objective: Objective) -> str:
    """The digest that a signature binds to: every word and number of the section."""
    return digest_value(objective.model_dump(mode="json"))


def require_objective(project: ProjectFile) -> Objective:
    """The objective, or an error that says how to write one."""
    if project.config.objective is None:
        raise UsageError(
            "the project has no objective",
            where=str(project.path),
            expected="a section `objective:` with problem, decision, owner and target",
            hint="penstock schema  # every key with its meaning",
        )
    return project.config.objective


def sign(ledger: Ledger, project: ProjectFile, *, name: str, role: str, note: str = "") -> SignOff:
    """Record that `name`, in `role`, agrees to the objective as it stands. Signing twice changes nothing.

    Spaces around name and role do not count: "Ann " is Ann. UsageError when nothing is left.
    """
    name, role = name.strip(), role.strip()
    if not name:
        raise UsageError("a signature needs a name", where="--as", expected="who agrees, such as ann")
    if not role:
        raise UsageError("a signature needs a role", where="--role", expected="in which role you agree, such as owner")
    digest = objective_digest(require_objective(project))
    with ledger.write() as transaction:
        done = transaction.find(SignOff, objective=digest, name=name, role=role)
        if done:
            return done[0]
        signed = SignOff(new_id(), digest, name, role, note, utc_now())
        transaction.add(signed)
        transaction.link(node("objective", digest), node("signoff", signed.id), "signed")
        subject = f"objective {short(digest)}"
        transaction.audit(
            "objective.sign", subject, actor=name, reason=note, payload={"objective": digest, "role": role}
        )
    return signed


def agreement(reader: Reader, project: ProjectFile) -> Agreement:
    """The signatures under the objective as it stands, and those that a change has made void."""
    digest = objective_digest(require_objective(project))
    signatures = reader.find(SignOff, order_by="at")
    current = tuple(signed for signed in signatures if signed.objective == digest)
    return Agreement(digest, current, tuple(signed for signed in signatures if signed.objective != digest))
