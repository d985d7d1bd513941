"""The exceptions of the library: one class for each kind of failure, after galago::Error."""

from __future__ import annotations

import builtins
import re
from typing import Callable, ClassVar

from . import _core


class Error(Exception):
    """Something that a file, a user or a request caused. Each kind is a class of its own below this one.

    Attributes:
        code: the kind as the command line and the server name it, e.g. "model_invalid".
        where: the file, field, tensor, option or offset.
        got: what was found there.
        expected: what would have been right, with the limit where there is one.
        hint: what can be done about it; often empty.
        exit_code, http_status: of the kind, as docs/errors.md has them.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, where: str = "", got: str = "", expected: str = "", hint: str = "") -> None:
        said = ", ".join([f"got {got}"] * bool(got) + [f"expected {expected}"] * bool(expected))
        text = ": ".join(part for part in (where, said) if part)
        super().__init__(f"{text} ({hint})" if hint else text)
        self.where = where
        self.got = got
        self.expected = expected
        self.hint = hint

    @property
    def exit_code(self) -> int:
        """What the command line ends with, after sysexits(3)."""
        return _core.error_facts()[self.code][0]

    @property
    def http_status(self) -> int:
        """What a server answers with; 500 where the command line alone has such an error."""
        return _core.error_facts()[self.code][1] or 500

    def __str__(self) -> str:  # of OSError's children, too
        return str(self.args[0])

    def __reduce__(self) -> tuple[Callable[..., Error], tuple[str, ...]]:
        return type(self), (self.where, self.got, self.expected, self.hint)


class UsageError(Error, ValueError):
    """An option or argument out of its range."""

    code = "usage"


class InputError(Error, ValueError):
    """A malformed picture, conversation, schema or prompt."""

    code = "input_invalid"


class InputTooLargeError(InputError):
    """Input beyond a published limit of bytes, pixels, tokens or depth."""

    code = "input_too_large"


class UnsupportedMediaError(InputError):
    """A picture or video of a format that is not decoded."""

    code = "unsupported_media"


class NotFoundError(Error, FileNotFoundError):
    """A file or a model that is not there."""

    code = "not_found"


class UnavailableError(Error, RuntimeError):
    """A model that cannot be used here: in a child that came by fork()."""

    code = "unavailable"


class InternalError(Error, RuntimeError):
    """A bug in galago."""

    code = "internal"


class ResourceError(Error, MemoryError):
    """Memory or file descriptors ran out although the request was admitted."""

    code = "resource"


class OutputError(Error, OSError):
    """Writing failed: a full disk, no permission."""

    code = "output_io"


class OverloadedError(Error, RuntimeError):
    """More requests wait than Model(max_waiting=...) allows."""

    code = "overloaded"


class TimeoutError(Error, builtins.TimeoutError):
    """A request that had not ended after its timeout_ms."""

    code = "timeout"


class AuthError(Error, PermissionError):
    """A key or token that is missing or wrong."""

    code = "auth"


class PartialError(Error, RuntimeError):
    """Work on many items is done, and at least one of them failed."""

    code = "partial"


class ModelChangedError(Error, RuntimeError):
    """A model's file changed while it was used."""

    code = "model_changed"


class ModelInvalidError(Error, ValueError):
    """Weights, settings, tokenizer or template that are malformed."""

    code = "model_invalid"


class UnsupportedError(Error, NotImplementedError):
    """A well-formed model, or an input to it, of a kind that is not run."""

    code = "model_unsupported"


_CLASSES: dict[str, type[Error]] = {
    kind.code: kind
    for kind in (
        UsageError,
        InputError,
        InputTooLargeError,
        UnsupportedMediaError,
        NotFoundError,
        UnavailableError,
        InternalError,
        ResourceError,
        OutputError,
        OverloadedError,
        TimeoutError,
        AuthError,
        PartialError,
        ModelChangedError,
        ModelInvalidError,
        UnsupportedError,
    )
}


_IN_PYTHON = {"max_new_tokens": "max_tokens", "min_new_tokens": "min_tokens"}
_FLAGS = {"restart": "restart=True", "raw": "raw=True", "all": "all_files=True", "image": "images", "video": "videos"}


def _in_python(text: str) -> str:
    """Flags of the command line and options of the C++ API by their names here."""
    text = re.sub(r"--(image|id|prompt)-column(?: NAME)?", r'columns={"\1": NAME}', text)
    text = re.sub(r"\b(?:max|min)_new_tokens\b", lambda found: _IN_PYTHON[found[0]], text)
    return re.sub(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)", lambda found: _FLAGS.get(found[1], found[1].replace("-", "_")), text)


def error_of(code: str, where: str, got: str, expected: str, hint: str) -> Error:
    """The exception of a code; what the extension module raises."""
    return _CLASSES[code](_IN_PYTHON.get(where, where), got, _in_python(expected), _in_python(hint))
