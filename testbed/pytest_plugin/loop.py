"""An event loop of the lab's own, in a thread: plain tests wait for it, asynchronous ones await it.

The loop runs while something was asked of it and is not done, and stands still in between: virtual
time does not run away while a test computes, or while somebody looks at it in a debugger.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from firmware_bridge import DatagramSocket
from firmware_bridge.virtual.clock import ScaledEventLoop, VirtualEventLoop

__all__ = ["Handle", "LabLoop"]

T = TypeVar("T")


class LabLoop:
    """The loop and its thread.

    Args:
        time_scale: loop seconds per real second of waiting; 1 is real time, None virtual time.
    """

    def __init__(self, time_scale: float | None) -> None:
        if time_scale is None:
            self.loop: asyncio.AbstractEventLoop = VirtualEventLoop()
        elif time_scale == 1.0:
            self.loop = asyncio.new_event_loop()
        else:
            self.loop = ScaledEventLoop(time_scale)
        self._pending: set[asyncio.Task[Any]] = set()
        self._asked = 0  # and not begun yet
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="testbed lab", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._closed:
            self._wake.wait()
            self._wake.clear()
            while self._asked or self._pending:
                self.loop.run_forever()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Let the loop run a coroutine; cancelling the future cancels it."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def begin() -> None:
            task = self.loop.create_task(coroutine)
            self._pending.add(task)
            with self._lock:
                self._asked -= 1
            task.add_done_callback(ended)
            future.add_done_callback(lambda _: self.loop.call_soon_threadsafe(task.cancel))

        def ended(task: asyncio.Task[T]) -> None:
            self._pending.discard(task)
            if not self._pending and not self._asked:
                self.loop.stop()
            if task.cancelled():
                future.cancel()
            elif future.cancelled():
                task.exception()  # nobody waits for it any more
            elif (error := task.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(task.result())

        with self._lock:
            self._asked += 1
        self.loop.call_soon_threadsafe(begin)
        self._wake.set()
        return future

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; Ctrl-C cancels it."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def call(self, coroutine: Coroutine[Any, Any, T]) -> Any:
        """Run a coroutine for whoever asks.

        Returns:
            Its result in a plain test; something to await in an asynchronous test, and in a
            coroutine that runs in this loop already.
        """
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return self.wait(coroutine)
        return coroutine if running is self.loop else asyncio.wrap_future(self.submit(coroutine))

    def close(self) -> None:
        """End the thread and close the loop."""
        self._closed = True
        self._wake.set()
        self._thread.join()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


class Handle:
    """A driver, or a socket of it, for tests: each operation runs in the lab's loop.

    ``module.radio()`` is the report in a plain test, and is awaited in an asynchronous one.

    Args:
        target: the driver or the socket.
        loop: the lab's.
        opened: told of each socket that is opened.
    """

    def __init__(
        self, target: Any, loop: LabLoop, opened: Callable[[DatagramSocket], None]
    ) -> None:
        self._target = target
        self._loop = loop
        self._opened = opened

    def __repr__(self) -> str:
        return f"<{type(self._target).__name__} of the bench>"

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not inspect.iscoroutinefunction(value):
            return value

        def operation(*args: Any, **keywords: Any) -> Any:
            return self._loop.call(self._wrapped(value(*args, **keywords)))

        return operation

    async def _wrapped(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        result = await coroutine
        if isinstance(result, DatagramSocket):
            self._opened(result)
            return Handle(result, self._loop, self._opened)
        return result

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Handle:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
