"""What garbage collection must keep."""

import re
from collections.abc import Iterator, Mapping

from penstock.ledger import Artifact, Evaluation, Execution, Reader, Ref, Run, SealedBundle, Version
from penstock.project import ProjectFile
from penstock.store import read_lock


def roots(reader: Reader, project: ProjectFile) -> set[str]:
    """Every digest that a ref, the lock file, a run, a bundle or an evaluation leads to."""
    kept: set[str] = {ref.commit for ref in reader.find(Ref)}
    kept |= {version.commit for version in reader.find(Version)}
    kept |= {pin.commit for pin in read_lock(project.root / "penstock.lock").values()}
    for run in reader.find(Run):
        kept |= {run.code, *run.data.values()}
        kept |= {blob for blob in (run.patch, run.environment, run.log) if blob}
    kept |= {artifact.digest for artifact in reader.find(Artifact)}
    kept |= {sealed.digest for sealed in reader.find(SealedBundle)}
    for evaluation in reader.find(Evaluation):
        kept |= {evaluation.record, evaluation.data}
    for execution in reader.find(Execution):
        kept |= set(_digests(execution.outputs))
    return kept


def _digests(value: object) -> Iterator[str]:
    """Every digest in the outputs of a step: a remembered result must still be there."""
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _digests(item)
