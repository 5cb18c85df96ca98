"""The checks, and what runs them: (facts) -> findings, one small function each."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Literal, NamedTuple

from penstock.data.bench.facts import Facts
from penstock.data.bench.finding import Finding

Needs = Literal["rows", "before", "target"]


class Check(NamedTuple):
    """A generator `module:function` of this package, the kind of what it finds, and what it says nothing without."""

    name: str
    kind: str
    needs: Needs = "rows"

    def has_enough(self, facts: Facts) -> bool:
        """Whether there is what it needs: rows before these, or a target."""
        return {"rows": True, "before": facts.before is not None, "target": facts.target is not None}[self.needs]

    def find(self, facts: Facts) -> Iterator[Finding]:
        """Its module loads now."""
        module, _, function = self.name.partition(":")
        found: Iterator[Finding] = getattr(import_module(f"penstock.data.bench.{module}"), function)(facts)
        return found


QUICK = (
    Check("columns:schema", "schema", "before"),
    Check("columns:missing", "missing"),
    Check("columns:infinite", "outlier"),
    Check("columns:constant", "constant"),
    Check("categories:categories", "category", "before"),
    Check("spellings:spellings", "category"),
    Check("columns:freshness", "freshness"),
    Check("columns:class_balance", "class_balance", "target"),
    Check("duplicate_rows:duplicate_rows", "duplicate_rows"),
    Check("duplicate_columns:duplicate_columns", "duplicate_columns"),
    Check("outliers:outliers", "outlier"),
    Check("shift:shift", "shift", "before"),
    Check("leakage:proxies", "leakage", "target"),
    Check("leakage:later", "leakage", "target"),
    Check("labels:label_conflict", "label_conflict", "target"),
)
# what takes a model, or every row twice; scikit-learn loads with the first of them
FULL = (
    Check("overlap:overlap", "overlap"),
    Check("isolation:multivariate_outliers", "multivariate_outlier"),
    Check("domain:multivariate_shift", "multivariate_shift", "before"),
    Check("confident:mislabelled", "mislabelled", "target"),
)
TELLING_VALUES = {
    "constant": "one value in every row",
    "outlier": "values far from all others",
    "shift": "spread otherwise than before",
    "category": "categories that came, went or have several spellings",
    "class_balance": "rare classes",
}


def run_checks(facts: Facts, depth: str, kinds: Collection[str] = ()) -> list[Finding]:
    """What the checks of a depth find; of these kinds only, where some are named."""
    found = _found(QUICK, facts, kinds)
    if depth == "full":
        import sklearn.ensemble  # noqa: F401  the limit holds for libraries that are loaded when it is set
        from threadpoolctl import threadpool_limits

        # small fits on several threads wait for each other longer than they work, most of all on a busy machine
        with threadpool_limits(limits=1):
            found += _found(FULL, facts, kinds)
    return [_discreet(facts, finding) for finding in found]


def _discreet(facts: Facts, finding: Finding) -> Finding:
    """Without the values of a column that holds personal data."""
    private = [name for name in finding.columns if name in facts.context.private]
    if not private or finding.kind not in TELLING_VALUES:
        return finding
    what = (
        f"{', '.join(map(repr, private))}: {TELLING_VALUES[finding.kind]}; its values are personal data, so not shown"
    )
    return replace(finding, what=what, filter=None, evidence={})


def _found(checks: Sequence[Check], facts: Facts, kinds: Collection[str]) -> list[Finding]:
    wanted = [check for check in checks if (not kinds or check.kind in kinds) and check.has_enough(facts)]
    return [finding for check in wanted for finding in check.find(facts)]
