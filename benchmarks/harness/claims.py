"""A claim: a number of ours, a number of theirs, and whether the goal is met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.timing import Timing


@dataclass(frozen=True)
class Claim:
    """One line.

    name    five steps, fresh process
    ours    0.41 s
    theirs  0.52 s, of `rival`
    goal    faster than Kedro, DVC, Metaflow and ZenML
    """

    name: str
    ours: float
    theirs: float
    rival: str
    goal: str
    holds: bool
    unit: str = "s"

    def __str__(self) -> str:
        ratio = f"{self.ours / self.theirs:.2f}" if self.theirs else "-"
        return (
            f"{self.name}: ours {self.ours:.3g} {self.unit}, {self.rival} {self.theirs:.3g} {self.unit}, "
            f"ratio {ratio}, goal {self.goal}, {'holds' if self.holds else 'falls short'}"
        )


def race(name: str, ours: Timing, theirs: Mapping[str, Timing]) -> Claim:
    """Faster than every peer, by the clock and in CPU seconds; the line shows the peer that comes closest."""
    rival = min(theirs, key=lambda peer: theirs[peer].wall)
    holds = all(ours.wall < peer.wall and ours.cpu < peer.cpu for peer in theirs.values())
    return Claim(name, ours.wall, theirs[rival].wall, rival, f"faster than {', '.join(theirs)}", holds)


def within(name: str, limit: float, ours: Timing, rival: str, theirs: Timing) -> Claim:
    """At most `limit` CPU seconds, which other work on the machine moves less than the clock's."""
    return Claim(name, ours.cpu, theirs.cpu, rival, f"at most {limit:g} s", ours.cpu <= limit, "CPU s")


def ahead(name: str, least: float, ours: Timing, rival: str, theirs: Timing) -> Claim:
    """At least `least` times as fast as a peer, in CPU seconds."""
    return Claim(name, ours.cpu, theirs.cpu, rival, f"{least:g}x as fast", theirs.cpu >= least * ours.cpu, "CPU s")


def report(claims: Sequence[Claim]) -> int:
    """Print a line for each; the exit code."""
    for claim in claims:
        print(claim, flush=True)
    return 0 if all(claim.holds for claim in claims) else 1
