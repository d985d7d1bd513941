#!/usr/bin/env python3
"""galago pull against the fake hub of tests/hub: killed at random moments, and its rate beside huggingface_hub's.

Usage: build/hub/bin/python bench/hub/run.py [--program build/galago] [--kills 300] [--megabytes 1000]
After each kill -9 a snapshot must be absent or whole. build/hub is made by tests/hub/run.py.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "hub"))

from fake_hub import Fault, FakeHub, Repository  # noqa: E402

SETTINGS = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "preprocessor_config.json")


def model(weights, shards):
    files = {name: json.dumps({"name": name, "filler": "x" * 10_000}).encode() for name in SETTINGS}
    names = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
    files |= {name: random.randbytes(weights // shards) for name in names}
    files["model.safetensors.index.json"] = json.dumps({"weight_map": {name: name for name in names}}).encode()
    return Repository(files)


def check(folder, repository, finished):
    """Nothing half is to be seen; -> whether the snapshot is there."""
    snapshot = folder / "models--org--m" / "snapshots" / repository.commit
    names = sorted(p.name for p in snapshot.iterdir()) if snapshot.exists() else []
    for name in names:
        if (snapshot / name).read_bytes() != repository.files[name]:
            raise SystemExit(f"{name} is not what the hub has")
    if "config.json" in names and names != sorted(repository.files):
        raise SystemExit("a snapshot with settings and without weights")
    ref = folder / "models--org--m" / "refs" / "main"
    if ref.exists() and (ref.read_text() != repository.commit or names != sorted(repository.files)):
        raise SystemExit("a ref of what is not there")
    if finished and not ref.exists():
        raise SystemExit("a finished pull without its ref")
    return bool(names)


def kills(program, count):
    repository = model(24 << 20, 3)
    size = sum(map(len, repository.files.values()))
    fetched, rounds = [], 0
    with FakeHub({"org/m": repository}) as hub:
        done = 0
        while done < count:
            with tempfile.TemporaryDirectory() as cache:
                environment = os.environ | {"HF_ENDPOINT": hub.address, "HF_HUB_CACHE": cache, "HF_HOME": cache}
                hub.requests.clear()
                hub.faults[:] = [Fault("GET /cdn/", drip=(1 << 19, 0.02), times=10_000)]
                finished = False
                while not finished:
                    children = [subprocess.Popen([program, "pull", "org/m"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(random.choice((1, 1, 2)))]
                    time.sleep(random.uniform(0, 0.5))
                    for child in children:
                        if done < count and child.poll() is None:
                            child.kill()
                            done += 1
                        finished = child.wait() == 0 or finished
                    check(pathlib.Path(cache), repository, finished)
                rounds += 1
                time.sleep(0.1)  # the server notices who is gone
                fetched.append(hub.sent("GET") / size)
    return {"kills": done, "pulls_completed": rounds, "bytes_of_a_pull": size, "sent_per_byte_mean": round(sum(fetched) / rounds, 3), "sent_per_byte_most": round(max(fetched), 3)}


def rates(program, megabytes):
    repository = model(megabytes * 1_000_000, 4)
    source = "from huggingface_hub import snapshot_download as s; s('org/m')"
    ways = {"galago": [program, "pull", "org/m"], "huggingface_hub": [sys.executable, "-c", source]}
    seconds = {name: [] for name in ways}
    with FakeHub({"org/m": repository}) as hub:
        for _ in range(3):
            for name, command in ways.items():
                with tempfile.TemporaryDirectory() as cache:
                    more = {"HF_ENDPOINT": hub.address, "HF_HUB_CACHE": cache, "HF_HOME": cache, "HF_HUB_DISABLE_XET": "1"}
                    begin = time.monotonic()
                    subprocess.run(command, env=os.environ | more, check=True, capture_output=True)
                    seconds[name].append(time.monotonic() - begin)
    return {name: {"seconds": [round(s, 2) for s in all_], "megabytes_per_second": round(megabytes / sorted(all_)[1])} for name, all_ in seconds.items()}


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", default="build/galago")
    arguments.add_argument("--kills", type=int, default=300)
    arguments.add_argument("--megabytes", type=int, default=1000)
    asked = arguments.parse_args()
    result = {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "processors": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "killed": kills(asked.program, asked.kills),
        "rates": rates(asked.program, asked.megabytes),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
