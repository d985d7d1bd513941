"""Many questions to one model, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from typing import TYPE_CHECKING, Any

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

    def run(self, requests: Iterable[AnyRequest]) -> list[Answer]:
        window = 2 * self._model._width  # as many wait, opened and planned, as are in work
        try:
            for number, request in enumerate(requests):
                self._begin(number, request)
                while len(self._asks) >= window:
                    self._wait()
            while self._asks:
                self._wait()
        finally:
            for ask, _ in self._asks.values():
                ask.cancel()
        return [self._results[number] for number in sorted(self._results)]

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
        return _Run(model, options, bar, return_exceptions).run(requests)
    finally:
        if bar is not None:
            bar.close()
