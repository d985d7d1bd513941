#!/usr/bin/env python3
"""galago pull against the fake hub of tests/hub: killed at random moments, with damaged answers, and its rate beside huggingface_hub's.

Usage: build/hub/bin/python bench/hub/run.py [--program build/galago] [--kills 300] [--hostile 500] [--megabytes 1000]
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


def damaged(content):
    """Bytes that somebody has had a hand in."""
    data = bytearray(content)
    for _ in range(random.choice((0, 1, 1, 3, 20))):
        at = random.randrange(len(data) + 1)
        kind = random.randrange(5)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << random.randrange(8)
        elif kind == 1:
            del data[at : at + random.randrange(1, 40)]
        elif kind == 2:
            data[at:at] = data[: random.randrange(60)]
        elif kind == 3:
            data[at:at] = random.choice((b"../", b"\0", b"\x1b[2J", b"9" * 30, b"-", b"\xff\xfe", b"[" * 50, b'"', b"null"))
        else:
            del data[at:]
    return bytes(data)


def random_fault(hub, repository):
    stage = random.choice(("/revision/", "/tree/", "HEAD", "GET .*/resolve/", "GET /cdn/", "."))
    odd = random.choice(("../x", "0", "-1", '"' + "f" * 64 + '"', "bytes 7-9/10", "x" * 5000, "", hub.cdn + "/cdn/", "file:///etc/passwd", "W/\"\""))
    name = random.choice(("Location", "ETag", "X-Linked-Etag", "X-Linked-Size", "X-Repo-Commit", "Content-Range", "Content-Length", "Link", "Retry-After", "X-Error-Message", "Transfer-Encoding"))
    made = {
        "/revision/": json.dumps({"id": "org/m", "sha": repository.commit}).encode(),
        "/tree/": json.dumps(repository.tree()).encode(),
    }
    if stage in made and random.random() < 0.7:
        return Fault(stage, status=200, body=damaged(made[stage]), headers={name: odd} if random.random() < 0.3 else {})
    return random.choice(
        (
            Fault(stage, drop=True, times=random.choice((1, 9))),
            Fault(stage, cut=random.randrange(2000)),
            Fault(stage, headers={name: odd}, times=random.choice((1, 9))),
            Fault(stage, drop_headers=(name,), times=random.choice((1, 9))),
            Fault(stage, change=damaged, times=random.choice((1, 9))),
            Fault(stage, no_ranges=True, cut=1000),
            Fault(stage, status=random.choice((204, 206, 301, 302, 304, 400, 401, 403, 404, 416, 418, 429, 500)), headers={name: odd}, body=damaged(b"<html>sorry</html>")),
        )
    )


def chaos(program, rounds):
    """Answers damaged at random: every pull ends with 0 and a whole snapshot, or with an error and none."""
    repository = model(3 << 20, 3)
    codes = {}
    for _ in range(rounds):
        with FakeHub({"org/m": repository}) as hub, tempfile.TemporaryDirectory() as folder:
            cache = pathlib.Path(folder) / "hub"
            environment = os.environ | {"HF_ENDPOINT": hub.address, "HF_HUB_CACHE": str(cache), "HF_HOME": folder, "HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
            hub.faults += [random_fault(hub, repository) for _ in range(random.randrange(1, 6))]
            faults = [str(fault) for fault in hub.faults]
            done = subprocess.run([program, "pull", "org/m"], env=environment, capture_output=True, timeout=300)
            code = done.returncode
            codes[code] = codes.get(code, 0) + 1
            if code not in (0, 65, 66, 69, 74, 75, 77, 78) or not done.stderr.decode().replace("\n", "").isprintable():
                raise SystemExit(f"{code}: {done.stderr} after {faults}")
            snapshots = list(cache.glob("*/snapshots/*"))
            if code != 0 and snapshots:
                raise SystemExit(f"{code}, and a snapshot: {faults}")
            for snapshot in snapshots:  # a listing that was damaged may leave files out, but not change them
                for link in snapshot.iterdir():
                    if link.is_file() and link.name in repository.files and link.read_bytes() != repository.files[link.name]:
                        raise SystemExit(f"{link.name} is not what the hub has: {faults}")
            outside = [p for p in pathlib.Path(folder).rglob("*") if cache not in (p, *p.parents)]
            if outside:
                raise SystemExit(f"outside of the cache: {outside}")
    return {"pulls": rounds, "exit_codes": {str(code): count for code, count in sorted(codes.items())}}


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
    arguments.add_argument("--hostile", type=int, default=500)
    arguments.add_argument("--megabytes", type=int, default=1000)
    asked = arguments.parse_args()
    result = {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "processors": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "killed": kills(asked.program, asked.kills),
        "hostile": chaos(asked.program, asked.hostile),
        "rates": rates(asked.program, asked.megabytes),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
