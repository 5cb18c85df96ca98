"""How many threads answer: one for few rows."""

from collections.abc import Iterator
from contextlib import contextmanager

FEW_ROWS = 256  # below, starting threads costs more than they save


class Threads:
    """The OpenMP pools that are loaded now."""

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController

        self._pools = [pool for pool in ThreadpoolController().lib_controllers if pool.user_api == "openmp"]

    @contextmanager
    def for_rows(self, rows: int) -> Iterator[None]:
        """One OpenMP thread for few rows: on a busy machine waiting for a second one takes 50 ms."""
        if rows >= FEW_ROWS:
            yield
            return
        before = [pool.get_num_threads() for pool in self._pools]
        for pool in self._pools:
            pool.set_num_threads(1)
        try:
            yield
        finally:
            for pool, count in zip(self._pools, before, strict=True):
                pool.set_num_threads(count)
