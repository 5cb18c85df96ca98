"""What decided which rows a version holds, kept beside it: a later change of it is told to the line.

A blob is named as the version names it (the digest of a function's code, of a contract), so the version alone keeps
it from the garbage.
"""

from collections.abc import Iterable
from pathlib import Path

from penstock.data.ingestion.job import Job, contract_functions
from penstock.data.sources.inputs import Input
from penstock.data.sources.listing import function_files
from penstock.digest import digest_file
from penstock.store import Store


def keep(job: Job, inputs: Iterable[Input]) -> None:
    """The code of the functions among the inputs, and the contract with the code that it names."""
    for one in inputs:
        if one.is_function:
            _keep_function(job.store, job.project.root, one.name)
    contract = job.project.root / job.spec.contract if job.spec.contract else None
    if contract and contract.exists():
        job.store.put_file(contract)
        code = {name: _keep_function(job.store, job.project.root, name) for name in contract_functions(contract)}
        if code:
            job.store.put_json({"file": digest_file(contract), "functions": code})


def _keep_function(store: Store, root: Path, reference: str) -> str:
    files = {name: store.put_file(path) for name, path in function_files(root, reference).items()}
    return store.put_json({"function": reference, "files": files})
