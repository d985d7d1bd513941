"""A caption for each picture of a folder, on every machine of a Ray cluster; what stands there already is not done twice.

Usage: python examples/ray_caption.py PICTURES OUT [--model models/demo] [--prompt TEXT] [--address auto]
       PICTURES, OUT: folders that every machine of the cluster sees. OUT/captions gets Parquet files with the columns
       path and caption; OUT/done remembers which rows are written, so that a run that broke off goes on.
"""

import argparse
import pathlib

import ray
import ray.data
from ray.data.checkpoint import CheckpointConfig

import galago.ray

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--model", default="models/demo")
    parser.add_argument("--prompt", default="What is in the picture?")
    parser.add_argument("--address", help="of a cluster; without it one of this machine's own is begun")
    parser.add_argument("--rows-per-file", type=int, default=64, help="what a machine that is lost may have to do again")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    ray.init(address=arguments.address)
    # Rows that are written are left out where they are read: it has to be a read_..., not from_items.
    ray.data.DataContext.get_current().checkpoint_config = CheckpointConfig(
        id_column="path", checkpoint_path=str(out / "done"), delete_checkpoint_on_success=True
    )
    files = [path for path in arguments.pictures.absolute().rglob("*") if path.suffix.lower() in ENDINGS]
    pictures = ray.data.read_binary_files(sorted(map(str, files)), include_paths=True)
    captions = galago.ray.answer(
        pictures,
        arguments.model,
        arguments.prompt,
        image="bytes",
        output="caption",
        drop=["bytes"],
        batch_size=arguments.rows_per_file,
        max_tokens=64,
    )
    captions.write_parquet(str(out / "captions"))
    print(f"{len(files)} pictures are captioned in {out / 'captions'}")


if __name__ == "__main__":
    main()
