"""What the project knows about a table: the objective's target, keys, times, and what a request holds."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.project import ProjectFile


@dataclass(frozen=True)
class Context:
    """What is known about the table beside its rows.

    target   the column to predict, where the table holds the examples
    request  the columns that are known when a prediction is asked for; () where nobody has said
    limit    how old its newest row may be when it is published
    private  columns with personal data: their values stand in no finding
    """

    key: tuple[str, ...] = ()
    time: str | None = None
    target: str | None = None
    task: str | None = None
    request: tuple[str, ...] = ()
    holdout: str | None = None
    seed: int = 7
    limit: timedelta | None = None
    published: datetime | None = None
    private: tuple[str, ...] = ()

    def reaches_model(self, column: str) -> bool:
        """Whether a model can see the column: what no request holds, it cannot."""
        return not self.request or column in self.request

    @property
    def identifying(self) -> tuple[str, ...]:
        """The columns that say which row it is and when, not what it is like."""
        return (*self.key, *((self.time,) if self.time else ()))

    def settings(self) -> dict[str, Any]:
        """Everything above that decides what is found, as JSON."""
        return {
            "key": list(self.key),
            "time": self.time,
            "target": self.target,
            "task": self.task,
            "request": list(self.request),
            "holdout": self.holdout,
            "seed": self.seed,
            "limit": self.limit.total_seconds() if self.limit else None,
        }


def private_columns(project: "ProjectFile", table: str) -> tuple[str, ...]:
    """The columns that the contracts behind a dataset or a transform call personal data."""
    from penstock.data.contracts.contract_file import load_contract

    data = project.config.data
    if table in data.transforms:
        return tuple(name for source in data.transforms[table].inputs for name in private_columns(project, source))
    spec = data.datasets.get(table)
    if spec is None or spec.contract is None:
        return ()
    contract = load_contract(project.root / spec.contract, spec.contract)
    return tuple(name for name, column in contract.columns.items() if column.pii)


def context_of(project: "ProjectFile", table: str, published: datetime | None = None) -> Context:
    """What the project file says about a dataset or a transform."""
    config = project.config
    spec = config.data.datasets.get(table)
    key, time = (spec.key, spec.time) if spec else ((), None)
    if table != config.data.examples or config.objective is None:
        return Context(key=key, time=time, published=published)
    return Context(
        key=key or ((config.data.key,) if config.data.key else ()),
        time=time or config.data.time,
        target=config.objective.target.column,
        task=config.objective.target.task,
        request=config.data.request,
        holdout=config.train.holdout if config.train else None,
        seed=config.train.seed if config.train else 7,
        limit=config.objective.slas.freshness,
        published=published,
    )
