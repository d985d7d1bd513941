#!/usr/bin/env python3
# Trials of `galago batch` that take too long for every day: killed 300 times, on 60 disks that are too small, and how fast
# it is beside Model::ask_all. In: the program, a model, how many of each. Out: a JSON file; exit 1 when a record was lost,
# doubled or changed.
# Usage: python3 bench/batch/run.py build/galago [--kills 300] [--disks 60] [--throughput build/batch_throughput] [-o bench/results/PROCESSOR/batch.json]

import argparse
import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
import machine  # noqa: E402

PICTURES = 500
QUESTION = ["-t", "1", "-n", "6", "-p", "What is this?", "-q"]


def make_pictures(folder, count):
    """Copies of small pictures of the tests, every fiftieth of them broken."""
    files = sorted((SOURCE / "tests/data/pictures").glob("*.png"))
    folder.mkdir()
    for i in range(count):
        target = folder / f"{i:05}.png"
        if i % 50 == 30:
            target.write_bytes(b"no picture")
        else:
            shutil.copy(files[i % len(files)], target)


class Opened:
    """Counts how often files of a folder are opened, by Linux's inotify."""

    OPEN, IS_FOLDER, OVERFLOW = 0x20, 0x40000000, 0x4000

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self.events = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self.events >= 0 and libc.inotify_add_watch(self.events, os.fsencode(folder), self.OPEN) >= 0

    def take(self):
        """Since the last time."""
        count = 0
        while True:
            try:
                events = os.read(self.events, 1 << 16)
            except BlockingIOError:
                return count
            at = 0
            while at < len(events):
                _, kind, _, length = struct.unpack_from("iIII", events, at)
                assert not kind & self.OVERFLOW
                count += not kind & self.IS_FOLDER
                at += 16 + length


class Trial:
    def __init__(self, program, model, work):
        self.program, self.model, self.work = program, model, work
        self.folder = work / "in"
        make_pictures(self.folder, PICTURES)
        whole = work / "whole.jsonl"
        self.opened = Opened(self.folder)
        begin = time.monotonic()
        assert self.run(whole).returncode == 3
        self.seconds = time.monotonic() - begin
        assert self.opened.take() == PICTURES  # each once
        self.expected = whole.read_bytes()
        assert self.expected.count(b"\n") == PICTURES

    def command(self, output):
        return [self.program, "batch", str(self.folder), "-m", str(self.model), "-o", str(output), *QUESTION]

    def run(self, output):
        return subprocess.run(self.command(output), capture_output=True, timeout=600)

    def kills(self, count, seed=7):
        """Killed at random moments until `count` kills are there; each run goes on until its output is whole."""
        chance, killed, runs, wrong, opened = random.Random(seed), 0, 0, 0, 0
        while killed < count:
            output, journal = self.work / f"out{runs}.jsonl", self.work / f"out{runs}.jsonl.journal"
            runs += 1
            answered = set()
            while not output.exists() or journal.exists():
                child = subprocess.Popen(self.command(output), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                try:
                    child.wait(chance.uniform(0, self.seconds / 2))
                except subprocess.TimeoutExpired:
                    child.send_signal(signal.SIGKILL)
                    child.wait()
                    killed += 1
                opened += self.opened.take()
                if child.returncode not in (3, -signal.SIGKILL):
                    raise RuntimeError(child.stderr.read().decode())
                if journal.exists():  # nothing that was there may go
                    there = {line.split(b" ")[1] for line in journal.read_bytes().split(b"\n")[1:] if line.count(b" ") > 3}
                    wrong += not answered <= there
                    answered = there
            wrong += output.read_bytes() != self.expected
            output.unlink()
        again = opened - runs * PICTURES
        return {"kills": killed, "runs": runs, "pictures": PICTURES, "wrong": wrong,
                "opened_again": again, "opened_again_a_kill": round(again / killed, 1)}

    def disks(self, count):
        """Disks of growing size, each too small; then there is room, and it goes on."""
        sizes = {"journal": 0, "output": 0}
        wrong = 0
        disk = self.work / "disk"
        disk.mkdir()
        pages = [4 + 4 * i for i in range(count)]
        for kilobytes in pages:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)], check=True)
            try:
                output = disk / "out.jsonl"
                full = self.run(output)
                if full.returncode == 3:  # it was large enough
                    wrong += output.read_bytes() != self.expected
                    sizes["enough"] = min(sizes.get("enough", kilobytes), kilobytes)
                    continue
                wrong += full.returncode != 74 or output.exists()
                journal = (disk / "out.jsonl.journal").read_bytes()
                wrong += bool(journal) and not journal.endswith(b"\n")
                sizes["output" if journal.count(b"\n") == PICTURES + 1 else "journal"] += 1
                subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
                rest = self.run(output)
                wrong += rest.returncode != 3 or output.read_bytes() != self.expected
                wrong += sorted(os.listdir(disk)) != ["out.jsonl"]
            finally:
                subprocess.run(["umount", str(disk)], check=True)
        return {"disks": count, "kilobytes": [pages[0], pages[-1]], "full_in": sizes, "wrong": wrong}


def throughput(program, model, work, pictures=240):
    """Photos of the demo, many times over, each decoded anew."""
    folder = work / "photos"
    folder.mkdir()
    photos = sorted((SOURCE / "models/demo/pictures").glob("*.jpg"))
    for i in range(pictures):
        shutil.copy(photos[i % len(photos)], folder / f"{i:05}.jpg")
    told = json.loads(subprocess.run([program, str(model), str(folder), "3"], capture_output=True, check=True, timeout=600).stdout)
    told["ratio"] = round(told["ask_all_s"] / told["batch_s"], 3)
    return told


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--model", default=SOURCE / "tests/data/models/smolvlm_tiles")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--disks", type=int, default=60, help="needs to mount file systems; 0: none")
    parser.add_argument("--throughput", help="build/batch_throughput")
    parser.add_argument("-o", "--output", default=HERE.parent / "results/batch.json")
    asked = parser.parse_args()
    result = {"kind": "batch", **machine.facts(asked.program), "threads": 1, "model": pathlib.Path(asked.model).name,
              "command": "python3 bench/batch/run.py " + " ".join(sys.argv[1:])}
    with tempfile.TemporaryDirectory() as work:
        trial = Trial(asked.program, asked.model, pathlib.Path(work))
        result["undisturbed_s"] = round(trial.seconds, 2)
        if asked.kills:
            result["kills"] = trial.kills(asked.kills)
        if asked.disks:
            result["disks"] = trial.disks(asked.disks)
        if asked.throughput:
            result["throughput"] = throughput(asked.throughput, SOURCE / "models/demo", pathlib.Path(work))
    pathlib.Path(asked.output).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 1 if any(part.get("wrong") for part in result.values() if isinstance(part, dict)) else 0


if __name__ == "__main__":
    sys.exit(main())
