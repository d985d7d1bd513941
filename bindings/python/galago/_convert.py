"""PDF files and pictures of pages to docling's documents."""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from . import _core
from ._answers import Answer
from ._documents import Document, _parsed
from ._errors import Error, InputError, InputTooLargeError
from ._many import stream
from ._progress import bar as progress_bar
from ._requests import Options, Request

if TYPE_CHECKING:
    from docling_core.types.doc.document import DoclingDocument
    from PIL.Image import Image as PilImage
    from typing_extensions import Unpack

    from ._model import Model

#: A file, or a page as a picture of Pillow's.
PageSource = Union[str, bytes, "os.PathLike[str]", "PilImage"]
_RETRY = {"temperature": _core.RETRY_TEMPERATURE, "top_p": _core.RETRY_TOP_P}


class PageWarning(UserWarning):
    """A page that is cut, empty or a loop, or that could not be read and is missing."""


#: Pixels of a page, as the C++ program allows them.
_MOST_PIXELS = 178_956_970
#: docling's pypdfium2 backend draws this many times larger and makes it smaller, "to make it sharper". So do we: its pixels.
_SHARPER = 1.5
#: PDFium may be called by one thread at a time.
_pdfium = threading.Lock()


#: A word of a PDF's text layer: its left, top, right and bottom as fractions of the page.
_Word = tuple[str, float, float, float, float]
#: Words of a page that are looked at.
_MOST_WORDS = 200_000
#: A page's width and height in the whole numbers that PDFium's places come in.
_GRID = 1_000_000


@dataclass
class _Page:
    """A page on its way from a picture to a document."""

    file: _File
    number: int  # from 1
    image: Any
    size: tuple[float, float]
    points: bool
    words: list[_Word] = field(default_factory=list)  # that the file has of it, where they are wanted
    document: _core.Document | None = None  # what was read
    problem: str = ""  # with it, in words
    error: Exception | None = None  # in the place of it
    done: bool = False

    def where(self) -> str:
        return f"{self.file.name}: page {self.number}"

    def take(self, answer: Answer | Exception) -> None:
        self.done = True
        if isinstance(answer, Exception):
            self.error = answer
            return
        core = _parsed(answer)
        confidence = answer.confidence
        core.describe_page(self.number, *self.size, self.points, math.exp(confidence.mean_logprob) if confidence else None)
        self.document, self.problem = core, core.problem(answer.finish_reason)


@dataclass
class _File:
    name: str
    title: str
    error: Exception | None = None
    pages: list[_Page] = field(default_factory=list)


def _failed(file: _File, number: int, error: Exception) -> _Page:
    return _Page(file, number, None, (0.0, 0.0), False, error=error, done=True)


def _words(page: Any) -> list[_Word]:
    """The text layer in its own order; nothing where there is none that can be read."""
    import ctypes

    from pypdfium2 import raw  # type: ignore[import-untyped]

    x, y = ctypes.c_int(), ctypes.c_int()
    edges = [ctypes.c_double() for _ in range(4)]  # left, right, bottom, top

    def place(across: float, up: float) -> tuple[float, float]:
        raw.FPDF_PageToDevice(page.raw, 0, 0, _GRID, _GRID, 0, across, up, x, y)
        return x.value / _GRID, y.value / _GRID

    text_page = page.get_textpage()
    words: list[_Word] = []
    letters = ""
    corners: list[tuple[float, float]] = []  # of the word's letters

    def end_word() -> None:
        nonlocal letters
        if corners:
            across, down = zip(*corners)
            words.append((letters, min(across), min(down), max(across), max(down)))
        letters = ""
        corners.clear()

    try:
        for i in range(text_page.count_chars()):
            letter = chr(raw.FPDFText_GetUnicode(text_page.raw, i))
            if letter.isspace() or letter in "\0\ufffe" or "\ud800" <= letter <= "\udfff":
                end_word()
                if len(words) >= _MOST_WORDS:
                    break
            elif raw.FPDFText_GetCharBox(text_page.raw, i, *edges):
                left, right, bottom, top = (edge.value for edge in edges)
                letters += letter
                corners += [place(left, top), place(right, bottom)]
        end_word()
    finally:
        text_page.close()
    return words


def _pdf_page(file: _File, pdf: Any, number: int, scale: float, words: bool) -> _Page:
    page = pdf[number - 1]
    try:
        width, height = page.get_size()
        drawn = _SHARPER * scale
        if width * drawn * height * drawn > _MOST_PIXELS:
            got = f"{math.ceil(width * drawn)}x{math.ceil(height * drawn)} pixels"
            raise InputTooLargeError(f"{file.name}: page {number}", got, f"at most {_MOST_PIXELS}", "scale= draws pages smaller")
        image = page.render(scale=drawn).to_pil().resize((max(1, round(width * scale)), max(1, round(height * scale))))
        return _Page(file, number, image, (width, height), points=True, words=_words(page) if words else [])
    finally:
        page.close()


def _pdf_pages(file: _File, path: str, reading: _Reading) -> Iterator[_Page]:
    import pypdfium2

    try:
        with _pdfium:
            pdf = pypdfium2.PdfDocument(path, password=reading.password)
            count = len(pdf)
    except pypdfium2.PdfiumError as error:
        raise InputError(path, str(error), "a PDF that can be read", "password= opens one that is encrypted") from None
    try:
        for number in filter(reading.wanted, range(1, count + 1)):
            try:
                with _pdfium:
                    drawn = _pdf_page(file, pdf, number, reading.scale, reading.text_layer or reading.draft)
            except pypdfium2.PdfiumError as error:
                drawn = _failed(file, number, InputError(f"{path}: page {number}", str(error), "a page that can be drawn"))
            except Error as error:
                drawn = _failed(file, number, error)
            yield drawn
    finally:
        with _pdfium:
            pdf.close()


def _picture_pages(file: _File, source: Any, wanted: Callable[[int], bool]) -> Iterator[_Page]:
    from PIL import Image, ImageOps, ImageSequence

    with Image.open(source) if isinstance(source, str) else source.copy() as opened:
        frames = ImageSequence.Iterator(opened) if opened.format == "TIFF" else [opened]
        for number, frame in enumerate(frames, 1):
            if wanted(number):
                image = ImageOps.exif_transpose(frame).convert("RGB")
                yield _Page(file, number, image, (float(image.width), float(image.height)), points=False)


def _is_pdf(path: str) -> bool:
    with open(path, "rb") as begin:
        return b"%PDF-" in begin.read(1024)


def _wanted(pages: str | int | Iterable[int] | None) -> Callable[[int], bool]:
    if pages is None:
        return lambda number: True
    if isinstance(pages, str):
        return _core.PageRange(pages).has
    some = frozenset([pages] if isinstance(pages, int) else pages)
    if not all(isinstance(number, int) and number > 0 for number in some):
        raise ValueError('pages: expected numbers from 1, or a text such as "1-3,7"')
    return some.__contains__


@dataclass
class _Reading:
    """What one call of convert is asked for."""

    wanted: Callable[[int], bool]
    scale: float
    password: str | None
    join_pages: bool
    text_layer: bool
    draft: bool

    def request(self, page: _Page, prompt: str, more: Iterable[str] = ()) -> Request:
        if not self.draft:
            return Request(prompt, [page.image])
        return Request(prompt, [page.image], options={"draft": [*more, *_core.draft_texts(page.words)]})

    def of(self, source: PageSource) -> Iterator[_Page | _File]:
        """The pages of a source, and at its end the file itself."""
        from PIL import Image

        if isinstance(source, (str, bytes, os.PathLike)):
            name = os.fsdecode(source)
        elif isinstance(source, Image.Image):
            name = ""
        else:
            raise TypeError(f"a source: got {type(source).__name__}, expected a path or a picture of Pillow's")
        file = _File(name or "a picture", Path(name).stem)
        try:
            if name and _is_pdf(name):
                found = _pdf_pages(file, name, self)
            else:
                found = _picture_pages(file, name or source, self.wanted)
            for page in found:
                file.pages.append(page)
                yield page
            if not file.pages:
                file.error = InputError(file.name, "none of these pages", "pages of the file")
        except (Error, OSError, ValueError, Image.DecompressionBombError) as error:
            file.error = error
        yield file


def _report(file: _File, on_error: str) -> None:
    faults = [(page.where(), page.error) for page in file.pages if page.error is not None]
    if file.error is not None:
        faults.append((file.name, file.error))
    for where, error in faults:
        if on_error == "raise":
            raise error
        warnings.warn(f"{where}: {error}", PageWarning, stacklevel=3)
    for page in file.pages:
        if page.problem:
            warnings.warn(f"{page.where()}: {page.problem}", PageWarning, stacklevel=3)


def _retry(model: Model, file: _File, reading: _Reading, source: PageSource, ask: dict[str, Any]) -> None:
    wrong = {page.number: page for page in file.pages if page.problem}
    if not wrong:
        return
    again = replace(reading, wanted=wrong.__contains__)
    drawn = (page for page in again.of(source) if isinstance(page, _Page) and not page.done)
    options = {**ask["options"], **_RETRY, "seed": ask["options"].get("seed", 0) + 1}
    for page, answer in stream(model, drawn, lambda page: reading.request(page, ask["prompt"]), options):
        page.take(answer)
        if page.document is not None and not page.problem:
            wrong[page.number].document, wrong[page.number].problem = page.document, ""


def _document(file: _File, reading: _Reading) -> Document | None:
    if reading.text_layer:
        for drawn in file.pages:
            if drawn.document is not None and drawn.words:
                drawn.document.correct(drawn.words)
    read = [page.document for page in file.pages if page.document is not None]
    if not read:
        return None
    whole = read[0]
    for page in read[1:]:
        whole.append(page)
    if reading.join_pages:
        whole.join_pages()
    whole.name = file.title
    return Document(whole)


def read_documents(
    model: Model,
    sources: PageSource | Iterable[PageSource],
    *,
    pages: str | int | Iterable[int] | None = None,
    scale: float = 2.0,
    password: str | None = None,
    prompt: str = _core.PAGE_QUESTION,
    join_pages: bool = False,
    text_layer: bool = False,
    use_draft: bool = True,
    retry: bool = True,
    on_error: str = "raise",
    progress: bool | None = None,
    **options: Unpack[Options],
) -> Iterator[Document]:
    """As galago.convert, but for galago's own documents; docling-core is not needed."""
    if on_error not in ("raise", "warn"):
        raise ValueError(f'on_error: got {on_error!r}, expected "raise" or "warn"')
    one = isinstance(sources, (str, bytes, os.PathLike)) or hasattr(sources, "convert")
    every: Iterable[Any] = [sources] if one else sources  # type: ignore[assignment]
    reading = _Reading(_wanted(pages), scale, password, join_pages, text_layer, use_draft)
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
                elif not part.done:
                    yield part

    def request(page: _Page) -> Request:
        asked = reading.request(page, ask["prompt"])
        page.image = None  # the request has it now
        return asked

    def ready() -> Iterator[Document]:
        while ended and all(page.done for page in ended[0][0].pages):
            file, source = ended.pop(0)
            if retry:
                _retry(model, file, reading, source, ask)
            _report(file, on_error)
            if document := _document(file, reading):
                yield document

    try:
        for page, answer in stream(model, flow(), request, ask["options"]):
            page.take(answer)
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
    pages: str | int | Iterable[int] | None = None,
    scale: float = 2.0,
    password: str | None = None,
    prompt: str = _core.PAGE_QUESTION,
    join_pages: bool = False,
    text_layer: bool = False,
    use_draft: bool = True,
    retry: bool = True,
    on_error: str = "raise",
    progress: bool | None = None,
    **options: Unpack[Options],
) -> Iterator[DoclingDocument]:
    """Reads PDF files and pictures of pages, and yields docling's document of each, in their order.

    Pages of all sources are read side by side. PDF pages are drawn by pypdfium2. Needs the packages of
    galago's extra "documents": `pip install '.[documents]'` in a checkout.

    Args:
        model: one that writes DocTags (Granite-Docling, SmolDocling).
        sources: a file or several: PDFs, pictures, TIFFs with many pages; or pictures of Pillow's.
        pages: of each file: numbers from 1, or a text as of `--pages`, "1-3,7"; None: all.
        scale: pixels a point (1/72 inch) of PDF pages.
        password: of encrypted PDFs.
        prompt: what is asked about each page.
        join_pages: make one of paragraphs, lists and tables that a page's end cut in two.
        text_layer: let a PDF's own words correct misread letters, where its words in an element's box differ from what was read in
            at most a fifth of the characters.
        use_draft: try a PDF's own words, and what was read of the page so far, as guesses, several at a time: the same documents, sooner
            where guesses are right.
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
        model, sources, pages=pages, scale=scale, password=password, prompt=prompt, join_pages=join_pages, text_layer=text_layer, use_draft=use_draft,
        retry=retry, on_error=on_error, progress=progress, **options
    )
    return (document.docling() for document in documents)
