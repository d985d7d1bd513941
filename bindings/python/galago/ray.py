"""Questions about pictures on many machines, by Ray Data: a model in each actor, answers as further columns.

    import ray
    import galago.ray

    pages = ray.data.read_parquet("pages/")  # columns id and image
    answers = galago.ray.answer(pages, "MODEL", "What is on this page?", max_tokens=512)
    answers.write_parquet("answers/")

docs/scale-out.md of the project has how many actors, what survives, and what it costs. Wants `pip install 'ray[data]'`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ray  # type: ignore[import-not-found, import-untyped, unused-ignore] # pyright: ignore[reportMissingImports]
import ray.data  # type: ignore[import-not-found, import-untyped, unused-ignore] # pyright: ignore[reportMissingImports]

from ._errors import Error
from ._model import Model
from ._requests import Request

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._loading import LoadOptions
    from ._requests import Options

__all__ = ["Answerer", "answer"]

#: Processors of an actor where the caller does not say: a model's products share so many well.
CPUS = 4


class Answerer:
    """The class for `ray.data.Dataset.map_batches`: it loads its model once, in the actor, and answers batch after batch.

    A row that fails does not fail its batch: its answer is None, and its error column says why.

    Args:
        model: as galago.Model: a path that every node has, or ORG/NAME of the Hugging Face hub, which each node takes
            into its own cache once.
        prompt: the question of all rows; None: prompt_column has each row's.
        image: the column of a row's picture (bytes, a path, pixels [height, width, 3]), or of a list of pictures;
            None: none.
        prompt_column: the column of a row's own question, in the place of `prompt`.
        output: the name of the answer's column; the others are "{output}_finish_reason", "{output}_tokens",
            "{output}_prompt_tokens" and "{output}_error".
        load: galago.LoadOptions; threads are those that the actor was given.
        options: galago.Options of all questions.
    """

    def __init__(
        self,
        model: str,
        prompt: str | None = None,
        *,
        image: str | None = "image",
        prompt_column: str | None = None,
        output: str = "answer",
        load: LoadOptions | None = None,
        options: Options | None = None,
    ) -> None:
        if (prompt is None) == (prompt_column is None):
            raise TypeError("expected either prompt or prompt_column")
        settings: dict[str, Any] = {"threads": _own_cpus(), **(load or {})}
        self._model = Model(model, **settings)
        self._prompt = prompt
        self._image = image
        self._prompt_column = prompt_column
        self._output = output
        self._options: Options = options or {}

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The batch with the answer's columns. Keys are column names, values their rows."""
        rows = len(next(iter(batch.values())))
        results = self._model.generate(
            [self._request(batch, row) for row in range(rows)], progress=False, return_exceptions=True, **self._options
        )
        columns: dict[str, list[Any]] = {"": [], "_finish_reason": [], "_tokens": [], "_prompt_tokens": [], "_error": []}
        for result in results:
            for name, value in _facts(result).items():
                columns[name].append(value)
        return {**batch, **{self._output + name: values for name, values in columns.items()}}

    def _request(self, batch: Mapping[str, Any], row: int) -> Request:
        prompt: Any = self._prompt if self._prompt_column is None else batch[self._prompt_column][row]
        if self._image is None:
            return Request(prompt)
        value: Any = batch[self._image][row]
        several = isinstance(value, (list, tuple)) or getattr(value, "dtype", None) == object
        pictures: list[Any] = list(value) if several else [value]
        return Request(prompt, pictures)


def answer(
    dataset: ray.data.Dataset,
    model: str | os.PathLike[str],
    prompt: str | None = None,
    *,
    image: str | None = "image",
    prompt_column: str | None = None,
    output: str = "answer",
    cpus: int | None = None,
    actors: int | tuple[int, int] | None = None,
    batch_size: int | None = None,
    load: LoadOptions | None = None,
    drop: Sequence[str] = (),
    **options: Unpack[Options],
) -> ray.data.Dataset:
    """A dataset with a column of answers: one question about each row's picture, on all machines of the cluster.

    Args:
        dataset: rows with pictures; whatever other columns they have stays.
        cpus: logical processors of an actor; None: 4, or what the smallest machine has beside one for reading.
        actors: how many, or (fewest, most); None: as many as the cluster has room for beside one processor a machine,
            which reads and writes.
        batch_size: rows of one call of an actor; None: as many as it answers side by side.
        drop: columns that are not wanted any more behind the answers, such as the pictures.
        **options: galago.Options of all questions: max_tokens, schema and so on.
        For the other arguments see Answerer.

    Raises:
        TypeError, UsageError: at once for the arguments; errors of the model end the run. Errors of one row are in its
        error column.
    """
    if (prompt is None) == (prompt_column is None):
        raise TypeError("expected either prompt or prompt_column")
    if cpus is None:
        cpus = _cpus_of_an_actor()
    side_by_side = (load or {}).get("max_sequences", 8)
    answered = dataset.map_batches(
        Answerer,
        fn_constructor_args=(os.fspath(model), prompt),
        fn_constructor_kwargs={
            "image": image,
            "prompt_column": prompt_column,
            "output": output,
            "load": load,
            "options": options,
        },
        batch_size=batch_size or side_by_side,
        batch_format="numpy",
        compute=_pool(actors if actors is not None else _actors(cpus)),
        num_cpus=cpus,
    )
    return answered.drop_columns(list(drop)) if drop else answered


def _facts(result: Any) -> dict[str, Any]:
    """What a row is told, by the ends of column names."""
    if isinstance(result, Exception):
        text = f"{result.code}: {result}" if isinstance(result, Error) else f"{type(result).__name__}: {result}"
        return {"": None, "_finish_reason": None, "_tokens": 0, "_prompt_tokens": 0, "_error": text}
    return {
        "": result.text,
        "_finish_reason": result.finish_reason,
        "_tokens": result.usage.completion_tokens,
        "_prompt_tokens": result.usage.prompt_tokens,
        "_error": None,
    }


def _own_cpus() -> int:
    """The logical processors that this actor was given, at least one."""
    given: float = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
    return max(1, math.floor(given))


def _machines() -> list[int]:
    """The logical processors of each machine that is there."""
    return [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]


def _cpus_of_an_actor() -> int:
    smallest = min((cpus for cpus in _machines() if cpus > 0), default=1)
    return max(1, min(CPUS, smallest - 1))


def _actors(cpus: int) -> int:
    return max(1, sum(max(0, machine - 1) // cpus for machine in _machines()))


def _pool(actors: int | tuple[int, int]) -> ray.data.ActorPoolStrategy:
    """Two calls run in an actor at a time: while the last questions of one end, those of the other have begun."""
    fewest, most = actors if isinstance(actors, tuple) else (actors, actors)
    return ray.data.ActorPoolStrategy(
        min_size=fewest, max_size=most, max_concurrent_calls_per_actor=2, enable_true_multi_threading=True
    )
