"""Captions with Spark: mapInPandas, a model in each task.

Usage: spark-submit examples/spark_caption.py PICTURES OUT [MODEL]
       PICTURES: a folder that every machine sees. OUT: Parquet with the columns path, caption, error.
"""

import sys
from collections.abc import Iterable, Iterator

import pandas
from pyspark.sql import SparkSession

import galago

PROMPT = "What is in the picture?"


def main(pictures: str, out: str, model: str) -> None:
    spark = SparkSession.builder.appName("captions").getOrCreate()
    threads = int(spark.conf.get("spark.task.cpus", "1") or 1)

    def caption(frames: Iterable[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
        with galago.Model(model, threads=threads) as loaded:
            for frame in frames:
                questions = [galago.Request(PROMPT, [content]) for content in frame["content"]]
                answers = loaded.generate(questions, progress=False, return_exceptions=True, max_tokens=64)
                failed = [isinstance(answer, Exception) for answer in answers]
                yield pandas.DataFrame(
                    {
                        "path": frame["path"],
                        "caption": [None if bad else answer.text for bad, answer in zip(failed, answers, strict=True)],
                        "error": [str(answer) if bad else None for bad, answer in zip(failed, answers, strict=True)],
                    }
                )

    files = spark.read.format("binaryFile").option("pathGlobFilter", "*.jpg").option("recursiveFileLookup", "true").load(pictures)
    captions = files.select("path", "content").mapInPandas(caption, "path string, caption string, error string")
    captions.write.mode("errorifexists").parquet(out)
    spark.stop()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) == 4 else "models/demo")
