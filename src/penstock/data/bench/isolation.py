"""Rows that are odd as a whole although each of their values is not.

Values are replaced by normal scores of their ranks, so that a heavy tail is no oddity. Two views judge a row: an
isolation forest (Liu, Ting and Zhou 2008) sees rows alone in a corner, the Mahalanobis distance sees rows that break a
dependence between columns. A row is told when its score stands apart from all others by the rule of `tails`.
"""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

from penstock.data.bench import sql
from penstock.data.bench.encode import Floats, columns_for_model, matrix
from penstock.data.bench.facts import Facts, sampled
from penstock.data.bench.finding import Finding
from penstock.data.bench.tails import bound

ROWS = 20_000
FEWEST = 200
MOST = 0.02  # of the rows
TREES = 100
SHOWN = 20  # rows with their reasons
NAMED = 1_000  # keys that a filter lists
SMALLEST = 1e-3  # eigenvalue: columns that are nearly the same say nothing about a row

Score = Callable[[Floats], Floats]


def multivariate_outliers(facts: Facts) -> Iterator[Finding]:
    """Rows that stand apart from all others in several columns together, each with the columns that say so."""
    names = columns_for_model(facts, [n for n in facts.now.schema if n not in _left_out(facts)])
    if len(names) < 2 or facts.now.height < FEWEST:
        return
    sample = sampled(facts.now.rows, facts.now.height, ROWS)
    z = normal_scores(matrix(sample, names))
    odd: dict[int, tuple[float, list[str]]] = {}
    for score in (_forest(z, facts.context.seed), _mahalanobis(z)):
        scores = score(z)
        for row in apart(scores):
            odd.setdefault(row, (float(scores[row]), _reasons(score, z[row], names)))
    if odd:
        yield _finding(facts, sample, odd)


def apart(scores: Floats) -> list[int]:
    """The rows whose scores stand apart from all others, the largest first."""
    distances = scores - np.median(scores)
    limit = bound(np.sort(distances[distances > 0])[::-1], max(1, int(MOST * len(scores))))
    order = np.argsort(-scores, kind="stable")
    return [int(row) for row in order if distances[row] > limit]


def normal_scores(values: Floats) -> Floats:
    """Each column's ranks as quantiles of the normal distribution; 0 where missing."""
    from scipy.special import ndtri

    columns = []
    for column in values.T:
        known = np.isfinite(column)
        ranks = _midranks(column[known])
        scores = np.zeros(len(column))
        scores[known] = ndtri((ranks - 0.5) / max(len(ranks), 1))
        columns.append(scores)
    return np.column_stack(columns)


def _midranks(values: Floats) -> Floats:
    """1, 2, ...; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], dtype=np.float64)


def _forest(z: Floats, seed: int) -> Score:
    from sklearn.ensemble import IsolationForest

    fitted = IsolationForest(n_estimators=TREES, max_samples=min(256, len(z)), random_state=seed % 2**32).fit(z)
    return lambda rows: -np.asarray(fitted.score_samples(rows), dtype=np.float64)


def _mahalanobis(z: Floats) -> Score:
    values, vectors = np.linalg.eigh(np.cov(z, rowvar=False))
    kept = values > SMALLEST
    whiten = vectors[:, kept] / np.sqrt(values[kept])
    return lambda rows: np.asarray(np.sqrt(np.square(rows @ whiten).sum(axis=1)), dtype=np.float64)


def _reasons(score: Score, row: Floats, names: list[str], most: int = 3) -> list[str]:
    """The columns whose ordinary value would make the row most ordinary."""
    mended = np.repeat(row[None, :], len(names), axis=0)
    np.fill_diagonal(mended, 0.0)
    gain = score(row[None, :])[0] - score(mended)
    best = np.argsort(-gain, kind="stable")[:most]
    return [names[i] for i in best if gain[i] > 0]


def _finding(facts: Facts, sample: pl.DataFrame, odd: dict[int, tuple[float, list[str]]]) -> Finding:
    counts: dict[str, int] = {}
    for _, reasons in odd.values():
        for name in reasons:
            counts[name] = counts.get(name, 0) + 1
    columns = tuple(sorted(counts, key=lambda name: -counts[name])[:5])
    some = "" if sample.height == facts.now.height else f" of a sample of {sample.height:,}"
    rows = "1 row" if len(odd) == 1 else f"{len(odd):,} rows"
    return Finding(
        "multivariate_outlier", "warn", columns,
        f"{rows}{some} unlike all others, by {', '.join(columns)} together",
        why="values that are ordinary one by one and impossible together come from joins and mixed-up columns",
        do="look at the rows; a condition across columns in the contract keeps them out",
        count=len(odd), share=len(odd) / sample.height, filter=by_key(facts, sample, list(odd)),
        evidence={"rows": [_shown(facts, sample, row, *found) for row, found in list(odd.items())[:SHOWN]]},
    )  # fmt: skip


def by_key(facts: Facts, sample: pl.DataFrame, rows: list[int]) -> str | None:
    """A condition that selects rows of the sample by their key; None without a key of one column, or for too many."""
    key = facts.context.key
    if len(key) != 1 or len(rows) > NAMED or key[0] in facts.context.private or key[0] not in sample.columns:
        return None
    values = sample.get_column(key[0])[rows]
    plain = values.dtype.is_integer() or values.dtype == pl.String
    unique = sample.get_column(key[0]).is_unique().all() and not values.null_count()
    return sql.is_in(key[0], values.to_list()) if plain and unique else None


def _shown(facts: Facts, sample: pl.DataFrame, row: int, score: float, reasons: list[str]) -> dict[str, object]:
    """A row for the report: its key, and its values in the columns that make it odd, unless they are personal data."""
    wanted = [name for name in (*facts.context.key, *reasons) if name not in facts.context.private]
    values = {name: str(sample.get_column(name)[row])[:40] for name in wanted if name in sample.columns}
    return {"score": score, "columns": reasons, "values": values}


def _left_out(facts: Facts) -> set[str | None]:
    return {*facts.context.identifying, facts.context.target}
