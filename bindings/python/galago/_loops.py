"""Event loops that hear of news: one descriptor for all requests of a loop, which it watches while there are any."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from . import _core


class Listener:
    """One request's side of a LoopBell."""

    def __init__(self, bell: _core.Bell, number: int) -> None:
        self.bell = bell
        self.number = number
        self._news = asyncio.Event()

    def ring(self) -> None:
        self._news.set()

    async def rung(self) -> None:
        """Until there may be news, some that came since the last call included."""
        await self._news.wait()
        self._news.clear()


class LoopBell:
    """The bell of one event loop. Everything but the bell itself is for the loop's thread."""

    _all: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopBell] = weakref.WeakKeyDictionary()

    def __init__(self) -> None:
        self._bell = _core.Bell()
        self._numbers = itertools.count()
        self._listeners: dict[int, Listener] = {}

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> LoopBell:
        """The running loop's."""
        if loop not in cls._all:
            cls._all[loop] = cls()
        return cls._all[loop]

    @contextmanager
    def listener(self) -> Iterator[Listener]:
        """For one request."""
        loop = asyncio.get_running_loop()
        one = Listener(self._bell, next(self._numbers))
        if not self._listeners:
            loop.add_reader(self._bell.fileno, self._rung)
        self._listeners[one.number] = one
        try:
            yield one
        finally:
            del self._listeners[one.number]
            if not self._listeners:
                loop.remove_reader(self._bell.fileno)

    def _rung(self) -> None:
        for number in self._bell.take():
            listener = self._listeners.get(number)
            if listener is not None:
                listener.ring()
