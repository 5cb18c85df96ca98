"""The section `data` of the project file, typed."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    model_validator,
)

from penstock.errors import did_you_mean
from penstock.project.settings import Delimiter, Duration, Encoding, Name, Names, Reference, Section, Share

BENCH_KINDS = (
    "schema", "missing", "constant", "duplicate_rows", "duplicate_columns", "outlier", "multivariate_outlier",
    "shift", "multivariate_shift", "category", "leakage", "overlap", "label_conflict", "mislabelled",
    "class_balance", "freshness",
)  # fmt: skip


def _known_kind(kind: str) -> str:
    if kind not in BENCH_KINDS:
        raise ValueError(f"unknown kind of finding {kind!r}{did_you_mean(kind, BENCH_KINDS)}")
    return kind


class Bench(Section):
    """What each new version is searched for before anything trains.

    stop: [leakage, schema]    a warning or an error of these kinds ends the run with exit code 4
    """

    depth: Literal["quick", "full", "off"] = "quick"  # full: also what takes a model to find
    stop: Annotated[
        tuple[Annotated[str, AfterValidator(_known_kind)], ...],
        BeforeValidator(lambda v: (v,) if isinstance(v, str) else v, json_schema_input_type=str | list[str]),
        Field(description=f"of {', '.join(BENCH_KINDS)}"),
    ] = ()


class FileSource(Section):
    """Files that need to be told how they are read; what is not said is found out.

    {path: exports/*.txt, delimiter: "~", encoding: cp1250}
    {path: s3://lake/2024/*.xlsx, sheet: Flights, header: 3}
    """

    path: str  # a path or a glob, in the project or under s3://, gs:// or az://
    delimiter: Delimiter | None = None  # between the cells of a text file
    encoding: Encoding | None = None  # of a text file: utf-8, cp1252, utf-16-le, ...
    sheet: str | None = None  # of an Excel workbook that has several
    header: int | None = Field(default=None, ge=1)  # the row of an Excel sheet that names the columns


class SqlSource(Section):
    """Rows of a database: PostgreSQL, MySQL or MariaDB, SQLite.

    {url: "${WAREHOUSE_URL}", table: sales.orders}
    {url: "${WAREHOUSE_URL}", sql: "SELECT id, total FROM orders WHERE paid", changed: "SELECT max(paid) FROM orders"}
    """

    url: SecretStr  # postgresql://USER:PASSWORD@HOST/DATABASE, mysql://…, sqlite:///FILE
    sql: str | None = None  # a query; in append mode `:since` is the newest watermark that is there, NULL at first
    table: str | None = None  # TABLE or SCHEMA.TABLE: all of its rows
    changed: str | None = None  # a query; while its answer is the same, the rows are not read again

    @model_validator(mode="after")
    def _query_or_table(self) -> "SqlSource":
        if (self.sql is None) == (self.table is None):
            raise ValueError("a database source has either `sql` or `table`")
        return self


def _kind_of_source(value: object) -> str:
    """Which of the kinds below is meant, so that an error is about that one alone."""
    if isinstance(value, list | tuple):
        return "<list>"
    if isinstance(value, SqlSource) or (isinstance(value, dict) and value.keys() & {"url", "sql", "table", "changed"}):
        return "<database>"
    return "<files>" if isinstance(value, dict | FileSource) else "<text>"


def _some(sources: tuple[object, ...]) -> tuple[object, ...]:
    if not sources:
        raise ValueError("the list of sources is empty")
    return sources


OneSource = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[FileSource, Tag("<files>")] | Annotated[SqlSource, Tag("<database>")],
    Discriminator(_kind_of_source),
]
Source = Annotated[
    Annotated[str, Tag("<text>")]
    | Annotated[FileSource, Tag("<files>")]
    | Annotated[SqlSource, Tag("<database>")]
    | Annotated[tuple[OneSource, ...], AfterValidator(_some), Tag("<list>")],
    Discriminator(_kind_of_source),
]


class Dataset(Section):
    """Where rows come from and what identifies them."""

    source: Source  # a path, a glob, images/, s3://…, module:function, a mapping as below, or a list of these
    # append: what was not seen before is added; upsert: rows replace those of the same key
    mode: Literal["snapshot", "append", "upsert"] = "snapshot"
    watermark: str | None = None  # append: only rows after the newest one kept; upsert: the larger one wins
    key: Names = ()  # the columns that name a row
    time: str | None = None  # the column that says when it happened
    contract: str | None = None  # contracts/NAME.yaml
    max_quarantined: Share = 0.05  # more bad rows than this are a break
    bench: Bench = Field(default_factory=Bench.model_construct)


class Transform(Section):
    """A function from dataset versions to a dataset version: `def f(a: LazyFrame, b: LazyFrame) -> LazyFrame`."""

    function: Reference
    inputs: Names = Field(alias="from")  # datasets or transforms
    bench: Bench | None = None  # without it, the examples are searched for leakage and wrong labels, others are not


class FeatureView(Section):
    """A function that computes features.

    from: request     def f(requests: DataFrame) -> DataFrame            rows out == rows in, same order
    from: DATASET     def f(rows: LazyFrame) -> LazyFrame                keeps `entity` and `time`; joined as of
                                                                         the time the prediction is asked for
    """

    function: Reference
    source: str = Field(alias="from")  # request, a dataset or a transform
    entity: Names = ()  # columns that requests and rows share
    time: str | None = None  # the column that says when a row was true
    available: Duration = timedelta(0)  # rows are known this long after `time`
    ttl: Duration | None = None  # older rows count as missing

    @model_validator(mode="after")
    def _stored_views_name_entity_and_time(self) -> "FeatureView":
        if self.source == "request":
            if self.entity or self.time or self.ttl or self.available:
                raise ValueError("a view `from: request` takes no entity, time, available or ttl")
        elif not self.entity or not self.time:
            raise ValueError(f"a view from dataset {self.source!r} needs `entity` and `time`")
        return self


class Data(Section):
    """Datasets, what is derived from them, and the features of an example."""

    branch: str = Field(default="git", pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$")  # git: the one that is checked out
    remote: str | None = None  # s3://BUCKET/PREFIX, gs://…, az://… or a directory, for push and pull
    datasets: dict[Name, Dataset] = Field(default={})
    transforms: dict[Name, Transform] = Field(default={})
    examples: str | None = None  # the dataset or transform with one row per example
    request: tuple[str, ...] = ()  # columns of an example that are known when a prediction is asked for
    key: str | None = None  # the request column that names an example; feedback joins on it
    time: str | None = None  # the request column that says when the prediction is asked for
    features: dict[Name, FeatureView] = Field(default={})
