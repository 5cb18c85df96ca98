"""Categories that are there in several spellings, which differ by nothing but case, blanks or Unicode form."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping

import polars as pl

from penstock.data.bench import sql
from penstock.data.bench.facts import Facts, is_text
from penstock.data.bench.finding import Finding

LEVELS = 50_000  # of a column that is looked at
REPEATED = 0.5  # different values by rows, at most: otherwise they are names of rows, or free text
NOTABLE = 0.01  # of the rows in a rarer spelling: a warning
ODD = 0.1  # of the rows in a case that no word has: there it carries a meaning, as in short random names
NAMED = 50  # categories that are kept
LISTED = 1_000  # spellings that a filter lists

# gRPC, xY7Qa, MWh; but not Words, WORDS, words, SeveralWords
_ODD_CASE = r"\b\p{Ll}+\p{Lu}|\p{Lu}{2,}\p{Ll}|\p{Ll}\p{Lu}(?:\p{Lu}|\P{L}|$)"
_INVISIBLE = "[\u00ad\u200b-\u200d\u2060\ufeff]"
_MEANT = ("<super>", "<sub>", "<fraction>", "<circle>")  # forms that say something else than the plain character
Spellings = Mapping[str, int]  # rows of each, the most frequent first


def spellings(facts: Facts) -> Iterator[Finding]:
    """Columns of text in which a category has several spellings."""
    for name in _categorical(facts):
        several = _several(_levels(facts, name))
        if several:
            yield _finding(facts, name, several)


def _categorical(facts: Facts) -> Iterator[str]:
    for name, column in facts.now.columns.items():
        present = facts.now.height - column.missing
        if not is_text(column.dtype) or column.constant or name in facts.context.identifying:
            continue
        if (column.distinct or 0) <= min(LEVELS, REPEATED * present):
            yield name


def _levels(facts: Facts, name: str) -> pl.DataFrame:
    """Every level with its rows, the most frequent first."""
    level = pl.col(name).cast(pl.String).alias("level")
    counted = facts.now.rows.select(level).drop_nulls().group_by("level").len("rows")
    return counted.sort("rows", "level", descending=[True, False]).collect(engine="streaming")


def _several(levels: pl.DataFrame) -> list[Spellings]:
    """The categories with several spellings, those with the most rows first."""
    case = _case_is_no_matter(levels)
    rough = pl.col("level").str.normalize("NFKC").str.to_lowercase().str.replace_all(rf"\s+|{_INVISIBLE}", "")
    groups: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for level, rows in levels.filter(rough.is_duplicated()).iter_rows():
        groups[_folded(level, case=case)][level] = rows
    return [group for group in groups.values() if len(group) > 1]


def _case_is_no_matter(levels: pl.DataFrame) -> bool:
    rows = pl.col("rows")
    odd = rows.filter(pl.col("level").str.contains(_ODD_CASE)).sum()
    return bool(levels.select(odd <= ODD * rows.sum()).item())


def _folded(level: str, *, case: bool) -> str:
    """What spellings of the same have in common."""
    plain = "".join(
        char if unicodedata.decomposition(char).startswith(_MEANT) else unicodedata.normalize("NFKC", char)
        for char in level
        if unicodedata.category(char) != "Cf"
    )
    words = " ".join(unicodedata.normalize("NFC", plain).split())
    return unicodedata.normalize("NFC", words.lower()) if case else words


def _finding(facts: Facts, name: str, several: list[Spellings]) -> Finding:
    rarer = {level: rows for group in several for level, rows in list(group.items())[1:]}
    count = sum(rarer.values())
    share = count / facts.now.height
    seen = facts.context.reaches_model(name) or name == facts.context.target
    shown = ", ".join(f"{_shown(level)} ({rows:,} rows)" for level, rows in list(several[0].items())[:5])
    alike = f"{len(several[0])} spellings of the same: {shown}"
    more = f"; so have {len(several) - 1:,} more of its categories" if len(several) > 1 else ""
    return Finding(
        "category", "warn" if seen and share >= NOTABLE else "info", (name,), f"{name!r} has {alike}{more}",
        why="to a model they are different categories, and the rarer one has too few rows to learn from",
        do="bring them to one spelling in a transform (`.str.strip_chars().str.to_lowercase()`), or at the source",
        count=count, share=share,
        filter=sql.is_in(name, rarer) if len(rarer) <= LISTED else None,
        evidence={"spellings": [dict(group) for group in several[:NAMED]]},
    )  # fmt: skip


def _shown(level: str) -> str:
    """Quoted; by the numbers of its characters where it looks like another spelling."""
    return repr(level) if unicodedata.normalize("NFC", level) == level else ascii(level)
