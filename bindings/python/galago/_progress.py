"""A bar that shows how far long work is: tqdm's, where that is installed."""

from __future__ import annotations

import sys
from typing import Any


def bar(wanted: bool | None, **options: Any) -> Any:
    """A bar of tqdm's; nothing where none is wanted. None: where tqdm is installed and standard error is a terminal."""
    if wanted is False or (wanted is None and not sys.stderr.isatty()):
        return None
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        if wanted:
            raise ImportError("progress=True wants tqdm: pip install tqdm") from None
        return None
    return tqdm(**options)
