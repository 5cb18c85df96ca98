"""Lineage: everything that something was made from, and everything that was made from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.ledger.records import Edge
from penstock.ledger.tables import table_of
from penstock.ledger.values import decode

if TYPE_CHECKING:
    from penstock.ledger.ledger import Reader


@dataclass(frozen=True)
class Lineage:
    """What a node hangs together with, nearest first.

    An edge's `target` was made from its `source`: going up follows targets to sources, going down
    sources to targets. `truncated` says that there is more than the limit of one direction.
    """

    start: str
    upstream: tuple[Edge, ...]
    downstream: tuple[Edge, ...]
    truncated: bool

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Both directions, each edge once."""
        return tuple(dict.fromkeys(self.upstream + self.downstream))

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every node, the start first."""
        ends = (end for edge in self.edges for end in (edge.source, edge.target))
        return tuple(dict.fromkeys([self.start, *ends]))


# UNION drops nodes that were seen, so circles end. CROSS JOIN makes SQLite look up the edges of each node as the walk
# reaches it, so LIMIT ends the walk; a JOIN lets it walk to the end first.
_WALK = """
WITH RECURSIVE
  above(node) AS (SELECT {text_value} UNION SELECT e.source FROM above CROSS JOIN edges e WHERE e.target = above.node),
  below(node) AS (SELECT {text_value} UNION SELECT e.target FROM below CROSS JOIN edges e WHERE e.source = below.node)
SELECT * FROM (
  SELECT 'up', e.source, e.target, e.role, e.at FROM above CROSS JOIN edges e WHERE e.target = above.node LIMIT ?
) AS upstream
UNION ALL SELECT * FROM (
  SELECT 'down', e.source, e.target, e.role, e.at FROM below CROSS JOIN edges e WHERE e.source = below.node LIMIT ?
) AS downstream
"""


def trace(reader: "Reader", start: str, *, up: bool = True, down: bool = True, limit: int = 1_000) -> Lineage:
    """The lineage of a node (`run:2f9c…`), at most `limit` edges in each direction, nearest first, by one query."""
    asked = [start, start, limit + 1 if up else 0, limit + 1 if down else 0]
    rows = reader.session.rows(_WALK.format(text_value=reader.session.text_value), asked)
    above = [row[1:] for row in rows if row[0] == "up"]
    below = [row[1:] for row in rows if row[0] == "down"]
    return Lineage(
        start=start,
        upstream=_edges(above[:limit]),
        downstream=_edges(below[:limit]),
        truncated=max(len(above), len(below)) > limit,
    )


def _edges(rows: Sequence[tuple[Any, ...]]) -> tuple[Edge, ...]:
    return tuple(decode(table_of(Edge), rows))
