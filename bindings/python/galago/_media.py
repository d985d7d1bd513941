"""Pictures and videos from whatever holds them. Neither numpy, Pillow nor torch is imported: who has an object of theirs has them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, Union, cast

from . import _core
from ._core import Image, Video
from ._errors import InputError, UsageError

if TYPE_CHECKING:
    import PIL.Image


class DLPackArray(Protocol):
    """An array or tensor that others may look into."""

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __dlpack_device__(self) -> Any: ...


#: A picture: one of galago's or Pillow's; the path, data: URI or file: URI of one; the bytes of its file; its pixels, a uint8
#: array of shape [height, width, 3] on the processor, red first.
ImageSource = Union[Image, "PIL.Image.Image", str, "os.PathLike[str]", bytes, bytearray, memoryview, DLPackArray]
#: A video: one of galago's, or the path of a file or of a folder of pictures.
VideoSource = Union[Video, str, "os.PathLike[str]"]


def encoded_path(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a path. InputError for one that no file can have."""
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        raise InputError(ascii(path), "a half of a surrogate pair", "a path") from None
    if b"\0" in encoded:
        raise InputError(ascii(path)[:120], "byte 0 in it", "a path")
    return encoded


def _local(word: str, kind: str) -> bytes:
    if word[:8].lower().startswith(("http://", "https://")):
        raise UsageError(word[:120], "an address on the web", f"the {kind}'s file, bytes or pixels", "download it first")
    return encoded_path(word)


def _image_of_word(word: str) -> Image:
    if word[:5].lower() not in ("data:", "file:"):
        return Image.from_path(_local(word, "picture"))
    if not word.isascii():
        raise InputError(ascii(word)[:120], "characters beyond ASCII", "a URI, percent-encoded")
    return Image.from_word(word)


def _image_of_pillow(picture: PIL.Image.Image) -> Image:
    try:
        rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
        return Image.from_rgb(rgb.width, rgb.height, rgb.tobytes())
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("image", f"a picture that Pillow cannot read: {error}", "one that is open and whole") from error


def image_of(source: ImageSource) -> Image:
    """The picture. InputError and its kin, NotFoundError; TypeError for what is none."""
    if isinstance(source, Image):
        return source
    if isinstance(source, str):
        return _image_of_word(source)
    if isinstance(source, os.PathLike):
        return Image.from_path(encoded_path(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return Image.from_bytes(bytes(source))
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(source, pillow.Image):
        return _image_of_pillow(cast("PIL.Image.Image", source))
    if hasattr(source, "__dlpack__") or hasattr(source, "__array_interface__"):
        try:
            return _core.Image.from_array(source)
        except TypeError:
            raise InputError("image", f"{type(source).__name__} that shows no numbers", "a uint8 array") from None
    raise TypeError(f"no picture: {type(source).__name__}; expected a path, bytes, an array, a tensor or a picture of Pillow's")


def listed(images: Sequence[ImageSource], where: str) -> Sequence[ImageSource]:
    """Several pictures. TypeError for one that stands alone: its letters, bytes or rows would be taken for pictures."""
    alone = isinstance(images, (str, bytes, bytearray, memoryview)) or getattr(images, "ndim", None) in (2, 3)
    if alone or not hasattr(images, "__iter__"):
        raise TypeError(f"{where}: got {type(images).__name__}, expected a list of pictures: [picture]")
    return images


def video_of(source: VideoSource, fps: float | None = None) -> Video:
    """The video. fps: pictures of a folder that make a second. Errors as image_of."""
    if isinstance(source, Video):
        return source
    if isinstance(source, str):
        return Video.from_path(_local(source, "video"), fps)
    if isinstance(source, os.PathLike):
        return Video.from_path(encoded_path(source), fps)
    raise TypeError(f"no video: {type(source).__name__}; expected a path or galago.video(...)")


def image(source: ImageSource, *, split: bool | None = None) -> Image:
    """A decoded picture, for use in several requests.

    Args:
        source: a path, data: URI or file: URI; a file's bytes; a picture of Pillow's; a uint8 array or tensor of shape
            [height, width, 3].
        split: whether it is cut into tiles; None: as the model's settings or the request say.

    Raises:
        NotFoundError, InputError, InputTooLargeError, UnsupportedMediaError.
    """
    made = image_of(source)
    return made if split is None else made.with_split(split)


def video(source: VideoSource | Sequence[ImageSource], *, fps: float | None = None) -> Video:
    """A video, for use in several requests.

    Args:
        source: the path of a file or of a folder of pictures, or frames of one size.
        fps: frames a second; needed for a folder and for frames.

    Raises:
        NotFoundError, UsageError (fps), InputError, InputTooLargeError, UnsupportedMediaError.
    """
    if isinstance(source, (Video, str, os.PathLike)):
        return video_of(source, fps)
    if fps is None:
        raise UsageError("fps", "none", "frames a second")
    return Video.from_frames([image_of(frame) for frame in source], fps)
