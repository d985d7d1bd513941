#!/usr/bin/env python3
"""How much memory a batch of very many pictures takes from Python, as it goes on.

Usage: bench/python/memory.py [--items 100000] [--model tests/data/models/smolvlm_tiles] [-o RESULT.json]
Wants the package galago installed, with pyarrow. Each picture is another one, 32 x 32 pixels, encoded as one tile; one token is
answered. Records go to a Parquet file in a temporary folder.
"""

import argparse
import json
import os
import pathlib
import platform
import tempfile
import time

import galago
import numpy


def resident():
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def processor():
    with open("/proc/cpuinfo") as file:
        facts = dict(line.split(":", 1) for line in file if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    return f"{facts.get('model name', platform.machine())}, family {facts.get('cpu family')}, model {facts.get('model')}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--items", type=int, default=100_000)
    arguments.add_argument("--model", default="tests/data/models/smolvlm_tiles")
    arguments.add_argument("-o", dest="output", type=pathlib.Path)
    asked = arguments.parse_args()
    model = galago.Model(asked.model, image_cache_bytes=0)
    pixels = numpy.zeros((32, 32, 3), numpy.uint8)
    measured = []

    def items():
        for i in range(asked.items):
            if i % max(1, asked.items // 20) == 0:
                measured.append({"items": i, "resident_bytes": resident()})
                print(f"{i}: {measured[-1]['resident_bytes'] / 1e6:.1f} MB", flush=True)
            pixels[0, 0] = [i % 256, i // 256 % 256, i // 65536]
            yield {"id": str(i), "image": galago.image(pixels), "prompt": "a"}

    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "records.parquet"
        summary = galago.batch(model, items(), output=output, max_tokens=1, split_images=False)
    result = {
        "what": "resident memory of galago.batch in Python",
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "load_average": os.getloadavg()[0],
        "items": summary.done,
        "failed": summary.failed,
        "seconds": round(summary.seconds, 1),
        "measured": measured,
        "resident_bytes_at_the_end": resident(),
    }
    print(json.dumps({key: value for key, value in result.items() if key != "measured"}))
    if asked.output:
        asked.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
