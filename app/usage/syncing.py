"""
When what the journal wrote is given to the disk (reliability J3): each second, before a reply's last bytes, or never.

The kernel keeps what was written when the process dies, so syncing is only for a power cut. It takes a third of a
millisecond or far more, so a thread does it; whoever waits at one time is served by one call.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

Fsync = Literal["interval", "always", "never"]
Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]

_INTERVAL_SECONDS: Final = 1.0


class Syncer:
    """Owns the descriptors it is given and closes them. All but its thread is called from the event loop's thread.

    *is_dirty*: set by who writes. *fault*: why the last sync failed; None when it did not.
    """

    def __init__(
        self,
        fsync: Fsync,
        sync_folder: Callable[[], None],
        *,
        fdatasync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        self.is_dirty = False
        self.fault: str | None = None
        self._fsync = fsync
        self._sync_folder = sync_folder
        self._fdatasync = fdatasync
        self._lock = threading.Lock()  # held for moments; guards the three below
        self._number = -1
        self._retired: list[int] = []
        self._waiters: list[Waiter] = []
        self._wake = threading.Event()
        self._is_closing = False
        self._worker: threading.Thread | None = None

    def switch(self, number: int) -> None:
        """From now on *number* is written to; the one before is synced and closed."""
        with self._lock:
            if self._number >= 0:
                self._retired.append(self._number)
            self._number = number
        if self._fsync == "never":
            self._close_all(self._retired)
            self._retired.clear()
        elif self._worker is None:
            self._worker = threading.Thread(target=self._run, name="mindgate-sync", daemon=True)
            self._worker.start()
        else:
            self.is_dirty = True
            self._wake.set()

    def durable(self) -> asyncio.Future[None] | None:
        """Done when what is written by now stands on the disk, or could not be synced; None unless `always`."""
        if self._fsync != "always" or self._is_closing:
            return None
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        with self._lock:
            self._waiters.append((loop, waiter))
        self._wake.set()
        return waiter

    def close(self) -> None:
        """All is synced and closed, the thread has ended. Blocks for that."""
        self._is_closing = True
        self._wake.set()
        if self._worker is not None:
            self._worker.join()
            self._worker = None
        if self._number >= 0:
            os.close(self._number)
            self._number = -1

    def _run(self) -> None:
        patience = _INTERVAL_SECONDS if self._fsync == "interval" else None
        while not self._is_closing:
            self._wake.wait(patience)
            self._wake.clear()
            self._sync()
        self._sync()

    def _sync(self) -> None:
        """One round, which covers all that was written before it, and all that waited."""
        with self._lock:
            waiters, self._waiters = self._waiters, []
            retired, self._retired = self._retired, []
            number = self._number
        if not (self.is_dirty or waiters or retired):
            return
        self.is_dirty = False
        try:
            if retired:
                self._close_all(retired)
                self._sync_folder()
            self._fdatasync(number)
            self.fault = None
        except OSError as error:
            self.fault = error.strerror or "unknown"
            self.is_dirty = True
        for loop, waiter in waiters:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve, waiter)

    def _close_all(self, retired: list[int]) -> None:
        """Every one of *retired* is closed; synced too, or the last failure is raised as OSError."""
        fault: OSError | None = None
        for number in retired:
            try:
                if self._fsync != "never":
                    self._fdatasync(number)
            except OSError as error:
                fault = error
            finally:
                os.close(number)
        if fault is not None:
            raise fault


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
