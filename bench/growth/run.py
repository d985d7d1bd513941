# How time grows with tiles, images, context and the sequences of a batch.
# In: a built galago, a model directory. Out: one JSON file: for each curve its points with median, min and max.
# Pictures are made here: their shape decides into how many tiles they are cut.
# Usage: python3 bench/growth/run.py --galago build/galago --model DIR -o bench/results/PROCESSOR/NAME.json [--runs 5]

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import machine  # noqa: E402
import measure  # noqa: E402

SHAPES = [(640, 160), (640, 320), (640, 480), (640, 640)]  # width, height: ever more rows of tiles
IMAGES = [1, 2, 4, 8]
SEQUENCES = [1, 2, 4, 8, 16, 32]
BATCH_CONTEXT = 128  # positions before the step of a batch
CONTEXTS = [64, 128, 256, 512, 1024, 2048]


def write_picture(path, width, height, shade=0):
    """A BMP file with something in it everywhere; another shade is another picture."""
    row = (3 * width + 3) // 4 * 4
    pixels = bytearray()
    for y in range(height):
        line = bytearray(b for x in range(width) for b in ((x * 3 + shade) & 255, (y * 5) & 255, (x ^ y) & 255))
        pixels += line + bytes(row - len(line))
    size = 54 + len(pixels)
    words = [size, 0, 54, 40, width, height]
    header = b"BM" + b"".join(word.to_bytes(4, "little") for word in words) + (1).to_bytes(2, "little")
    header += (24).to_bytes(2, "little") + bytes(24)
    path.write_bytes(header + pixels)


def point(x, values):
    return {"x": x, "median": statistics.median(values), "min": min(values), "max": max(values)}


class Growth:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.base = ["-m", arguments.model, "-t", arguments.threads, "--json"]

    def ask(self, more):
        """-> the answer of `runs` separate runs of one token each"""
        command = [self.arguments.galago, "run", *self.base, "-n", 1, "-p", "What is in the picture?", *more]
        return [measure.run(command)[0] for _ in range(self.arguments.runs)]

    def tiles(self):
        """Tower time of one picture, as one tile and cut into more and more."""
        points = []
        for width, height in SHAPES:
            path = self.folder / f"{width}x{height}.bmp"
            write_picture(path, width, height)
            answers = self.ask(["-i", path])
            points.append(point(answers[0]["images"][0]["tiles"], [a["timings"]["vision_ms"] for a in answers]))
        answers = self.ask(["-i", path, "--no-split"])
        points.append(point(1, [a["timings"]["vision_ms"] for a in answers]))
        return sorted(points, key=lambda one: one["x"])

    def images(self):
        """Start of the request to first token with 1, 2, 4, 8 pictures of one tile each."""
        paths = [self.folder / f"image{i}.bmp" for i in range(max(IMAGES))]
        for i, path in enumerate(paths):  # no two alike: equal ones are encoded once
            write_picture(path, 320, 320, 7 * i)
        points = []
        for count in IMAGES:
            answers = self.ask(["--no-split", *(word for path in paths[:count] for word in ("-i", path))])
            points.append(point(count, [a["timings"]["first_token_ms"] for a in answers]))
        return points

    def stage(self, name, x, *more):
        """One point of `galago bench`."""
        bench, _, _ = measure.run([self.arguments.galago, "bench", *self.base, "--runs", self.arguments.runs,
                                   "--no-split", "--only", name, *more])
        return point(x, bench["stages"][0]["runs_ms"])

    def context(self, stage):
        return [self.stage(stage, length, "--context", length) for length in self.arguments.contexts]

    def batch(self):
        """One step of several sequences together."""
        return [self.stage("decode batch", count, "--sequences", count, "--context", BATCH_CONTEXT) for count in SEQUENCES]


def main():
    parser = argparse.ArgumentParser(description="Measures how time grows with tiles, images, context and batch.")
    parser.add_argument("--galago", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--contexts", type=int, nargs="+", default=CONTEXTS, help="below the model's own")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    result = {"kind": "growth", **machine.facts(arguments.galago), "threads": arguments.threads,
              "model": arguments.model.resolve().name, "runs": arguments.runs}
    with tempfile.TemporaryDirectory() as folder:
        growth = Growth(arguments, pathlib.Path(folder))
        result["curves"] = [
            {"name": "vision tower", "x": "tiles", "y": "ms", "points": growth.tiles()},
            {"name": "first token", "x": "images of one tile", "y": "ms", "points": growth.images()},
            {"name": "prefill", "x": "rows", "y": "ms", "points": growth.context("prefill")},
            {"name": "decode step", "x": "positions before it", "y": "ms", "points": growth.context("decode")},
            {"name": f"decode step of a batch, {BATCH_CONTEXT} positions", "x": "sequences", "y": "ms",
             "points": growth.batch()},
        ]
    result["load_average_at_end"] = os.getloadavg()[0]
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
