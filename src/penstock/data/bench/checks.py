"""The checks, and what runs them: (facts) -> findings, one small function each."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from importlib import import_module

from penstock.data.bench.facts import Facts
from penstock.data.bench.finding import Finding

Check = Callable[[Facts], Iterator[Finding]]

# each with the kind of what it finds
QUICK = {
    "columns:schema": "schema",
    "columns:missing": "missing",
    "columns:infinite": "outlier",
    "columns:constant": "constant",
    "columns:categories": "category",
    "columns:freshness": "freshness",
    "columns:class_balance": "class_balance",
    "duplicates:duplicate_rows": "duplicate_rows",
    "duplicates:duplicate_columns": "duplicate_columns",
    "outliers:outliers": "outlier",
    "shift:shift": "shift",
    "leakage:proxies": "leakage",
    "leakage:later": "leakage",
    "labels:label_conflict": "label_conflict",
}
# what takes a model, or every row twice; scikit-learn loads with the first of them
FULL = {
    "overlap:overlap": "overlap",
    "isolation:multivariate_outliers": "multivariate_outlier",
    "domain:multivariate_shift": "multivariate_shift",
    "confident:mislabelled": "mislabelled",
}
TELLING_VALUES = {
    "constant": "one value in every row",
    "outlier": "values far from all others",
    "shift": "spread otherwise than before",
    "category": "categories that came or went",
    "class_balance": "rare classes",
}


def run_checks(facts: Facts, depth: str, kinds: Collection[str] = ()) -> list[Finding]:
    """What the checks of a depth find; of these kinds only, where some are named."""
    found = [finding for check in _checks(QUICK, kinds) for finding in check(facts)]
    if depth == "full":
        import sklearn.ensemble  # noqa: F401  the limit holds for libraries that are loaded when it is set
        from threadpoolctl import threadpool_limits

        # small fits on several threads wait for each other longer than they work, most of all on a busy machine
        with threadpool_limits(limits=1):
            found += [finding for check in _checks(FULL, kinds) for finding in check(facts)]
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


def _checks(named: Mapping[str, str], kinds: Collection[str]) -> Iterator[Check]:
    for name, kind in named.items():
        if not kinds or kind in kinds:
            module, _, function = name.partition(":")
            yield getattr(import_module(f"penstock.data.bench.{module}"), function)
