"""What the ledger holds: one immutable record per table.

Field names are column names. Digests are 64 hexadecimal characters, times are aware UTC datetimes,
mappings and lists are JSON. Records link to each other through `Edge`s between nodes, which are
`kind:id` texts made by `node()`; edges are written by the steps, never by a user.

They are named tuples because every command loads all of them: a class of this kind is made in a tenth of the time
that a frozen dataclass takes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

Json = Mapping[str, Any]

KINDS = (
    "data", "code", "environment", "image", "objective", "signoff", "run", "bundle", "model",
    "evaluation", "approval", "deployment", "prediction", "window", "alert", "action",
)  # fmt: skip


def node(kind: str, key: str) -> str:
    """The name of a node of the lineage graph: `run:2f9c…`, `model:flight-delay@3`."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind of node {kind!r}")
    return f"{kind}:{key}"


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


class Version(NamedTuple):
    """A version of a dataset. `commit` names its history, `content` its data."""

    commit: str
    dataset: str
    content: str
    schema: str
    rows: int
    bytes: int
    producer: str  # key of the execution that made it
    created_at: datetime


class Ref(NamedTuple):
    """A name that points to a version: a branch moves forward, a tag never moves."""

    dataset: str
    name: str
    kind: str  # branch | tag | remote (a branch elsewhere that has diverged from ours)
    commit: str
    updated_at: datetime


class RefMove(NamedTuple):
    """A branch came to a version. `number` counts from 1 in each branch."""

    dataset: str
    name: str
    number: int
    commit: str
    at: datetime


class Execution(NamedTuple):
    """A step that ran: `key` is the digest of `inputs`, so the same inputs find it again."""

    key: str
    step: str
    inputs: Json
    outputs: Json
    seconds: float
    finished_at: datetime


class Run(NamedTuple):
    """One training: everything that went in, and what came out.

    Of a run that was only tracked (a notebook, a script, another tool) `function` is what ran, and what nobody
    told is empty.
    """

    id: str
    number: int
    status: str  # running | finished | failed | killed | pruned
    key: str  # key of the execution: same inputs, same key
    function: str  # pipeline:fit
    params: Json
    seed: int
    data: Json  # dataset -> commit
    features: Json  # view -> digest of its code and settings
    code: str  # digest of the user's source files (blob of {path: blob digest})
    git_commit: str | None
    patch: str | None  # blob: uncommitted diff against git_commit
    environment: str  # blob: Python, distributions, platform, threads
    host: Json
    pid: int
    started_at: datetime
    finished_at: datetime | None = None
    bundle: str | None = None
    content_hash: str | None = None
    probe_hash: str | None = None
    log: str | None = None  # blob: what the training printed
    error: str | None = None
    kind: str = "training"  # training | tracked | trial (of a search)
    name: str = ""
    experiment: str = ""  # runs that belong together


class Param(NamedTuple):
    """A parameter of a run, searchable; as a number too where it is one."""

    run: str
    name: str
    value: str
    number: float | None = None


class Tag(NamedTuple):
    """A word about a run, which may be changed."""

    run: str
    name: str
    value: str


class Metric(NamedTuple):
    """A number of a run: the newest value, and what all of them were between."""

    run: str
    name: str
    value: float
    step: int
    at: datetime
    low: float
    high: float
    n: int


class MetricPoint(NamedTuple):
    """One value of a metric; `number` counts from 1 in the order of arrival."""

    run: str
    name: str
    number: int
    step: int
    value: float
    at: datetime


class Artifact(NamedTuple):
    """A file of a run, kept as a blob."""

    run: str
    name: str
    digest: str
    bytes: int


class SealedBundle(NamedTuple):
    """A bundle in the store: `digest` is that of its manifest, which is signed."""

    digest: str
    run: str
    format: str  # skops | lightgbm | xgboost | onnx
    bytes: int
    public_key: str
    signature: str
    created_at: datetime


class ModelVersion(NamedTuple):
    """A registered bundle. `number` counts from 1 in each model."""

    model: str
    number: int
    bundle: str
    run: str
    evaluation: str | None
    state: str  # candidate | staging | production | archived
    note: str
    created_at: datetime

    @property
    def name(self) -> str:
        """`flight-delay@3`"""
        return f"{self.model}@{self.number}"


class Transition(NamedTuple):
    """A change of a model version's state, with the reason."""

    id: str
    model: str
    number: int
    before: str | None
    after: str
    actor: str
    reason: str
    at: datetime


class Evaluation(NamedTuple):
    """A judgement of a bundle on a dataset version. `record` is the blob with every number."""

    id: str
    bundle: str
    champion: str | None  # bundle
    data: str  # commit of the holdout
    objective: str  # digest of the objective judged against
    gates: str  # digest of the gates
    verdict: str  # PASS | FAIL | UNDECIDED
    record: str
    at: datetime


class GateResult(NamedTuple):
    """One gate of an evaluation."""

    evaluation: str
    position: int
    gate: str
    metric: str
    slice: str  # "" for all rows
    rule: str
    severity: str  # block | warn
    value: float | None
    low: float | None
    high: float | None
    reference: float | None  # the champion's or baseline's value
    threshold: float | None
    n: int
    outcome: str  # PASS | FAIL | UNDECIDED
    reason: str


class SignOff(NamedTuple):
    """A stakeholder's signature under an objective; void when the objective's digest changes."""

    id: str
    objective: str
    name: str
    role: str
    note: str
    at: datetime


class Approval(NamedTuple):
    """A person's yes to a model version entering a state."""

    id: str
    model: str
    number: int
    state: str
    name: str
    role: str
    reason: str
    at: datetime


class Deployment(NamedTuple):
    """What an endpoint was told to answer with. The newest generation is in force."""

    id: str
    endpoint: str
    generation: int
    model: str
    number: int
    bundle: str
    kind: str  # promote | rollback | refresh (newer rows of its feature views)
    actor: str
    reason: str
    at: datetime


class SeriesPoint(NamedTuple):
    """A monitored number over one window. `subject` is a feature or slice, "" for the whole."""

    endpoint: str
    metric: str
    subject: str
    window_start: datetime
    window_end: datetime
    model: str  # flight-delay@3, or "*" for all
    value: float
    n: int
    at: datetime


class Alert(NamedTuple):
    """A rule that fired. One open alert per (endpoint, rule, subject)."""

    id: str
    endpoint: str
    rule: str
    subject: str
    severity: str  # info | warn | page
    state: str  # firing | resolved
    value: float
    threshold: float
    message: str
    window_start: datetime
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None = None


class Action(NamedTuple):
    """Something the loop did by itself. `key` makes it happen once."""

    id: str
    key: str
    kind: str  # retrain
    trigger: str
    reason: str
    state: str  # running | promoted | refused | registered | unchanged | failed
    outcome: Json
    started_at: datetime
    finished_at: datetime | None = None


class Cursor(NamedTuple):
    """How far a log has been read: makes compaction idempotent."""

    name: str
    position: Json
    updated_at: datetime


class Lease(NamedTuple):
    """The right to act alone until `expires_at`; `token` grows whenever it is taken over."""

    name: str
    holder: str
    token: int
    expires_at: datetime


class AuditEntry(NamedTuple):
    """A decision. `digest` covers the entry and `previous`, so a changed row breaks the chain."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    reason: str
    payload: Json
    previous: str
    digest: str
    public_key: str
    signature: str


class Edge(NamedTuple):
    """`target` was made from `source`, in the given role."""

    source: str
    target: str
    role: str
    at: datetime
