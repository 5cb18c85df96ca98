"""The lock of an image: that of the run whose environment it was built with."""

from typing import TYPE_CHECKING

from penstock.ledger import Artifact, Edge, Reader, Run, node
from penstock.train.environment.locking import LOCK, WHEELS, Locked

if TYPE_CHECKING:
    from penstock.store import Store

BUILT = "image"  # the role of the edge from an environment to its image


def lock_of(reader: Reader, store: "Store", image: str) -> Locked | None:
    """The lock and the wheels; None for an image that was not built here, or of a run that had no lock."""
    edges = reader.find(Edge, target=node("image", image), role=BUILT)
    environments = [edge.source.partition(":")[2] for edge in edges]
    for run in reader.find(Run, environment=environments, status="finished", order_by="number"):
        blobs = {each.name: each.digest for each in reader.find(Artifact, run=run.id)}
        if LOCK in blobs:
            wheels = {name.removeprefix(WHEELS): blob for name, blob in blobs.items() if name.startswith(WHEELS)}
            return Locked(
                store.read_bytes(blobs[LOCK]).decode(),
                {name: store.read_bytes(blob) for name, blob in wheels.items()},
            )
    return None
