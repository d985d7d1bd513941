"""PDF files and pictures of pages to docling's documents."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from . import _core
from ._answers import Answer
from ._documents import Document, _parsed
from ._errors import Error, InputError
from ._many import stream
from ._progress import bar as progress_bar
from ._requests import Options, Request

if TYPE_CHECKING:
    from docling_core.types.doc.document import DoclingDocument
    from PIL.Image import Image as PilImage
    from typing_extensions import Unpack

    from ._model import Model

#: A file, or a page as a picture of Pillow's.
PageSource = Union[str, "os.PathLike[str]", "PilImage"]
_QUESTION = "Convert this page to docling."
_WORDS = {"cut": "ends at the token limit, so the rest is missing", "empty": "nothing was read", "loop": "the same is said again and again"}
_RETRY = {"temperature": 0.3, "top_p": 0.95}


class PageWarning(UserWarning):
    """A page that is cut, empty or a loop, or that could not be read and is missing."""


@dataclass
class _Page:
    """A page on its way from a picture to a document."""

    file: _File
    number: int  # from 1
    image: Any
    size: tuple[float, float]
    points: bool
    answer: Answer | Exception | None = None

    def where(self) -> str:
        return f"{self.file.name}: page {self.number}"

    def read(self) -> _core.Document:
        assert isinstance(self.answer, Answer)
        core = _parsed(self.answer)
        confidence = self.answer.confidence
        core.describe_page(self.number, *self.size, self.points, math.exp(confidence.mean_logprob) if confidence else None)
        return core

    def problem(self) -> str:
        return self.read().problem(self.answer.finish_reason) if isinstance(self.answer, Answer) else ""


@dataclass
class _File:
    name: str
    title: str
    error: Exception | None = None
    pages: list[_Page] = field(default_factory=list)


def _pdf_pages(file: _File, path: str, pages: Any, scale: float, password: str | None) -> Iterator[_Page]:
    import pypdfium2  # type: ignore[import-untyped]

    try:
        pdf = pypdfium2.PdfDocument(path, password=password)
    except pypdfium2.PdfiumError as error:
        raise InputError(path, str(error), "a PDF that can be read", "password= opens one that is encrypted") from None
    try:
        for number in range(1, len(pdf) + 1):
            if pages is None or number in pages:
                page = pdf[number - 1]
                image = page.render(scale=scale).to_pil()  # pyright: ignore[reportArgumentType]
                yield _Page(file, number, image, page.get_size(), points=True)
                page.close()
    finally:
        pdf.close()


def _picture_pages(file: _File, source: Any, pages: Any) -> Iterator[_Page]:
    from PIL import Image, ImageOps, ImageSequence

    with Image.open(source) if isinstance(source, (str, os.PathLike)) else source.copy() as opened:
        frames = ImageSequence.Iterator(opened) if opened.format == "TIFF" else [opened]
        for number, frame in enumerate(frames, 1):
            if pages is None or number in pages:
                image = ImageOps.exif_transpose(frame).convert("RGB")
                yield _Page(file, number, image, (float(image.width), float(image.height)), points=False)


def _is_pdf(path: str) -> bool:
    with open(path, "rb") as begin:
        return b"%PDF-" in begin.read(1024)


@dataclass
class _Reading:
    """What one call of convert is asked for."""

    pages: Any
    scale: float
    password: str | None

    def of(self, source: PageSource) -> Iterator[_Page | _File]:
        """The pages of a source, and at its end the file itself."""
        named = isinstance(source, (str, os.PathLike))
        name = os.fspath(source) if named else "a picture"  # type: ignore[arg-type]
        file = _File(name, Path(name).stem if named else "")
        try:
            if named and _is_pdf(name):
                found = _pdf_pages(file, name, self.pages, self.scale, self.password)
            else:
                found = _picture_pages(file, source, self.pages)
            for page in found:
                file.pages.append(page)
                yield page
        except (Error, OSError, ValueError) as error:
            file.error = error
        yield file


def _report(file: _File, on_error: str) -> None:
    faults: list[tuple[str, Exception]] = [(page.where(), page.answer) for page in file.pages if isinstance(page.answer, Exception)]
    if file.error is not None:
        faults.append((file.name, file.error))
    for where, error in faults:
        if on_error == "raise":
            raise error
        warnings.warn(f"{where}: {error}", PageWarning, stacklevel=3)
    for page in file.pages:
        if problem := page.problem():
            warnings.warn(f"{page.where()}: {_WORDS[problem]}", PageWarning, stacklevel=3)


def _retry(model: Model, file: _File, reading: _Reading, source: PageSource, ask: dict[str, Any]) -> None:
    wrong = {page.number: page for page in file.pages if page.problem()}
    if not wrong:
        return
    again = _Reading(set(wrong), reading.scale, reading.password)
    drawn = [page for page in again.of(source) if isinstance(page, _Page)]
    prompt, options = ask["prompt"], {**ask["options"], **_RETRY, "seed": ask["options"].get("seed", 0) + 1}
    answers = model.generate([Request(prompt, [page.image]) for page in drawn], progress=False, return_exceptions=True, **options)
    for page, answer in zip(drawn, answers):
        page.answer = answer
        if isinstance(answer, Answer) and not page.problem():
            wrong[page.number].answer = answer


def _document(file: _File) -> Document | None:
    read = [page.read() for page in file.pages if isinstance(page.answer, Answer)]
    if not read:
        return None
    whole = read[0]
    for page in read[1:]:
        whole.append(page)
    whole.name = file.title
    return Document(whole)


def read_documents(
    model: Model,
    sources: PageSource | Iterable[PageSource],
    *,
    pages: Iterable[int] | None = None,
    scale: float = 2.0,
    password: str | None = None,
    prompt: str = _QUESTION,
    retry: bool = True,
    on_error: str = "raise",
    progress: bool | None = None,
    **options: Unpack[Options],
) -> Iterator[Document]:
    """As galago.convert, but for galago's own documents; docling-core is not needed."""
    if on_error not in ("raise", "warn"):
        raise ValueError(f'on_error: got {on_error!r}, expected "raise" or "warn"')
    one = isinstance(sources, (str, os.PathLike)) or hasattr(sources, "convert")
    every: Iterable[Any] = [sources] if one else sources  # type: ignore[assignment]
    reading = _Reading(None if pages is None else set(pages), scale, password)
    ask = {"prompt": prompt, "options": {"logprobs": 0, **options}}
    shown = progress_bar(progress, unit="page")
    return _run(model, every, reading, ask, retry, on_error, shown)


def _run(model: Model, every: Iterable[Any], reading: _Reading, ask: dict[str, Any], retry: bool, on_error: str, shown: Any) -> Iterator[Document]:
    ended: list[tuple[_File, Any]] = []  # in order; a file is here before the answer of its last page is

    def flow() -> Iterator[_Page]:
        for source in every:
            for part in reading.of(source):
                if isinstance(part, _File):
                    ended.append((part, source))
                else:
                    yield part

    def request(page: _Page) -> Request:
        asked = Request(ask["prompt"], [page.image])
        page.image = None  # the request has it now
        return asked

    def ready() -> Iterator[Document]:
        while ended and all(page.answer is not None for page in ended[0][0].pages):
            file, source = ended.pop(0)
            if retry:
                _retry(model, file, reading, source, ask)
            _report(file, on_error)
            if document := _document(file):
                yield document

    try:
        for page, answer in stream(model, flow(), request, ask["options"]):
            page.answer = answer
            if shown is not None:
                shown.update()
            yield from ready()
        yield from ready()
    finally:
        if shown is not None:
            shown.close()


def convert(
    model: Model,
    sources: PageSource | Iterable[PageSource],
    *,
    pages: Iterable[int] | None = None,
    scale: float = 2.0,
    password: str | None = None,
    prompt: str = _QUESTION,
    retry: bool = True,
    on_error: str = "raise",
    progress: bool | None = None,
    **options: Unpack[Options],
) -> Iterator[DoclingDocument]:
    """Reads PDF files and pictures of pages, and yields docling's document of each, in their order.

    Pages of all sources are read side by side. PDF pages are drawn by pypdfium2, as docling draws them. Needs the packages of
    `pip install "galago[documents]"`.

    Args:
        model: one that writes DocTags (Granite-Docling, SmolDocling).
        sources: a file or several: PDFs, pictures, TIFFs with many pages; or pictures of Pillow's.
        pages: of each file, from 1; None: all.
        scale: pixels a point (1/72 inch) of PDF pages.
        password: of encrypted PDFs.
        prompt: what is asked about each page.
        retry: a page that comes out cut, empty or as a loop is read once more, sampled at temperature 0.3.
        on_error: "raise" what was wrong with a file or a page, once it is its document's turn; or "warn" (PageWarning) and
            go on without it.
        progress: a bar of tqdm's; None: where tqdm is installed and standard error is a terminal.
        **options: galago.Options.

    Warns:
        PageWarning: of a page that is cut, empty or a loop.

    Raises:
        InputError, OSError: a file cannot be read. ImportError: a package is missing.
    """
    import docling_core  # noqa: F401  # before an hour of work

    documents = read_documents(
        model, sources, pages=pages, scale=scale, password=password, prompt=prompt, retry=retry, on_error=on_error, progress=progress, **options
    )
    return (document.docling() for document in documents)
