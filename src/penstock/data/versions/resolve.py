"""Which version a text means, and which versions a branch has had."""

import re
from datetime import UTC, datetime

from penstock.data.versions.position import QUARANTINE
from penstock.data.versions.refs import MAIN, current, head
from penstock.digest import short
from penstock.errors import UsageError
from penstock.ledger import Reader, Ref, RefMove, Version

SHORTEST_PREFIX = 4


def history(reader: Reader, dataset: str, branch: str = MAIN) -> list[Version]:
    """Every version that a branch has had, each once, the last published first: that is what it points to.

    Before a branch began it had what `main` had.
    """
    return list(dict.fromkeys(version for _, version in _publications(reader, dataset, branch)))


def branches(reader: Reader) -> list[Ref]:
    """Every branch and tag of every dataset, with its head. What was set aside moves with its dataset."""
    return [ref for ref in reader.find(Ref) if not ref.dataset.endswith(QUARANTINE)]


def resolve(reader: Reader, text: str, branch: str = MAIN) -> Version:
    """The version that `text` means to who works on `branch`. UsageError when there is none, or when several fit.

    flights               the newest
    flights@before-fix    a tag or a branch
    flights@3f9c2a        a commit, or the beginning of one
    flights@2026-03-31    the newest at the end of that day (UTC); a time of day may follow: 2026-03-31T12:00
    """
    dataset, _, at = text.partition("@")
    known = {ref.dataset for ref in reader.find(Ref)}
    if dataset not in known:
        raise UsageError.unknown("dataset", dataset, known, hint="penstock data ingest")
    if at in ("", branch):
        found = current(reader, dataset, branch)
    else:
        found = head(reader, dataset, at) or _by_time(reader, dataset, at, branch) or _by_prefix(reader, dataset, at)
    if found is None:
        names = [
            *(ref.name for ref in reader.find(Ref, dataset=dataset)),
            *(short(one.commit) for one in reader.find(Version, dataset=dataset)),
        ]
        raise UsageError.unknown(f"version of {dataset}", at, names, hint=f"penstock data log {dataset}")
    return found


def _by_time(reader: Reader, dataset: str, text: str, branch: str) -> Version | None:
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time", expected="2026-03-31 or 2026-03-31T12:00") from None
    if len(text) == len("2026-03-31"):
        moment = moment.replace(hour=23, minute=59, second=59, microsecond=999999)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    published = _publications(reader, dataset, branch)
    if published and moment < published[-1][0]:
        what = f"{dataset} had no version yet at {text}"
        expected = f"{published[-1][0]:%Y-%m-%d}, when the first one came, or later"
        raise UsageError(what, expected=expected, hint=f"penstock data log {dataset}")
    return next((version for at, version in published if at <= moment), None)


def _publications(reader: Reader, dataset: str, branch: str) -> list[tuple[datetime, Version]]:
    """When the branch came to which version, the last first; one that came back stands there twice."""
    moves = reader.find(RefMove, dataset=dataset, name=branch, order_by="-number")
    if branch != MAIN:
        before = reader.find(RefMove, dataset=dataset, name=MAIN, order_by="-number")
        moves += [move for move in before if not moves or move.at <= moves[-1].at]
    versions = {version.commit: version for version in reader.find(Version, dataset=dataset)}
    return [(move.at, versions[move.commit]) for move in moves]


def _by_prefix(reader: Reader, dataset: str, prefix: str) -> Version | None:
    if len(prefix) < SHORTEST_PREFIX:
        return None
    found = [version for version in reader.find(Version, dataset=dataset) if version.commit.startswith(prefix)]
    if len(found) > 1:
        raise UsageError(
            f"{prefix!r} is the beginning of {len(found)} versions of {dataset}", expected="more of its characters"
        )
    return found[0] if found else None
