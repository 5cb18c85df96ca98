"""The checks, and what runs them: (facts) -> findings, one small function each."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from importlib import import_module

from penstock.data.bench.facts import Facts
from penstock.data.bench.finding import Finding

Check = Callable[[Facts], Iterator[Finding]]

QUICK = (
    "columns:schema",
    "columns:missing",
    "columns:infinite",
    "columns:constant",
    "columns:categories",
    "columns:freshness",
    "columns:class_balance",
    "duplicates:duplicate_rows",
    "duplicates:duplicate_columns",
    "outliers:outliers",
    "shift:shift",
    "leakage:proxies",
    "leakage:later",
    "labels:label_conflict",
)
# what takes a model, or every row twice; scikit-learn loads with the first of them
FULL = ("overlap:overlap", "isolation:multivariate_outliers", "domain:multivariate_shift", "confident:mislabelled")
TELLING_VALUES = {
    "constant": "one value in every row",
    "outlier": "values far from all others",
    "shift": "spread otherwise than before",
    "category": "categories that came or went",
    "class_balance": "rare classes",
}


def run_checks(facts: Facts, depth: str, kinds: Collection[str] = ()) -> list[Finding]:
    """What the checks of a depth find; of these kinds only, where some are named."""
    found = [finding for name in QUICK for finding in _check(name)(facts)]
    if depth == "full":
        import sklearn.ensemble  # noqa: F401  the limit holds for libraries that are loaded when it is set
        from threadpoolctl import threadpool_limits

        # small fits on several threads wait for each other longer than they work, most of all on a busy machine
        with threadpool_limits(limits=1):
            found += [finding for name in FULL for finding in _check(name)(facts)]
    return [_discreet(facts, finding) for finding in found if not kinds or finding.kind in kinds]


def _discreet(facts: Facts, finding: Finding) -> Finding:
    """Without the values of a column that holds personal data."""
    private = [name for name in finding.columns if name in facts.context.private]
    if not private or finding.kind not in TELLING_VALUES:
        return finding
    what = (
        f"{', '.join(map(repr, private))}: {TELLING_VALUES[finding.kind]}; its values are personal data, so not shown"
    )
    return replace(finding, what=what, filter=None, evidence={})


def _check(name: str) -> Check:
    module, _, function = name.partition(":")
    check: Check = getattr(import_module(f"penstock.data.bench.{module}"), function)
    return check
