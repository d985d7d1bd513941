"""Parquet files as items and as records of a batch, by pyarrow."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ._errors import InputError, NotFoundError, OutputError, UsageError

try:
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
    import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]
except ImportError as error:
    raise ImportError("Parquet files want pyarrow: pip install pyarrow") from error

_ROWS = 64  # of a Parquet file that are in memory at a time: pictures may be large
_RECORDS = 4096  # that are written together
_PARTS = ("image", "id", "prompt")
_USAGE = pa.struct([("prompt_tokens", pa.int64()), ("image_tokens", pa.int64()), ("completion_tokens", pa.int64())])
_ERROR = pa.struct([("code", pa.string()), ("message", pa.string())])
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("finish_reason", pa.string()),
        ("usage", _USAGE),
        ("error", _ERROR),
        ("more", pa.string()),
    ]
)


def _picture(value: Any) -> Any:
    """Of a struct, as datasets writes them: its bytes, or its path."""
    if not isinstance(value, Mapping):
        return value
    return value.get("bytes") if value.get("bytes") is not None else value.get("path")


def _seems_pictures(field: Any) -> bool:
    """Whether a column may hold pictures, about which nothing would be asked."""
    of_bytes = pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
    if of_bytes or (pa.types.is_struct(field.type) and {"bytes", "path"} & {part.name for part in field.type}):
        return True
    of_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    return of_text and re.search("image|img|picture|photo", field.name.lower()) is not None


def read_rows(path: str | os.PathLike[str], columns: Mapping[str, str]) -> tuple[Iterator[Mapping[str, Any]], int]:
    """A file's rows as items, and how many there are. NotFoundError, InputError, UsageError for a column that is not there."""
    name = os.fspath(path)
    try:
        file = pq.ParquetFile(name)
    except FileNotFoundError:
        raise NotFoundError(name, "no such file", "a Parquet file") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(name, str(error), "a Parquet file") from error
    there = set(file.schema_arrow.names)
    for part, column in columns.items():
        if part not in _PARTS:
            raise UsageError("columns", part, ", ".join(_PARTS))
        if column not in there:
            raise UsageError(f"columns: {part}", f"no column {column}", ", ".join(sorted(there)))
    chosen = {part: columns.get(part, part) for part in _PARTS if columns.get(part, part) in there}
    if "image" not in chosen and "prompt" not in chosen:
        raise UsageError("columns", f"neither image nor prompt among {', '.join(sorted(there))}", 'columns={"image": NAME}')

    seen = [] if columns or "image" in chosen else [field.name for field in file.schema_arrow if _seems_pictures(field)]
    if seen:
        hint = 'columns={"prompt": "prompt"} asks about no picture'
        raise UsageError("columns", f"no column image, and {seen[0]} beside it", f'columns={{"image": "{seen[0]}"}}', hint)

    def rows() -> Iterator[Mapping[str, Any]]:
        for table in file.iter_batches(batch_size=_ROWS, columns=list(chosen.values())):
            for row in table.to_pylist():
                item = {part: row[column] for part, column in chosen.items()}
                yield {**item, "image": _picture(item["image"])} if "image" in item else item

    return rows(), file.metadata.num_rows


class ParquetSink:
    """Records as rows of a file, which gets its name once all are there. OutputError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}")
        self._rows: list[dict[str, Any]] = []
        try:
            self._writer = pq.ParquetWriter(self._temporary, _SCHEMA)
        except OSError as error:
            raise OutputError(str(path), str(error)) from error

    def write(self, record: str) -> None:
        """One record, a line of JSON."""
        fields = json.loads(record)
        row = {name: fields.pop(name, None) for name in _SCHEMA.names if name != "more"}
        row["more"] = json.dumps(fields, ensure_ascii=False) if fields else None
        self._rows.append(row)
        if len(self._rows) >= _RECORDS:
            self._flush()

    def _flush(self) -> None:
        try:
            self._writer.write_table(pa.Table.from_pylist(self._rows, _SCHEMA))
        except OSError as error:
            raise OutputError(str(self._path), str(error)) from error
        self._rows = []

    def commit(self) -> None:
        """The file gets its name, and is on the disk."""
        self._flush()
        try:
            self._writer.close()
            with open(self._temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(self._temporary, self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise OutputError(str(self._path), str(error)) from error

    def __del__(self) -> None:
        self._temporary.unlink(missing_ok=True)
