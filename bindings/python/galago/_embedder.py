"""Pictures and texts as vectors in one space, and zero-shot classification."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from . import _core
from ._hub import located
from ._loading import load_options
from ._media import ImageSource, image_of, listed
from ._requests import checked_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from ._loading import LoadOptions

_OPTIONS = ("threads", "dtype", "compute", "mmap", "strict", "lora")


@dataclass(frozen=True, eq=False)
class Scores:
    """How well each label fits each picture."""

    labels: tuple[str, ...]
    logits: NDArray[np.float32]  #: [pictures, labels]: cosine * logit_scale + logit_bias
    probabilities: NDArray[np.float32]  #: [pictures, labels]: sigmoid of each logit alone; a row does not sum to 1

    def best(self) -> list[str]:
        """The likeliest label of each picture."""
        return [self.labels[i] for i in self.logits.argmax(axis=1)]


def _texts(texts: Sequence[str], where: str) -> list[str]:
    if isinstance(texts, str):
        raise TypeError(f"{where}: got one str, expected a list of them")
    return [checked_text(text, where) for text in texts]


class Embedder:
    """A loaded dual encoder (SigLIP). It may be used from several threads at once; it cannot be pickled, nor used by a child
    that came by fork().

    Args:
        path: a Hugging Face model directory of model_type siglip, or ORG/NAME of one on the hub, as of galago.Model.
        **options: of galago.LoadOptions: threads, dtype, compute, mmap, strict, lora.

    Raises:
        NotFoundError, ModelInvalidError, UnsupportedError (a model that answers questions is for galago.Model), UsageError,
        ResourceError.
    """

    def __init__(self, path: str | os.PathLike[str], **options: Unpack[LoadOptions]) -> None:
        for name in options:
            if name not in _OPTIONS:
                raise TypeError(f"{name}: no such option of an embedder; there are {', '.join(_OPTIONS)}")
        self._path = os.fspath(path)
        self._core = _core.load_embedder(located(path), load_options(options))

    def embed_images(self, images: Sequence[ImageSource], *, normalize: bool = False) -> NDArray[np.float32]:
        """Vectors of pictures, float32 of shape [pictures, dimension], in the memory they were computed in.

        Args:
            images: as in Model.chat.
            normalize: each vector has length 1, so that a dot product of two is their cosine.

        Raises:
            NotFoundError, InputError, InputTooLargeError, UnsupportedMediaError.
        """
        return self._core.embed_images([image_of(source) for source in listed(images, "images")], normalize)

    def embed_texts(
        self, texts: Sequence[str], *, normalize: bool = False, parse_special: bool = False
    ) -> NDArray[np.float32]:
        """Vectors of texts, float32 of shape [texts, dimension], each cut or padded to the model's fixed length.

        Args:
            texts: of at most 16 MiB each.
            normalize: as embed_images.
            parse_special: special tokens in the texts are control tokens.

        Raises:
            InputError, InputTooLargeError.
        """
        return self._core.embed_texts(_texts(texts, "texts"), normalize, parse_special)

    def classify(
        self,
        images: Sequence[ImageSource],
        labels: Sequence[str],
        *,
        template: str = "This is a photo of {}.",
        parse_special: bool = False,
    ) -> Scores:
        """Every picture against every label.

        Args:
            images: as in Model.chat.
            labels: in any number.
            template: the sentence that is compared with a picture; "{}" stands for the label.
            parse_special: as embed_texts, of the whole sentence.

        Raises:
            UsageError without labels, or for a template without "{}"; those of embed_images and embed_texts.
        """
        words = _texts(labels, "labels")
        logits, probabilities = self._core.classify(
            [image_of(source) for source in listed(images, "images")], words, checked_text(template, "template"), parse_special
        )
        return Scores(tuple(words), logits, probabilities)

    @property
    def dimension(self) -> int:
        """Width of a vector."""
        return self._core.dimension

    @property
    def logit_scale(self) -> float:
        """Factor that makes a logit of a cosine."""
        return self._core.logit_scale

    @property
    def logit_bias(self) -> float:
        """Offset that makes a logit of a cosine."""
        return self._core.logit_bias

    @property
    def warnings(self) -> list[str]:
        """What was odd about the model's files and stops nothing."""
        return self._core.warnings

    def __repr__(self) -> str:
        return f"galago.Embedder({self._path!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a galago.Embedder cannot be pickled: pass its path, and load it where it is used")
