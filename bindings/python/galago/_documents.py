"""Documents: what a model that writes DocTags read of pages, as Markdown, HTML and docling's own document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import _core
from ._answers import Answer

if TYPE_CHECKING:
    from docling_core.types.doc.document import DoclingDocument


@dataclass(frozen=True)
class Repair:
    """What a reader put right: docs/documents.md has the kinds."""

    kind: str  #: e.g. "unclosed_tag"
    page: int  #: from 1
    offset: int  #: in the bytes of the page's DocTags
    detail: str  #: the tag, or the limit


class Document:
    """Pages of elements, in reading order. Made by galago.parse_doctags."""

    def __init__(self, core: _core.Document) -> None:
        self._core = core

    @property
    def name(self) -> str:
        return self._core.name

    @property
    def pages(self) -> int:
        """How many there are."""
        return self._core.pages

    @property
    def repairs(self) -> list[Repair]:
        """The first of what was put right."""
        return [Repair(*one) for one in self._core.warnings()]

    def markdown(self, *, page_break: str | None = None, page_headers: bool = False) -> str:
        """As docling-core's export_to_markdown writes it; page_break stands between two pages."""
        return self._core.markdown(page_break, page_headers)

    def text(self, *, page_break: str | None = None, page_headers: bool = False) -> str:
        """Words without marks."""
        return self._core.text(page_break, page_headers)

    def html(self, *, page_headers: bool = False, whole_page: bool = True) -> str:
        """A static page that refers to nothing outside, or its body's content alone."""
        return self._core.html(page_headers, whole_page)

    def json(self, *, confidence: bool = False) -> str:
        """A DoclingDocument as JSON; confidence: how sure the model was of each element, as meta.galago__confidence."""
        return self._core.json(confidence)

    def doctags(self) -> str:
        """The tags again, put in order."""
        return self._core.doctags()

    def docling(self) -> DoclingDocument:
        """docling-core's own document. ImportError without docling-core (pip install docling-core)."""
        from docling_core.types.doc.document import DoclingDocument

        return DoclingDocument.model_validate_json(self.json())

    def __repr__(self) -> str:
        return f"galago.Document(name={self.name!r}, pages={self.pages})"


def _parsed(answer: str | Answer) -> _core.Document:
    if isinstance(answer, str):
        return _core.parse_doctags(answer, None)
    if not isinstance(answer, Answer):
        raise TypeError(f"doctags: got {type(answer).__name__}, expected a text or a galago.Answer")
    wanted = answer.text.encode()
    pieces, length = [], 0
    for token in answer.logprobs:
        if length >= len(wanted):
            break  # the end token
        pieces.append((token.bytes, token.logprob))
        length += len(token.bytes)
    known = bool(pieces) and b"".join(piece for piece, _ in pieces) == wanted
    return _core.parse_doctags(answer.text, pieces if known else None)


def parse_doctags(doctags: str | Answer, *, name: str = "") -> Document:
    """The document of an answer in DocTags. Nothing in it is an error: what is broken is put right, see Document.repairs.

    Args:
        doctags: a text, or an answer; of one with logprobs the elements have confidences.
        name: of the document.
    """
    core = _parsed(doctags)
    core.name = name
    return Document(core)
