"""Models that answer questions about pictures."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Union, overload

from . import _core
from ._answers import Answer, ImageInfo, Piece, piece_of
from ._errors import UsageError
from ._hub import located
from ._loading import load_options
from ._media import ImageSource, VideoSource, image_of
from ._requests import Messages, Options, Prepared, Request, checked_text, finished, prepare

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._loading import LoadOptions

_open_models: weakref.WeakSet[Model] = weakref.WeakSet()
#: What Model.generate takes for one question.
AnyRequest = Union[str, Request, Mapping[str, Any]]


@atexit.register
def _close_all() -> None:
    for model in list(_open_models):
        model.close()
    _core.wait_for_workers()


class Stream:
    """An answer as it is written: an iterator of pieces. Leaving its `with`, or `close`, ends the request."""

    def __init__(self, model: Model, prepared: Prepared) -> None:
        self._answer: Answer | None = None
        self._model = model  # lives as long
        self._prepared = prepared
        self._bell = _core.Bell()
        self._ask = model._core.submit(prepared.request, self._bell, 0)
        self._pieces: list[Piece] = []

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        while not self._pieces:
            if self._answer is not None:
                raise StopIteration
            self._pieces = [piece_of(facts) for facts in self._ask.pieces()][::-1]
            if self._pieces:
                break
            if self._ask.ended:
                self._answer = finished(self._ask, self._prepared)
                raise StopIteration
            try:
                self._bell.wait()
            except BaseException:
                self._ask.cancel()
                raise
        return self._pieces.pop()

    @property
    def answer(self) -> Answer:
        """The whole answer; pieces that were not read are passed over. Errors as Model.chat."""
        for _ in self:
            pass
        assert self._answer is not None
        return self._answer

    def close(self) -> None:
        """Ends the request within one piece of work; what was said so far is its answer."""
        self._ask.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncStream:
    """An answer as it is written: an asynchronous iterator of pieces, which blocks no event loop."""

    def __init__(self, model: Model, arguments: tuple[Any, ...]) -> None:
        self._answer: Answer | None = None
        self._pieces = model._pieces(arguments, self)

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self

    async def __anext__(self) -> Piece:
        return await self._pieces.__anext__()

    @property
    def answer(self) -> Answer:
        """The whole answer, once the pieces have come to their end; UsageError before."""
        if self._answer is None:
            raise UsageError("AsyncStream.answer", "pieces that were not read yet", "the end of them")
        return self._answer

    async def aclose(self) -> None:
        """Ends the request within one piece of work."""
        await self._pieces.aclose()


class Model:
    """A loaded model. It may be used from several threads and event loops at once; those who ask at the same time are
    answered side by side, and each gets the answer that it would get alone.

    A model cannot be pickled, and a child that came by fork() cannot use its parent's: UnavailableError.

    Args:
        path: a Hugging Face model directory as it is, or a GGUF file; or ORG/NAME of a model on the hub, which is taken from
            the cache, and pulled if it is missing (galago.pull).
        **options: galago.LoadOptions: threads, dtype, compute and so on.

    Raises:
        NotFoundError, ModelInvalidError, UnsupportedError, UsageError (an option out of its range), ResourceError; those of
        galago.pull.
    """

    def __init__(self, path: str | os.PathLike[str], **options: Unpack[LoadOptions]) -> None:
        made = load_options(options)
        self._path = os.fspath(path)
        self._width = made.max_sequences
        self._core = _core.load_model(located(path), made)
        _open_models.add(self)

    # -- questions

    @overload
    def chat(
        self,
        messages: Messages,
        images: Sequence[ImageSource] = ...,
        *,
        videos: Sequence[VideoSource] = ...,
        stream: Literal[False] = ...,
        **options: Unpack[Options],
    ) -> Answer: ...

    @overload
    def chat(
        self,
        messages: Messages,
        images: Sequence[ImageSource] = ...,
        *,
        videos: Sequence[VideoSource] = ...,
        stream: Literal[True],
        **options: Unpack[Options],
    ) -> Stream: ...

    def chat(
        self,
        messages: Messages,
        images: Sequence[ImageSource] = (),
        *,
        videos: Sequence[VideoSource] = (),
        stream: bool = False,
        **options: Unpack[Options],
    ) -> Answer | Stream:
        """Answers a conversation, or one text.

        Args:
            messages: turns as transformers and the OpenAI API write them, the question last; or the user's text. A part
                of type "image" may hold its picture in any form: {"type": "image", "image": pixels}.
            images: pictures for the parts of type "image" that have none, in their order; without such parts they stand
                before the text of the last user. Paths, data: URIs, bytes, pictures of Pillow's, uint8 arrays and tensors
                of shape [height, width, 3].
            videos: the same for parts of type "video".
            stream: an iterator of pieces in the place of the answer.
            **options: galago.Options: max_tokens, temperature, schema, logprobs and so on.

        Raises:
            TypeError, UsageError, InputError, InputTooLargeError, UnsupportedMediaError, NotFoundError: before any work.
            OverloadedError, TimeoutError, ResourceError. KeyboardInterrupt ends the request.
        """
        prepared = prepare(messages, images, videos, options)
        if stream:
            return Stream(self, prepared)
        ask = self._core.submit(prepared.request, _core.Bell(), 0)
        ask.wait()
        return finished(ask, prepared)

    def ask(self, prompt: str, images: Sequence[ImageSource] = (), **options: Unpack[Options]) -> Answer:
        """Answers one text about some pictures: Model.chat for short."""
        return self.chat(checked_text(prompt, "prompt"), images, **options)

    @overload
    def achat(
        self,
        messages: Messages,
        images: Sequence[ImageSource] = ...,
        *,
        videos: Sequence[VideoSource] = ...,
        stream: Literal[False] = ...,
        **options: Unpack[Options],
    ) -> Coroutine[Any, Any, Answer]: ...

    @overload
    def achat(
        self,
        messages: Messages,
        images: Sequence[ImageSource] = ...,
        *,
        videos: Sequence[VideoSource] = ...,
        stream: Literal[True],
        **options: Unpack[Options],
    ) -> AsyncStream: ...

    def achat(
        self,
        messages: Messages,
        images: Sequence[ImageSource] = (),
        *,
        videos: Sequence[VideoSource] = (),
        stream: bool = False,
        **options: Unpack[Options],
    ) -> Coroutine[Any, Any, Answer] | AsyncStream:
        """Model.chat for asyncio: `await model.achat(...)`, `async for piece in model.achat(..., stream=True)`.

        Pictures are opened and the prompt is written on a thread of the loop's executor. A task that is cancelled ends its
        request.
        """
        arguments = (messages, images, videos, options)
        return AsyncStream(self, arguments) if stream else self._answer(arguments)

    async def _answer(self, arguments: tuple[Any, ...]) -> Answer:
        async for _, answer in self._news(arguments, pieces=False):
            if answer is not None:
                return answer
        raise AssertionError("a request without an end")

    async def _pieces(self, arguments: tuple[Any, ...], stream: AsyncStream) -> AsyncGenerator[Piece, None]:
        async for pieces, answer in self._news(arguments, pieces=True):
            for piece in pieces:
                yield piece
            if answer is not None:
                stream._answer = answer

    async def _news(
        self, arguments: tuple[Any, ...], *, pieces: bool
    ) -> AsyncIterator[tuple[list[Piece], Answer | None]]:
        """Pieces as they come, and at last the answer."""
        import asyncio  # programs without a loop start sooner

        from ._loops import LoopBell

        loop = asyncio.get_running_loop()
        with LoopBell.of(loop).listener() as listener:

            def submit() -> tuple[Prepared, _core.Ask]:
                prepared = prepare(*arguments)
                return prepared, self._core.submit(prepared.request, listener.bell, listener.number)

            prepared, ask = await loop.run_in_executor(None, submit)
            try:
                while not ask.ended:
                    await listener.rung()
                    found = ask.pieces() if pieces else []
                    if not pieces:
                        ask.drain()
                    if found:
                        yield [piece_of(facts) for facts in found], None
                yield [], finished(ask, prepared)
            finally:
                ask.cancel()

    def generate(
        self,
        requests: Iterable[AnyRequest],
        *,
        progress: bool | None = None,
        return_exceptions: bool = False,
        **options: Unpack[Options],
    ) -> list[Answer]:
        """Answers many questions side by side, with as many in work as the model's max_sequences.

        Args:
            requests: texts, galago.Request objects, or dicts with "messages" (or "prompt"), "images", "videos" and options.
                Pictures are opened as their turn comes, so an iterator of many does not stand in memory.
            progress: a bar of tqdm's; None: where tqdm is installed and standard error is a terminal.
            return_exceptions: an exception stands in the place of an answer that failed; else the first one is raised.
            **options: galago.Options of all requests; a request's own come before them.

        Returns:
            The answers, in the order of the requests.
        """
        from ._many import generate  # which most programs do not need

        return generate(self, requests, progress, return_exceptions, options)

    # -- facts

    def plan(self, image: ImageSource | tuple[int, int], *, split: bool | None = None) -> ImageInfo:
        """The tile grid and token count of a picture, or of one of this (width, height) in pixels; no pixel is touched."""
        if isinstance(image, tuple):
            width, height = image
        else:
            decoded = image_of(image)
            width, height = decoded.width, decoded.height
        return ImageInfo(**self._core.plan_image(width, height, split))

    def count_tokens(
        self,
        messages: Messages,
        images: Sequence[ImageSource] = (),
        *,
        videos: Sequence[VideoSource] = (),
        **options: Unpack[Options],
    ) -> int:
        """Tokens of a request's prompt, those of its pictures included."""
        return self._core.count_tokens(prepare(messages, images, videos, options).request)

    def tokenize(self, text: str, *, parse_special: bool = False, add_special: bool = False) -> list[int]:
        """Ids of a text. parse_special: special tokens in it are control tokens; add_special: with what the tokenizer puts
        around every text. InputError for halves of surrogate pairs, InputTooLargeError."""
        return self._core.tokenize(checked_text(text, "text"), parse_special, add_special)

    def detokenize(self, tokens: Sequence[int], *, keep_special: bool = False) -> str:
        """The text of ids; ids of no token are skipped. InputError for a negative id."""
        return self._core.detokenize(tokens, keep_special)

    @property
    def context_length(self) -> int:
        """Positions of prompt and answer together."""
        return self._core.context_length

    @property
    def capabilities(self) -> dict[str, bool]:
        """Whether it reads "images" and "videos", and has a "chat_template"."""
        return self._core.capabilities

    @property
    def warnings(self) -> list[str]:
        """What was odd about the model's files and stops nothing."""
        return self._core.warnings

    def digest(self) -> str:
        """SHA-256 of settings, tokenizer and every tensor, 64 hexadecimal digits. Reads all weights when it is first called."""
        return self._core.digest()

    # -- life

    def close(self) -> None:
        """Cancels what has not ended, and lets the model go. Any later use is a UsageError."""
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"galago.Model({self._path!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a galago.Model cannot be pickled: pass its path, and load it where it is used")
