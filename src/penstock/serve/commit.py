"""Group commit: one fdatasync for all the requests that wait for one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from penstock.serve.log import LogError, SegmentLog


class GroupCommit:
    """Waits for a log's disk off the event loop. Greedy: while one sync runs, the next group gathers."""

    def __init__(self, log: SegmentLog) -> None:
        self._log = log
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sync-{log.kind}")

    async def wait(self, position: int) -> None:
        """Return when what was appended up to `position` is as durable as the log promises. LogError if it is not."""
        if self._log.durability == "process":
            return
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((position, done))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await done

    def close(self) -> None:
        """End the thread, after the sync that runs."""
        self._thread.shutdown()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            outcomes = await loop.run_in_executor(self._thread, self._sync, [position for position, _ in group])
            for (_, done), error in zip(group, outcomes, strict=True):
                if done.cancelled():
                    continue
                if error:
                    done.set_exception(error)
                else:
                    done.set_result(None)
        self._task = None

    def _sync(self, positions: list[int]) -> list[LogError | None]:
        # The first position syncs everything appended so far; the others find it done.
        return [self._one(position) for position in positions]

    def _one(self, position: int) -> LogError | None:
        try:
            self._log.sync(position)
        except LogError as error:
            return error
        return None
