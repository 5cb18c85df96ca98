"""`penstock data watch`: look at the sources, ingest what arrived, until told to end."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from penstock.api.stopping import Stop, Told
from penstock.api.workspace import Workspace
from penstock.ledger import hold_lease

if TYPE_CHECKING:
    from penstock.data import Arrival

LEASE = "data:watch"


def watch(
    workspace: Workspace,
    datasets: Sequence[str],
    *,
    every: timedelta,
    on_start: "Callable[[], None] | None",
    on_arrival: "Callable[[Arrival], None] | None",
) -> None:
    """Look every so often until SIGTERM or SIGINT. Conflict when another one watches the sources of this project."""
    from penstock.data import Watch

    stop = Stop()
    with suppress(Told), hold_lease(workspace.ledger, LEASE):
        looks = Watch(workspace.project, workspace.ledger, workspace.store, datasets)
        if on_start:
            on_start()
        while True:
            stop.heed()
            for arrival in looks.look():
                if on_arrival:
                    on_arrival(arrival)
            time.sleep(every.total_seconds())
