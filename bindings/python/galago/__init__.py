"""galago: small vision-language models on ordinary processors.

    import galago

    model = galago.Model(galago.demo_model())
    print(model.ask("What is in the picture?", ["cat.jpg"]).text)

docs/python.md of the project has the whole tour.
"""

from ._answers import (
    Answer,
    CacheCounts,
    Confidence,
    Element,
    ImageInfo,
    Piece,
    Timings,
    TokenLogprob,
    Usage,
    VideoInfo,
)
from ._batch import BatchItems, BatchSummary, batch
from ._convert import PageSource, PageWarning, convert, read_documents
from ._core import Image, Video, version
from ._documents import Document, Repair, parse_doctags
from ._embedder import Embedder, Scores
from ._errors import (
    AuthError,
    Error,
    InputError,
    InputTooLargeError,
    InternalError,
    ModelChangedError,
    ModelInvalidError,
    NotFoundError,
    OutputError,
    OverloadedError,
    PartialError,
    ResourceError,
    TimeoutError,
    UnavailableError,
    UnsupportedError,
    UnsupportedMediaError,
    UsageError,
)
from ._hub import pull
from ._loading import LoadOptions
from ._media import ImageSource, VideoSource, image, video
from ._model import AsyncStream, Model, Stream
from ._program import demo_model
from ._requests import Messages, Options, Request

__version__ = version()

__all__ = [
    "Answer",
    "AsyncStream",
    "AuthError",
    "BatchItems",
    "BatchSummary",
    "CacheCounts",
    "Confidence",
    "Document",
    "Element",
    "Embedder",
    "Error",
    "Image",
    "ImageInfo",
    "ImageSource",
    "InputError",
    "InputTooLargeError",
    "InternalError",
    "LoadOptions",
    "Messages",
    "Model",
    "ModelChangedError",
    "ModelInvalidError",
    "NotFoundError",
    "Options",
    "OutputError",
    "OverloadedError",
    "PageSource",
    "PageWarning",
    "PartialError",
    "Piece",
    "Repair",
    "Request",
    "ResourceError",
    "Scores",
    "Stream",
    "TimeoutError",
    "Timings",
    "TokenLogprob",
    "UnavailableError",
    "UnsupportedError",
    "UnsupportedMediaError",
    "Usage",
    "UsageError",
    "Video",
    "VideoInfo",
    "VideoSource",
    "__version__",
    "batch",
    "convert",
    "demo_model",
    "image",
    "parse_doctags",
    "pull",
    "read_documents",
    "video",
]
