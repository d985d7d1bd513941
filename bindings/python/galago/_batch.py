"""One question about very many pictures: a run that can be killed at any moment, and goes on where it was."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from . import _core
from ._errors import InputError, UsageError
from ._media import encoded_path
from ._model import Model
from ._progress import bar
from ._requests import Options, checked_text, prepare

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: What galago.batch takes: words as `galago batch` does; a Parquet file; or one dict for each item.
BatchItems = Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]], Iterable[Mapping[str, Any]]]
_OWN = frozenset({"id", "prompt", "messages", "image", "images", "videos"})


@dataclass(frozen=True)
class BatchSummary:
    """What a run came to."""

    done: int  #: records
    failed: int  #: of them, that are errors
    resumed: int  #: records that were there when it began
    tokens: int  #: that were answered by this run
    seconds: float  #: of this run


def _fingerprint(value: object) -> object:
    """What tells a value of an item from another, as JSON has it. Objects with pixels by their kind and size alone."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, Mapping):
        return {str(key): _fingerprint(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fingerprint(part) for part in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return [type(value).__name__, str(getattr(value, "shape", getattr(value, "size", value if isinstance(value, os.PathLike) else "")))]


class _Items:
    """Items of dicts, for the extension module."""

    def __init__(self, items: Iterable[Mapping[str, Any]], prompt: str | None, options: Mapping[str, Any]) -> None:
        self._items = enumerate(items)
        self._prompt = prompt
        self._options = options

    def __iter__(self) -> Iterator[tuple[str, str, Callable[[], _core.Request]]]:
        return self

    def __next__(self) -> tuple[str, str, Callable[[], _core.Request]]:
        number, item = next(self._items)
        if not isinstance(item, Mapping):
            raise TypeError(f"item {number}: got {type(item).__name__}, expected a dict")
        given = item.get("id")
        if given is None:
            image = item.get("image")
            given = os.fspath(image) if isinstance(image, (str, os.PathLike)) else number
        identity = repr(_fingerprint({key: item[key] for key in sorted(item)}))
        return checked_text(str(given), "id"), checked_text(identity, "item"), lambda: self._request(item)

    def _request(self, item: Mapping[str, Any]) -> _core.Request:
        messages = item.get("messages")
        question = messages if messages is not None else item.get("prompt", self._prompt)
        if question is None:
            raise InputError("item", "no question", "a prompt of its own or of all")
        images = [*([item["image"]] if item.get("image") is not None else ()), *(item.get("images") or ())]
        own = {key: value for key, value in item.items() if key not in _OWN}
        return prepare(question, images, item.get("videos") or (), {**self._options, **own}).request


def _is_parquet(items: object) -> bool:
    return isinstance(items, (str, os.PathLike)) and os.fspath(items).lower().endswith((".parquet", ".pq"))


def _words(items: object) -> list[str] | None:
    """The words of a command line; None for other items."""
    if isinstance(items, (str, os.PathLike)):
        return [checked_text(os.fspath(items), "items")]
    if isinstance(items, (list, tuple)) and items and all(isinstance(item, (str, os.PathLike)) for item in items):
        return [checked_text(os.fspath(item), "items") for item in items]
    return None


def _column_names(columns: Mapping[str, str]) -> list[str]:
    """Of image, id and prompt; "" for those that are called as usual."""
    parts = ("image", "id", "prompt")
    for part, column in columns.items():
        if part not in parts:
            raise UsageError("columns", part, ", ".join(parts))
        checked_text(column, f"columns: {part}")
    return [columns.get(part, "") for part in parts]


def batch(
    model: Model,
    items: BatchItems,
    prompt: str | None = None,
    *,
    output: str | os.PathLike[str],
    columns: Mapping[str, str] | None = None,
    workers: int = 8,
    readers: int = 0,
    max_memory: int = 0,
    limit: int = 0,
    timings: bool = False,
    restart: bool = False,
    retry_errors: bool = False,
    keep_journal: bool = False,
    progress: bool | None = None,
    **options: Unpack[Options],
) -> BatchSummary:
    """Answers one question about every item, and writes one record for each, in their order: its answer or its error.

    What is done stands in a journal beside the output. Called again with the same arguments after whatever ended it, it goes
    on; the output is then that of a run that nothing disturbed.

    Args:
        model: a loaded model.
        items: words as `galago batch` takes them (folders, patterns, files of items); the path of a Parquet file; or an iterable,
            the same each time, of dicts with "id", "image" or "images", "prompt" or "messages", and options of their own.
        prompt: the question of items that have none.
        output: a file of JSON lines, a .tar or a folder as of `galago batch`; or a .parquet file with the columns id, text,
            finish_reason, usage, error and more (JSON of what else a record has).
        columns: of a Parquet file: which column is "image" (bytes, a path, or a struct with either), "id" and "prompt"; of lines of
            JSON and tables the same.
        workers: requests in work at a time.
        readers: threads that open pictures ahead; 0: by the processors.
        max_memory: bytes that requests in work may hold together; 0: no limit.
        limit: items in all; 0: every one.
        timings: in records, which never repeat then.
        restart: throw away what an earlier run left.
        retry_errors: answer those items again whose records are errors, where there is a journal of an earlier run.
        keep_journal: when the run is over, for a later one with more items, or with retry_errors.
        progress: a bar of tqdm's; None: where tqdm is installed and standard error is a terminal.
        **options: galago.Options of all items.

    Raises:
        UsageError: an earlier run was another one, or the output is there. OverloadedError: another process is at it.
        OutputError, ResourceError, ModelChangedError: it can be gone on with. KeyboardInterrupt: the same.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model: got {type(model).__name__}, expected a galago.Model: galago.batch(model, items, prompt, output=PATH)")
    made = _core.BatchOptions()
    made.request = prepare(prompt if prompt is not None else "", (), (), options).request
    made.output = encoded_path(output)
    made.workers, made.readers, made.max_memory, made.limit = workers, readers, max_memory, limit
    made.timings, made.restart, made.retry_errors, made.keep_journal = timings, restart, retry_errors, keep_journal
    sink = _parquet_sink(Path(output), replace=restart or retry_errors or keep_journal)
    shown = bar(progress, unit="item")

    def tell(done: int, failed: int, total: int | None) -> None:
        shown.total = total
        shown.set_postfix(errors=failed, refresh=False)
        shown.update(done - shown.n)

    told = tell if shown is not None else None
    try:
        words = None if _is_parquet(items) else _words(items)
        if words is not None:
            return BatchSummary(**_core.batch_words(model._core, words, _column_names(columns or {}), made, told, sink))
        rows, total = _rows(items, columns or {})
        return BatchSummary(**_core.batch_items(model._core, _Items(rows, prompt, options), total, made, told, sink))
    finally:
        if shown is not None:
            shown.close()


def _rows(items: Any, columns: Mapping[str, str]) -> tuple[Iterable[Mapping[str, Any]], int | None]:
    if _is_parquet(items):
        from ._parquet import read_rows

        return read_rows(items, columns)
    if columns:
        raise UsageError("columns", "items that are no file", "the path of one")
    return items, len(items) if isinstance(items, Sequence) else None


def _parquet_sink(output: Path, *, replace: bool) -> Callable[[], Any] | None:
    if not _is_parquet(output):
        return None
    if output.exists() and not replace:
        raise UsageError(str(output), "a file that is there", "none", "the run is over; restart=True begins anew")
    from ._parquet import ParquetSink

    return lambda: ParquetSink(output)
