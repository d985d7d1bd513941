"""Hugging Face's datasets and back: a data set with pictures to Parquet, through galago.batch, and as a data set again."""

import pathlib
import tempfile
import unittest

import datasets
import galago
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[3]
PICTURES = sorted((ROOT / "models" / "demo" / "pictures").glob("*.jpg"))


class Datasets(unittest.TestCase):
    def test_round_trip(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            features = datasets.Features({"key": datasets.Value("string"), "image": datasets.Image()})
            rows = {"key": [picture.stem for picture in PICTURES], "image": [str(picture) for picture in PICTURES]}
            made = datasets.Dataset.from_dict(rows, features=features).map(lambda row: row, cache_file_name=str(folder / "cache.arrow"))
            made.to_parquet(str(folder / "in.parquet"))  # pictures become structs of bytes and path
            model = galago.Model(galago.demo_model())
            summary = galago.batch(
                model, folder / "in.parquet", "What is in the picture?", output=folder / "out.parquet", columns={"id": "key"}, max_tokens=8
            )
            self.assertEqual((summary.done, summary.failed), (len(PICTURES), 0))
            answers = datasets.Dataset.from_parquet(str(folder / "out.parquet"), cache_dir=str(folder / "cache"))
            self.assertEqual(answers["id"][:], rows["key"])
            alone = [model.ask("What is in the picture?", [Image.open(picture)], max_tokens=8).text for picture in PICTURES]
            self.assertEqual(answers["text"][:], alone)


if __name__ == "__main__":
    unittest.main()
