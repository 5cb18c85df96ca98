"""Leases: the right to act alone for a while, kept alive while it is held.

A lease that its holder stops renewing runs out; that of a process that died on this machine is taken
over at once. One that is given back is gone, so that work done once leaves none behind. Each hold has a holder
of its own, so an old one cannot renew or give back what it lost, whatever became of it since.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from penstock.errors import Conflict, PenstockError
from penstock.ids import new_id
from penstock.ledger.ledger import Ledger
from penstock.ledger.records import Lease


@contextmanager
def hold_lease(ledger: Ledger, name: str, *, seconds: float = 60.0) -> Iterator[Lease]:
    """Hold the lease while the block runs.

    Conflict at the start when a live other holds it, and at the end when it was lost on the way
    (this process was stopped for longer than `seconds`).
    """
    lease = _take(ledger, name, seconds, _myself())
    # A thread, because the block may work for hours without calling anything of ours.
    ended, lost = threading.Event(), threading.Event()
    renewal = threading.Thread(target=_renew, args=(ledger, lease, seconds, ended, lost), daemon=True)
    renewal.start()
    try:
        yield lease
    finally:
        ended.set()
        renewal.join()
        kept = _give_back(ledger, lease)
    if lost.is_set() or not kept:
        raise Conflict(f"the lease {name!r} was lost while it was held", where=lease.holder)


def _take(ledger: Ledger, name: str, seconds: float, holder: str) -> Lease:
    with ledger.write() as transaction:
        now = transaction.now()
        current = transaction.get(Lease, name=name)
        if current and current.expires_at > now and not _is_dead(current.holder):
            raise Conflict(
                f"{name} is being done by {current.holder}",
                where=f"until {current.expires_at.isoformat(timespec='seconds')} or longer",
                hint="wait for it to end",
            )
        lease = Lease(name, holder, current.token + 1 if current else 1, now + timedelta(seconds=seconds))
        transaction.put(lease)
    return lease


def _renew(ledger: Ledger, lease: Lease, seconds: float, ended: threading.Event, lost: threading.Event) -> None:
    while not ended.wait(seconds / 3):
        try:
            kept = _extend(ledger, lease, seconds)
        except PenstockError:
            continue  # the ledger is busy or away: the lease lasts two more tries
        if not kept:
            lost.set()
            return


def _give_back(ledger: Ledger, lease: Lease) -> bool:
    try:
        with ledger.write() as transaction:
            return transaction.remove(Lease, **_held(lease)) > 0
    except PenstockError:
        return True  # the ledger is busy or away: the lease runs out by itself


def _extend(ledger: Ledger, lease: Lease, seconds: float) -> bool:
    with ledger.write() as transaction:
        until = transaction.now() + timedelta(seconds=seconds)
        return transaction.change(Lease, _held(lease), expires_at=until)


def _held(lease: Lease) -> dict[str, Any]:
    """What is in the ledger as long as this hold lasts. A token alone starts anew after a lease was given back."""
    return {"name": lease.name, "holder": lease.holder, "token": lease.token}


def _myself() -> str:
    return f"{_machine()}/{os.getpid()}/{new_id()[-8:]}"


def _machine() -> str:
    """The host and what gives process ids their meaning on it: containers may share a host's name."""
    namespace = Path("/proc/self/ns/pid")
    return f"{os.uname().nodename}/{os.readlink(namespace) if namespace.is_symlink() else ''}"


def _is_dead(holder: str) -> bool:
    """Whether the holder is a process of this machine that is no more. In doubt it lives."""
    machine, _, rest = holder.rpartition("/")[0].rpartition("/")
    if machine != _machine() or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
