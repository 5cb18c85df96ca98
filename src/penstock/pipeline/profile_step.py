"""The profile of a version as a step: counted when it is first wanted, kept, and read back from then on."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from penstock.engine import Step, run_step
from penstock.errors import PenstockError
from penstock.ledger import Execution, Ledger
from penstock.project import ProjectFile
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.stats import Profile


def profile_of(project: ProjectFile, ledger: Ledger, store: Store, table: str, commit: str) -> "Profile":
    """What every column of a version looks like, but those with personal data."""
    from penstock.data.bench.context import private_columns
    from penstock.stats import PROFILE_FORMAT, Profile

    private = private_columns(project, table)
    inputs: dict[str, Any] = {"commit": commit, "left out": sorted(private), "format": PROFILE_FORMAT}

    def work() -> dict[str, Any]:
        rows = store.scan(commit)
        profile = Profile.build(rows.select(name for name in rows.collect_schema() if name not in private))
        return {"profile": store.put_json(profile.to_json())}

    outcome = run_step(ledger, Step(f"profile {table}", inputs, work))
    return Profile.from_json(store.read_json(outcome.outputs["profile"]))


def kept_profile(
    ledger: Ledger, store: Store, table: str, commit: str, private: Collection[str] = ()
) -> "Profile | None":
    """The newest profile of a version that was kept, by its bench or by itself, without columns that are private now.

    None too where it is damaged or of an older format: then it is counted again.
    """
    with ledger.read() as reader:
        done = reader.find(Execution, step=[f"bench {table}", f"profile {table}"], order_by="-finished_at")
    kept = next((one.outputs["profile"] for one in done if one.inputs["commit"] == commit), None)
    if kept is None:
        return None
    from penstock.stats import Profile

    try:
        profile = Profile.from_json(store.read_json(kept))
    except (PenstockError, ValueError):
        return None
    return Profile(profile.rows, {name: column for name, column in profile.columns.items() if name not in private})
