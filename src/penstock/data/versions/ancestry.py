"""Which version came from which: `parents` gives the parents of a commit, none where they are not known."""

from collections.abc import Callable, Iterator, Sequence

Parents = Callable[[str], Sequence[str]]


def ancestors(parents: Parents, commit: str) -> Iterator[str]:
    """The commit and all it came from, nearest first."""
    seen = {commit}
    waiting = [commit]
    for one in waiting:
        yield one
        fresh = [parent for parent in parents(one) if parent not in seen]
        seen.update(fresh)
        waiting += fresh


def leads_to(parents: Parents, old: str, new: str) -> bool:
    """Whether `new` is `old` or came from it: then going from one to the other loses nothing."""
    return old in ancestors(parents, new)


def common_ancestor(parents: Parents, one: str, other: str) -> str | None:
    """The nearest version that both came from."""
    others = set(ancestors(parents, other))
    return next((commit for commit in ancestors(parents, one) if commit in others), None)
