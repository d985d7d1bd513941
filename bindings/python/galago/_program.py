"""The program galago and the demo models, which the package brings along."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal, NoReturn

from . import _core
from ._errors import NotFoundError, UsageError


def demo_model(name: Literal["demo", "demo-page"] = "demo") -> Path:
    """The folder of a small demo model, for trying galago out.

    Args:
        name: "demo", which names a few kinds of things in pictures, or "demo-page", which reads pages as DocTags.

    Raises:
        NotFoundError: in a package from a wheel, which is to stay small. UsageError: for another name.
    """
    if name not in ("demo", "demo-page"):
        raise UsageError("name", str(name), '"demo" or "demo-page"')
    folder = Path(__file__).parent / "models" / name
    if not folder.exists():
        raise NotFoundError(
            str(folder),
            "no demo model: a wheel is to stay small",
            "a package built from the sources",
            "a real one: galago.Model('HuggingFaceTB/SmolVLM-256M-Instruct'), which is downloaded"
            if name == "demo"
            else "a real one: galago.Model('ibm-granite/granite-docling-258M'), which is downloaded",
        )
    return folder


def main() -> NoReturn:
    """The program: `python -m galago`, and the command galago."""
    sys.exit(_core.program(sys.argv[1:]))
