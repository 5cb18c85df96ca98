"""From a decision in the ledger to a server that answers with it."""

from dataclasses import dataclass
from pathlib import Path

from penstock.bundle import Bundle, export
from penstock.deliver.promotion import move_back, move_up, record_deployment
from penstock.deliver.registry import in_production
from penstock.deliver.serving_state import (
    EndpointState,
    ServeDirectory,
    ServedModel,
    Waited,
    deploy,
    read_state,
    wait_applied,
    write_view,
)
from penstock.errors import Damaged
from penstock.ledger import Deployment, Ledger, ModelVersion, Ref, SealedBundle, node
from penstock.project import ProjectFile
from penstock.signing import load_signer
from penstock.store import Store
from penstock.validate import open_sealed

KEPT = 3  # versions that stay in the serve directory, for a rollback that loads nothing from the store


@dataclass(frozen=True)
class Promoted:
    """A version in its new state. `serving` says whether a server answers with it already."""

    version: ModelVersion
    state: str
    replaced: ModelVersion | None
    deployment: Deployment | None
    serving: Waited | None


def promote(
    project: ProjectFile, ledger: Ledger, store: Store, version: ModelVersion, state: str, *, actor: str, reason: str
) -> Promoted:
    """Move `version` to `state`; in production the endpoint follows at once.

    Raises GateRefused with everything that lacks, and changes nothing then.
    """
    with ledger.read() as reader:
        replaced = in_production(reader, version.model) if state == "production" else None
    deployment = move_up(ledger, project, version, state, actor=actor, reason=reason)
    serving = follow(project, ledger, store) if deployment else None
    return Promoted(version, state, replaced, deployment, serving)


def roll_back(
    project: ProjectFile, ledger: Ledger, store: Store, *, actor: str, reason: str, to: ModelVersion | None = None
) -> Promoted:
    """Put the previous production version (or `to`) back; the endpoint follows at once."""
    with ledger.read() as reader:
        replaced = in_production(reader, project.config.name)
    deployment = move_back(ledger, project, actor=actor, reason=reason, to=to)
    with ledger.read() as reader:
        version = reader.get(ModelVersion, model=deployment.model, number=deployment.number)
    assert version is not None  # versions are never deleted
    return Promoted(version, "production", replaced, deployment, follow(project, ledger, store))


def refresh(project: ProjectFile, ledger: Ledger, store: Store, *, actor: str) -> Deployment | None:
    """Give the endpoint the newest rows of its feature views. None when it has them or serves nothing."""
    with ledger.read() as reader:
        version = in_production(reader, project.config.name)
    if version is None:
        return None
    bundle = open_sealed(project, ledger, store, version.bundle)
    views = _views(project, ledger, store, bundle)
    present = read_state(_directory(project)).endpoints.get(project.config.deliver.endpoint)
    if present and present.current.bundle == version.bundle and present.current.views == views:
        return None
    if not views:
        return None
    with ledger.write() as transaction:
        deployment = record_deployment(
            transaction, project, version, kind="refresh", actor=actor, reason="newer rows of its feature views"
        )
        for source in {view.source for view in bundle.features.spec.stored}:
            ref = transaction.get(Ref, dataset=source, name="main")
            if ref:
                transaction.link(node("data", ref.commit), node("deployment", deployment.id), "view")
    follow(project, ledger, store)
    return deployment


def follow(project: ProjectFile, ledger: Ledger, store: Store, *, timeout: float = 30.0) -> Waited | None:
    """Bring the serve directory to the newest deployment, and wait for the server if one runs.

    Idempotent: a crash between decision and delivery is mended by the next call. None when nothing was deployed.
    """
    endpoint = project.config.deliver.endpoint
    with ledger.read() as reader:
        newest = reader.find(Deployment, endpoint=endpoint, order_by="-generation", limit=1)
    if not newest:
        return None
    root = _directory(project)
    present = read_state(root).endpoints.get(endpoint)
    if present is None or present.generation < newest[0].generation:
        _deploy(project, ledger, store, newest[0], present)
    return wait_applied(root, endpoint, newest[0].generation, timeout)


def _deploy(
    project: ProjectFile, ledger: Ledger, store: Store, deployment: Deployment, present: EndpointState | None
) -> None:
    root = _directory(project)
    _export(ledger, store, deployment.bundle, root / "bundles")
    bundle = open_sealed(project, ledger, store, deployment.bundle)
    views = _views(project, ledger, store, bundle)
    model = ServedModel(deployment.model, deployment.number, deployment.bundle, views)
    before = (present.current, *present.previous) if present else ()
    previous = tuple(served for served in before if served.bundle != model.bundle)[:KEPT]
    target = EndpointState(deployment.generation, model, previous)
    deploy(root, deployment.endpoint, target, trusted=_trusted(project))


def _views(project: ProjectFile, ledger: Ledger, store: Store, bundle: Bundle) -> dict[str, str]:
    """The newest rows of each stored view, written where the server finds them."""
    digests = {}
    for view in bundle.features.spec.stored:
        with ledger.read() as reader:
            ref = reader.get(Ref, dataset=view.source, name="main")
        if ref is None:
            raise Damaged(
                f"dataset {view.source!r} has no version to serve feature view {view.name!r} from", hint="penstock run"
            )
        rows = bundle.features.view_rows(view.name, store.scan(ref.commit))
        digests[view.name] = write_view(_directory(project), view.name, rows)
    return digests


def _export(ledger: Ledger, store: Store, digest: str, directory: Path) -> Path:
    with ledger.read() as reader:
        sealed = reader.get(SealedBundle, digest=digest)
    if sealed is None:
        raise Damaged(f"bundle {digest} is not in the ledger", hint="penstock deliver models")
    return export(digest, store, sealed.signature, sealed.public_key, directory)


def _trusted(project: ProjectFile) -> tuple[str, ...]:
    """Bundles are opened only when the project's own key has sealed them."""
    return (load_signer(project.signing_key).public,)


def _directory(project: ProjectFile) -> Path:
    return ServeDirectory(project.home / "serve").root
