"""Pages of documents to text or DocTags, on every machine of a Ray cluster, out of Parquet files and into Parquet files.

Usage: python examples/ray_pages.py PAGES OUT --model MODEL [--prompt TEXT] [--max-tokens 4096] [--address auto]
       PAGES: Parquet files with the columns id (unique) and image (a picture's bytes). OUT/pages gets id, doctags,
       doctags_finish_reason, doctags_tokens and doctags_error; OUT/done remembers which rows are written.
"""

import argparse
import pathlib

import ray
import ray.data
from ray.data.checkpoint import CheckpointConfig

import galago.ray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompt", default="Convert this page to docling.")
    parser.add_argument("--max-tokens", type=int, default=4096)
    parser.add_argument("--compute", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--address", help="of a cluster; without it one of this machine's own is begun")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    ray.init(address=arguments.address)
    ray.data.DataContext.get_current().checkpoint_config = CheckpointConfig(
        id_column="id", checkpoint_path=str(out / "done"), delete_checkpoint_on_success=True
    )
    pages = ray.data.read_parquet(str(arguments.pages.resolve()), columns=["id", "image"])
    converted = galago.ray.answer(
        pages,
        arguments.model,
        arguments.prompt,
        output="doctags",
        load={"compute": arguments.compute},
        drop=["image", "doctags_prompt_tokens"],
        max_tokens=arguments.max_tokens,
    )
    converted.write_parquet(str(out / "pages"))


if __name__ == "__main__":
    main()
