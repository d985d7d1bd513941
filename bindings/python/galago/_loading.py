"""How a model is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from . import _core
from ._hub import located
from ._media import encoded_path
from ._requests import misfit


class LoadOptions(TypedDict, total=False):
    """Keywords of galago.Model; galago.Embedder takes threads, dtype, compute, mmap, strict and lora."""

    threads: int  #: of this model, at most 1024; 0: one per processor
    dtype: Literal["auto", "f32", "bf16", "q8", "q4"]  #: of weights; "auto": as they are stored
    compute: Literal["f32", "bf16", "int8", "auto"]  #: in what products of many rows multiply
    kv_cache_dtype: Literal["f32", "f16"]  #: of what the decoder remembers
    mmap: bool  #: read weights where they lie in the file; False: copy them, for faster tokens
    pillow: Literal[12, 13]  #: the major version of Pillow whose resized pixels pictures get
    low_memory: bool  #: give the image stations' memory back after each request's pictures
    strict: bool  #: tensors that the model does not use are an error
    #: an adapter or several: folders or ORG/NAME, with a scale or 1
    lora: str | os.PathLike[str] | tuple[str | os.PathLike[str], float] | Sequence[str | os.PathLike[str] | tuple[str | os.PathLike[str], float]]
    chat_template: str | os.PathLike[str]  #: a Jinja file in place of the model's own
    mmproj: str | os.PathLike[str]  #: the vision file of a GGUF model; the best beside it where it is left out
    prefix_cache_bytes: int  #: keys and values that are kept for prompts which begin with the same; 0: off
    image_cache_bytes: int  #: rows of pictures that are kept in memory; 0: none
    image_cache_directory: str | os.PathLike[str]  #: where they outlive the process
    image_cache_directory_bytes: int
    max_sequences: int  #: requests in work at a time, 1 to 1024
    max_waiting: int  #: more are refused: OverloadedError
    max_memory: int  #: bytes that requests in work may hold together; 0: no limit
    max_gap_ms: float  #: that others' pictures and prompts may put between two tokens


_PATHS = ("chat_template", "mmproj", "image_cache_directory")


def _is_one_adapter(value: object) -> bool:
    """A path, or a path with its scale, in the place of a list of them."""
    scaled = isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], (int, float))
    return scaled or isinstance(value, (str, os.PathLike))


def load_options(options: Mapping[str, Any]) -> _core.LoadOptions:
    """What the extension module takes. TypeError for an unknown one or a wrong type, UsageError for an unknown word."""
    made = _core.LoadOptions()
    for name, value in options.items():
        if name not in LoadOptions.__annotations__:
            raise TypeError(f"{name}: no such option; there are {', '.join(sorted(LoadOptions.__annotations__))}")
        if name == "lora":
            for adapter in [value] if _is_one_adapter(value) else value:
                directory, scale = adapter if isinstance(adapter, tuple) else (adapter, 1.0)
                made.add_lora(located(directory), scale)
            continue
        try:
            setattr(made, name, encoded_path(value) if name in _PATHS else value)
        except TypeError:
            raise misfit(name, value, LoadOptions.__annotations__[name]) from None
    return made
