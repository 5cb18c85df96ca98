"""Words about a run, which may be changed after it ended."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from penstock.errors import UsageError
from penstock.ledger import Run, Tag

if TYPE_CHECKING:
    from penstock.ledger import Ledger


def tag_run(ledger: "Ledger", run: Run, tags: Mapping[str, str], *, remove: Iterable[str] = ()) -> tuple[Tag, ...]:
    """Give a run tags, in place of those of the same name, take others away, and return all it has now.

    UsageError for a name without a character, and for one to take away that the run does not have: nothing is
    changed then.
    """
    if not all(name.strip() for name in tags):
        raise UsageError("a tag needs a name", expected="NAME=VALUE")
    with ledger.write() as transaction:
        there = {tag.name for tag in transaction.find(Tag, run=run.id)}
        for name in remove:
            if name not in there:
                raise UsageError.unknown(f"tag of run {run.number}", name, there)
            transaction.remove(Tag, run=run.id, name=name)
        transaction.put(*(Tag(run.id, name.strip(), value) for name, value in tags.items()))
        return tuple(transaction.find(Tag, run=run.id, order_by="name"))
