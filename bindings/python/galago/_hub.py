"""Models out of the Hugging Face hub, in the cache that Hugging Face's own tools share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import _core
from ._errors import NotFoundError, UsageError
from ._media import encoded_path
from ._progress import bar
from ._requests import checked_text


@contextmanager
def _told(progress: bool | None, name: str) -> Iterator[Callable[[int, int], None] | None]:
    shown = bar(progress, desc=name, unit="B", unit_scale=True, unit_divisor=1024)
    if shown is None:
        yield None
        return

    def tell(done: int, total: int) -> None:
        shown.total = total
        shown.update(done - shown.n)

    with shown:
        yield tell


def located(model: str | os.PathLike[str]) -> bytes:
    """The path of a model: as it is, or where the cache has the one of this name, which is pulled if it is missing."""
    if not isinstance(model, str) or os.path.exists(encoded_path(model)):
        return encoded_path(model)
    if model in ("models/demo", "models/demo-page"):
        call = "galago.demo_model()" if model == "models/demo" else "galago.demo_model('demo-page')"
        raise NotFoundError(model, "no such folder from here", "a model directory, a GGUF file, or ORG/NAME", f"{call} is the demo model's folder")
    if not (model.isascii() and _core.is_hub_name(model)):
        return encoded_path(model)
    with _told(None, model) as progress:
        return _core.model_path(model, progress)


def _patterns(given: str | Sequence[str], where: str) -> list[str]:
    """One pattern is as good as a list of it; its letters would match everything."""
    return [checked_text(pattern, where) for pattern in ([given] if isinstance(given, str) else given)]


def pull(
    name: str,
    *,
    revision: str | None = None,
    include: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    all_files: bool = False,
    workers: int = 4,
    cache: str | os.PathLike[str] | None = None,
    endpoint: str | None = None,
    token: str | None = None,
    offline: bool | None = None,
    progress: bool | None = None,
) -> Path:
    """Brings the files of a model into the cache, those that are not there yet, each checked by its hash.

    Args:
        name: ORG/NAME, ORG/NAME@REVISION, or ORG/NAME:Q4_K_M for one of several GGUF files.
        revision: a branch, a tag or a commit; before the one in the name.
        include: a pattern or several: these files and no others.
        exclude: a pattern or several: not these.
        all_files: every file of the repository; else those that galago needs.
        workers: files at a time, 1 to 16.
        cache, endpoint, token, offline: None: as HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE say.
        progress: a bar of tqdm's; None: where tqdm is installed and standard error is a terminal.

    Returns:
        What galago.Model takes: the folder, or the GGUF file in it.

    Raises:
        UsageError, NotFoundError, AuthError (a gated model, a wrong token), UnavailableError and TimeoutError (the network),
        OverloadedError, InputError (a wrong checksum), OutputError (no room), UnsupportedError (no weights that are read).
        KeyboardInterrupt ends it; the next pull goes on from there.
    """
    if not 1 <= workers <= 16:
        raise UsageError("workers", str(workers), "1 to 16")
    options = _core.PullOptions()
    options.revision = revision or ""
    options.include = _patterns(include, "include")
    options.exclude = _patterns(exclude, "exclude")
    options.all = all_files
    options.workers = workers
    options.cache = encoded_path(cache) if cache is not None else b""
    options.endpoint = endpoint or ""
    if token is not None:
        options.set_token(checked_text(token, "token"))
    options.offline = offline
    with _told(progress, name) as tell:
        _, model, _ = _core.pull(checked_text(name, "name"), options, tell)
    return Path(os.fsdecode(model))
