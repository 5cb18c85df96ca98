"""From a decision in the ledger to a server that answers with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from penstock.bundle import Manifest, export, features_of, open_manifest
from penstock.data import current as newest_version
from penstock.deliver.promotion import move_back, move_up, record_deployment
from penstock.deliver.registry import in_production
from penstock.deliver.serving_state import (
    EndpointState,
    ServeDirectory,
    ServedModel,
    Waited,
    complete,
    deploy,
    deployed,
    refused,
    wait_applied,
    write_view,
)
from penstock.errors import Damaged
from penstock.ledger import Deployment, Ledger, ModelVersion, SealedBundle, node
from penstock.project import ProjectFile
from penstock.signing import load_signer
from penstock.store import Store

KEPT = 3  # versions that stay in the serve directory, for a rollback that loads nothing from the store
NEWER = "newer rows of its feature views"


@dataclass(frozen=True)
class Promoted:
    """A version in its new state. `serving` says whether a server answers with it already."""

    version: ModelVersion
    state: str
    replaced: ModelVersion | None
    deployment: Deployment | None
    serving: Waited | None


@dataclass(frozen=True)
class _Exported:
    """A verified bundle in the serve directory. Its model is for the server to load."""

    directory: Path
    manifest: Manifest

    @property
    def sources(self) -> set[str]:
        """The datasets that its stored views are made from."""
        return {view.source for view in self.manifest.features.stored}


def promote(
    project: ProjectFile, ledger: Ledger, store: Store, version: ModelVersion, state: str, *, actor: str, reason: str
) -> Promoted:
    """Move `version` to `state`; in production the endpoint follows at once.

    Raises GateRefused with everything that lacks, and changes nothing then. What is in production already only
    goes to an endpoint that does not answer with it.
    """
    with ledger.read() as reader:
        replaced = in_production(reader, version.model) if state == "production" else None
    if replaced and replaced.number == version.number and not _served(project, replaced):
        deployment = refresh(project, ledger, store, actor=actor, reason=reason)
        return Promoted(replaced, state, None, deployment, follow(project, ledger, store))
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


def refresh(project: ProjectFile, ledger: Ledger, store: Store, *, actor: str, reason: str = "") -> Deployment | None:
    """Give the endpoint what is in production, with the newest rows of its feature views. None when it has that.

    `reason` says why the endpoint gets a version that it does not answer with yet.
    """
    _deliver(project, ledger, store)
    with ledger.read() as reader:
        version = in_production(reader, project.config.name)
    if version is None:
        return None
    present = deployed(_directory(project), project.config.deliver.endpoint)
    current = present.current if present and present.current.bundle == version.bundle else None
    if current and current.data == _heads(project, ledger, current.data):
        return None
    bundle = _export(project, ledger, store, version.bundle)
    data = _heads(project, ledger, bundle.sources)
    _views(project, store, bundle, data)  # rows that cannot be made are found before anything is decided
    deployment = _decide_refresh(project, ledger, version, data, actor, reason)
    if deployment:
        follow(project, ledger, store)
    return deployment


def _decide_refresh(
    project: ProjectFile, ledger: Ledger, version: ModelVersion, data: Mapping[str, str], actor: str, reason: str
) -> Deployment | None:
    """The next generation, if `version` is still in production."""
    endpoint = project.config.deliver.endpoint
    with ledger.write() as transaction:
        present = in_production(transaction, project.config.name)
        if present is None or present.number != version.number:
            return None
        newest = transaction.find(Deployment, endpoint=endpoint, order_by="-generation", limit=1)
        new = not newest or newest[0].bundle != version.bundle
        kind = "promote" if new else "refresh"
        reason = (reason or f"in production, but not at {endpoint}") if new else NEWER
        deployment = record_deployment(transaction, project, version, kind=kind, actor=actor, reason=reason)
        for commit in data.values():
            transaction.link(node("data", commit), node("deployment", deployment.id), "view")
        if new:
            payload = {"bundle": version.bundle, "endpoint": endpoint}
            transaction.audit("deliver.promote.endpoint", version.name, actor=actor, reason=reason, payload=payload)
    return deployment


def follow(project: ProjectFile, ledger: Ledger, store: Store, *, timeout: float = 30.0) -> Waited | None:
    """Bring the serve directory to the newest deployment, and wait for the server if one runs.

    Idempotent: a crash between decision and delivery is mended by the next call, and so are files that are missing,
    damaged or refused. None when nothing was deployed.
    """
    newest = _deliver(project, ledger, store)
    if newest is None:
        return None
    return wait_applied(_directory(project), newest.endpoint, newest.generation, timeout)


def _deliver(project: ProjectFile, ledger: Ledger, store: Store) -> Deployment | None:
    """Bring the serve directory to the newest deployment, which is returned, if it is not there or not whole."""
    endpoint, root = project.config.deliver.endpoint, _directory(project)
    with ledger.read() as reader:
        newest = reader.find(Deployment, endpoint=endpoint, order_by="-generation", limit=1)
    if not newest:
        return None
    present = deployed(root, endpoint)
    if present is None or present.generation < newest[0].generation:
        _deploy(project, ledger, store, newest[0], present)
    elif not _whole(root, endpoint, present):
        _deploy_again(project, ledger, store, present)
    return newest[0]


def _served(project: ProjectFile, version: ModelVersion) -> bool:
    """Whether the endpoint is told to answer with `version`, and can."""
    endpoint, root = project.config.deliver.endpoint, _directory(project)
    present = deployed(root, endpoint)
    return present is not None and present.current.bundle == version.bundle and _whole(root, endpoint, present)


def _whole(root: Path, endpoint: str, present: EndpointState) -> bool:
    return complete(root, present.current) and not refused(root, endpoint, present.generation)


def _deploy(
    project: ProjectFile, ledger: Ledger, store: Store, deployment: Deployment, present: EndpointState | None
) -> None:
    root = _directory(project)
    bundle = _export(project, ledger, store, deployment.bundle)
    data = _heads(project, ledger, bundle.sources)
    views = _views(project, store, bundle, data)
    model = ServedModel(deployment.model, deployment.number, deployment.bundle, views, data)
    before = (present.current, *present.previous) if present else ()
    previous = tuple(served for served in before if served.bundle != model.bundle)[:KEPT]
    target = EndpointState(deployment.generation, model, previous)
    deploy(root, deployment.endpoint, target, trusted=_trusted(project))


def _deploy_again(project: ProjectFile, ledger: Ledger, store: Store, present: EndpointState) -> None:
    """Put the files of what must be served there again, of the same data, and have the server look again."""
    root, current = _directory(project), present.current
    views = _views(project, store, _export(project, ledger, store, current.bundle), current.data)
    target = replace(present, current=replace(current, views=views))
    deploy(root, project.config.deliver.endpoint, target, trusted=_trusted(project), again=True)


def _heads(project: ProjectFile, ledger: Ledger, sources: Iterable[str]) -> dict[str, str]:
    """The newest commit of each dataset that stored views are made from."""
    with ledger.read() as reader:
        found = {source: newest_version(reader, source, project.branch) for source in sorted(sources)}
    for source, version in found.items():
        if version is None:
            raise Damaged(f"dataset {source!r} has no version to serve a feature view from", hint="penstock run")
    return {source: version.commit for source, version in found.items() if version}


def _views(project: ProjectFile, store: Store, bundle: _Exported, data: Mapping[str, str]) -> dict[str, str]:
    """The rows of each stored view, made from these commits, written where the server finds them."""
    stored = bundle.manifest.features.stored
    if not stored:
        return {}  # and the user's code, with all that it imports, is left alone
    features = features_of(bundle.manifest, bundle.directory)
    digests = {}
    for view in stored:
        rows = features.view_rows(view.name, store.scan(data[view.source]))
        digests[view.name] = write_view(_directory(project), view.name, rows)
    return digests


def _export(project: ProjectFile, ledger: Ledger, store: Store, digest: str) -> _Exported:
    """Put a bundle where the server finds it, and verify it."""
    with ledger.read() as reader:
        sealed = reader.get(SealedBundle, digest=digest)
    if sealed is None:
        raise Damaged(f"bundle {digest} is not in the ledger", hint="penstock deliver models")
    final = export(digest, store, sealed.signature, sealed.public_key, _directory(project) / "bundles")
    final.touch()  # one that lay here unused counts as new, and is not deleted before it is named
    return _Exported(final, open_manifest(final, trusted=_trusted(project)))


def _trusted(project: ProjectFile) -> tuple[str, ...]:
    """Bundles are opened only when the project's own key has sealed them."""
    return (load_signer(project.signing_key).public,)


def _directory(project: ProjectFile) -> Path:
    return ServeDirectory(project.home / "serve").root
