"""What the store must hold, and what garbage collection must keep."""

import re
from collections.abc import Iterator, Mapping

from penstock.ledger import Artifact, Evaluation, Execution, ModelVersion, Reader, Ref, Run, SealedBundle, Version
from penstock.ledger.mlflow import ModelFile
from penstock.project import ProjectFile
from penstock.store import read_lock


def recorded(reader: Reader) -> set[str]:
    """Every blob that a ref, a version, a step's result, a run, a bundle, a model or an evaluation names."""
    named: set[str] = {ref.commit for ref in reader.find(Ref)}
    named |= {version.commit for version in reader.find(Version)}
    for run in reader.find(Run):
        named |= {blob for blob in (run.code, run.patch, run.environment, run.log, *run.data.values()) if blob}
    named |= {artifact.digest for artifact in reader.find(Artifact)}
    named |= {file.digest for file in reader.find(ModelFile)}
    named |= {sealed.digest for sealed in reader.find(SealedBundle)}
    named |= {model.bundle for model in reader.find(ModelVersion)}
    for evaluation in reader.find(Evaluation):
        named |= {evaluation.record, evaluation.data}
    for execution in reader.find(Execution):
        named |= set(_digests(execution.outputs))
    return named


def roots(reader: Reader, project: ProjectFile) -> set[str]:
    """What is recorded, the code that steps were done with, and what the lock file leads to."""
    code = {digest for execution in reader.find(Execution) for digest in _digests(execution.inputs)}
    return recorded(reader) | code | {pin.commit for pin in read_lock(project.root / "penstock.lock").values()}


def _digests(value: object) -> Iterator[str]:
    """Every digest in the outputs of a step."""
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _digests(item)
