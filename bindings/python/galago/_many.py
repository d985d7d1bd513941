"""Many questions to one model, side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Any, TypeVar

from . import _core
from ._answers import Answer
from ._errors import OverloadedError
from ._progress import bar as progress_bar
from ._requests import Prepared, Request, finished, prepare

if TYPE_CHECKING:
    from ._model import AnyRequest, Model


def _prepared(request: AnyRequest, options: Mapping[str, Any]) -> Prepared:
    if isinstance(request, str):
        return prepare(request, (), (), options)
    if isinstance(request, Request):
        return prepare(request.messages, request.images, request.videos, {**options, **request.options})
    if not isinstance(request, Mapping):
        raise TypeError(f"a request: got {type(request).__name__}, expected a text, a galago.Request or a dict")
    own = dict(request)
    images, videos = own.pop("images", ()), own.pop("videos", ())
    if ("messages" in own) == ("prompt" in own):
        raise TypeError("a request: expected either messages or prompt")
    messages = own.pop("messages") if "messages" in own else own.pop("prompt")
    return prepare(messages, images, videos, {**options, **own})


class _Run:
    """One call of Model.generate."""

    def __init__(self, model: Model, options: Mapping[str, Any], bar: Any, keep_errors: bool) -> None:
        self._results: dict[int, Any] = {}
        self._model = model
        self._options = options
        self._bar = bar
        self._keep_errors = keep_errors
        self._bell = _core.Bell()
        self._asks: dict[int, tuple[_core.Ask, Prepared]] = {}

    def results(self, requests: Iterable[AnyRequest]) -> Iterator[Answer]:
        """What became of each, in their order."""
        window = 2 * self._model._width  # as many wait, opened and planned, as are in work
        told = 0
        try:
            for number, request in enumerate(requests):
                self._begin(number, request)
                while len(self._asks) >= window:
                    self._wait()
                while told in self._results:
                    yield self._results.pop(told)
                    told += 1
            while self._asks:
                self._wait()
                while told in self._results:
                    yield self._results.pop(told)
                    told += 1
        finally:
            for ask, _ in self._asks.values():
                ask.cancel()

    def _begin(self, number: int, request: AnyRequest) -> None:
        try:
            prepared = _prepared(request, self._options)
            self._asks[number] = self._submit(number, prepared), prepared
        except Exception as error:
            self._failed(number, error)

    def _submit(self, number: int, prepared: Prepared) -> _core.Ask:
        while True:
            try:
                return self._model._core.submit(prepared.request, self._bell, number)
            except OverloadedError:
                if not self._asks:
                    raise
                self._wait()

    def _wait(self) -> None:
        for number in self._bell.wait():
            if number not in self._asks:
                continue
            ask, prepared = self._asks[number]
            if not ask.drain():
                continue
            del self._asks[number]
            try:
                self._end(number, finished(ask, prepared))
            except Exception as error:
                self._failed(number, error)

    def _failed(self, number: int, error: Exception) -> None:
        if not self._keep_errors:
            raise error
        self._end(number, error)

    def _end(self, number: int, result: Any) -> None:
        self._results[number] = result
        if self._bar is not None:
            self._bar.update()


_Item = TypeVar("_Item")


def stream(
    model: Model, items: Iterable[_Item], request: Callable[[_Item], AnyRequest], options: Mapping[str, Any]
) -> Iterator[tuple[_Item, Answer | Exception]]:
    """Each item with the answer to its request or what went wrong, in their order, while later ones are in work."""
    begun: deque[_Item] = deque()

    def requests() -> Iterator[AnyRequest]:
        for item in items:
            begun.append(item)
            yield request(item)

    for result in _Run(model, options, None, keep_errors=True).results(requests()):
        yield begun.popleft(), result


def generate(
    model: Model,
    requests: Iterable[AnyRequest],
    progress: bool | None,
    return_exceptions: bool,
    options: Mapping[str, Any],
) -> list[Answer]:
    """Model.generate."""
    if isinstance(requests, (str, bytes, Mapping, Request)):
        raise TypeError(f"requests: got one {type(requests).__name__}, expected an iterable of them: [request]")
    bar = progress_bar(progress, total=len(requests) if isinstance(requests, Sized) else None, unit="answer")
    try:
        return list(_Run(model, options, bar, return_exceptions).results(requests))
    finally:
        if bar is not None:
            bar.close()
