"""Captions with Daft: a class that holds its model, on this machine or on a Ray cluster.

Usage: python examples/daft_caption.py PICTURES OUT [MODEL]
       PICTURES: a folder. OUT: Parquet with the columns path, caption.
       On a cluster: DAFT_RUNNER=ray and RAY_ADDRESS.
"""

import sys

import daft

import galago


@daft.cls(max_concurrency=1)
class Captioner:
    """One model a process; a picture that cannot be read has no caption."""

    def __init__(self, model: str) -> None:
        self._model = galago.Model(model)

    @daft.method.batch(return_dtype=daft.DataType.string())
    def caption(self, pictures: daft.Series) -> list[str | None]:
        questions = [galago.Request("What is in the picture?", [picture]) for picture in pictures.to_pylist()]
        answers = self._model.generate(questions, progress=False, return_exceptions=True, max_tokens=64)
        return [None if isinstance(answer, Exception) else answer.text for answer in answers]


def main(pictures: str, out: str, model: str) -> None:
    files = daft.from_glob_path(f"{pictures}/**/*.jpg").select("path")
    captioner = Captioner(model)
    contents = files.with_column("content", daft.col("path").download())
    contents.with_column("caption", captioner.caption(contents["content"])).exclude("content").write_parquet(out)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) == 4 else "models/demo")
