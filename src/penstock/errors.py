"""Every error that Penstock raises on purpose.

    PenstockError                 exit 1   something failed
    ├── UsageError                exit 2   the call or a name in it is wrong
    │   ├── ConfigError           exit 2   penstock.yaml or a contract is wrong; carries every problem
    │   └── FunctionError         exit 2   a user's function cannot be loaded or has the wrong shape
    ├── UserCodeError             exit 1   a user's function raised
    ├── Killed                    exit 1   a process that did the work was ended by a signal
    ├── Pruned                    exit 1   a training was ended early, for its values promised nothing
    ├── GateRefused               exit 3   a gate, a sign-off or an approval is lacking
    ├── ContractBroken            exit 4   data do not keep their contract
    ├── Conflict                  exit 5   somebody else moved first
    ├── Damaged                   exit 1   stored bytes are not what was written
    ├── Untrusted                 exit 1   a bundle is unsigned, altered or not allowed
    └── MissingExtra              exit 1   an optional library is not installed

Each carries what happened, where, what was expected and what to do next as data;
the sentence is put together only when somebody reads it.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple


class PenstockError(Exception):
    """Root of the tree. `exit_code` is what the command line ends with."""

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.expected = expected
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        lines = [head]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.hint:
            lines.append(f"  next: {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)

    def as_dict(self) -> dict[str, object]:
        """The same facts for machines (`--json`)."""
        facts = {"what": self.what, "where": self.where, "expected": self.expected, "next": self.hint}
        known = {key: value for key, value in facts.items() if value is not None}
        return {"error": type(self).__name__, "exit_code": self.exit_code, **known}


def _restored(kind: type[PenstockError], args: tuple[Any, ...], facts: Mapping[str, Any]) -> PenstockError:
    """An error of another process: some classes are made from other things than they carry."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


class UsageError(PenstockError):
    """The call, or a name in it, is wrong."""

    exit_code = 2

    @classmethod
    def unknown(
        cls, kind: str, name: str, known: Iterable[str], *, where: str | None = None, hint: str | None = None
    ) -> "UsageError":
        """A name that does not exist, with the closest one that does."""
        return cls(f"unknown {kind} {name!r}{did_you_mean(name, known)}", where=where, hint=hint)


class Problem(NamedTuple):
    """One thing that is wrong in a file."""

    where: str  # "penstock.yaml:12:5"
    what: str
    expected: str | None = None

    def __str__(self) -> str:
        tail = f" (expected {self.expected})" if self.expected else ""
        return f"{self.where}: {self.what}{tail}"


class ConfigError(UsageError):
    """A file of the project is wrong; all its problems at once."""

    def __init__(self, problems: Sequence[Problem], *, hint: str | None = None) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem" + ("s" if len(self.problems) != 1 else "")
        super().__init__(count, hint=hint)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems]
        lines += [f"  next: {self.hint}"] if self.hint else []
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """With every problem."""
        listed = [{"where": p.where, "what": p.what, "expected": p.expected} for p in self.problems]
        return {**super().as_dict(), "problems": listed}


class FunctionError(UsageError):
    """A user's function cannot be loaded, or does not take what it will be given."""


class UserCodeError(PenstockError):
    """A user's function raised; `where` is the line in the user's file, `__cause__` the error."""


class Killed(PenstockError):
    """A process that did the work was ended by a signal, before it had a result."""


class Pruned(PenstockError):
    """A training was ended early, for the values that it reported promised nothing."""


class GateRefused(PenstockError):
    """Something that must hold before a model may go on does not; `lacks` lists each thing."""

    exit_code = 3

    def __init__(
        self, what: str, *, lacks: Sequence[str] = (), where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.lacks = tuple(lacks)

    def __str__(self) -> str:
        head, *rest = super().__str__().split("\n")
        return "\n".join([head, *(f"  lacks: {lack}" for lack in self.lacks), *rest])

    def as_dict(self) -> dict[str, object]:
        """With everything that lacks."""
        return {**super().as_dict(), "lacks": list(self.lacks)}


class ContractBroken(PenstockError):
    """Data do not keep their contract; `table` holds a row per column or rule that broke."""

    exit_code = 4

    def __init__(
        self, what: str, *, table: Sequence[dict[str, object]] = (), where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.table = tuple(table)

    def __str__(self) -> str:
        head, *rest = super().__str__().split("\n")
        rows = ["  " + ", ".join(f"{key}: {value}" for key, value in row.items()) for row in self.table]
        return "\n".join([head, *rows, *rest])

    def as_dict(self) -> dict[str, object]:
        """With a row per column or rule that broke."""
        return {**super().as_dict(), "table": list(self.table)}


class Conflict(PenstockError):
    """Somebody else moved a ref, holds a lease or decided first; nothing was changed."""

    exit_code = 5


class Damaged(PenstockError):
    """Stored bytes are missing or are not the bytes that were written."""


class Untrusted(PenstockError):
    """A bundle is unsigned, altered, signed by a stranger or holds what is not allowed."""


class MissingExtra(PenstockError):
    """An optional library is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"{library} is not installed",
            hint=f"pip install 'penstock[{extra}]'",
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or a list of what there is, or nothing."""
    names = sorted(known)
    plain = name.strip().casefold()
    same = [one for one in names if one.strip().casefold() == plain]
    close = same or get_close_matches(name, names, n=1) or [one for one in names if name and one.startswith(name)]
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (there is: {', '.join(names[:12])})" if names else ""
