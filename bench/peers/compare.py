# Runs galago and its peers in turns on one machine and writes what was measured.
# In: a built galago, a model directory, the cache of setup.sh and prepare.py, a picture. Out: one JSON file: for each
# task the median, smallest and largest time of every program, and the ratios peer / galago of every round.
# A round runs every program once, each round beginning with another one; programs that wait are stopped (SIGSTOP).
# Usage: CACHE/venv/bin/python bench/peers/compare.py --galago build/galago --model DIR --cache CACHE --image FILE
#        -o bench/results/PROCESSOR/NAME.json [--rounds 5] [--threads 2] [--tasks tile ...] [--peers llama-f16 torch-f32 ...]

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import machine  # noqa: E402
import measure  # noqa: E402

TASKS = ["tile", "photo", "prefill", "decode", "cold"]
PEERS = ["llama-f32", "llama-f16", "llama-bf16", "llama-q8_0", "torch-f32", "torch-bf16", "onnxruntime-f32",
         "openvino-f32"]
# galago's ways: weights as stored (bfloat16) with float32 arithmetic, products in bfloat16, weights copied instead of
# mapped, and formats of weights; for float32 the checkpoint that prepare.py makes of the same weights.
GALAGO = {"galago": [], "galago-compute-bf16": ["--compute", "bf16"], "galago-no-mmap": ["--no-mmap"],
          "galago-f32": [], "galago-q8": ["--dtype", "q8"], "galago-q4": ["--dtype", "q4"]}
MANY_ROWS = ["galago", "galago-compute-bf16"]
WAYS = {"tile": MANY_ROWS, "photo": MANY_ROWS, "prefill": MANY_ROWS,
        "decode": ["galago", "galago-no-mmap", "galago-f32", "galago-q8", "galago-q4"], "cold": ["galago", "galago-q8"]}
STEPS = 16  # tokens whose mean is a round's time of decoding
WORKERS = pathlib.Path(__file__).resolve().parent / "workers"


class Failed(Exception):
    """A program that could not do a task; the text says why."""


def made_files(arguments):
    """The folder of prepare.py for this model."""
    return arguments.cache / "models" / arguments.model.resolve().name


class Peer:
    """One peer's process, stopped while it has nothing to do."""

    def __init__(self, name, arguments):
        self.name = name
        self.kind, self.dtype = name.rsplit("-", 1)
        self.arguments = arguments
        self.process = None
        self.ready = {}

    def command(self):
        made = made_files(self.arguments)
        threads = ["--threads", str(self.arguments.threads)]
        if self.kind == "llama":
            files = ["--text", str(made / f"text-{self.dtype}.gguf"), "--mmproj", str(made / f"mmproj-{self.dtype}.gguf")]
            return [sys.executable, str(WORKERS / "llama_worker.py"), *files, *threads]
        if self.kind == "torch":
            model = ["--model", str(self.arguments.model), "--dtype", self.dtype]
            return [sys.executable, str(WORKERS / "torch_worker.py"), *model, *threads]
        model = ["--model", str(made / "tower.onnx"), "--runtime", self.kind]
        return [sys.executable, str(WORKERS / "onnx_worker.py"), *model, *threads]

    def open(self):
        environment = dict(os.environ, OMP_NUM_THREADS=str(self.arguments.threads), TRANSFORMERS_OFFLINE="1")
        self.process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.arguments.log, text=True, env=environment)
        self.ready = self.read()
        self.process.send_signal(signal.SIGSTOP)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{self.name} ended, see {self.arguments.log.name}")
        return json.loads(line)

    def send(self, request):
        """-> the answer's dict; the process runs only between question and answer."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.read()
        self.process.send_signal(signal.SIGSTOP)
        if "error" in answer:
            raise Failed(f"{self.name} {request['task']}: {answer['error']}")
        return answer

    def can(self, task):
        return task in self.ready.get("tasks", [])

    def close(self):
        """-> peak resident memory of the process in MB"""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        _, _, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = 0  # it is reaped
        return usage.ru_maxrss / 1e3


def galago_bench(arguments, way, stage, context=None, runs=1):
    """One `galago bench --only`; a new process, its warming up is not timed."""
    model = made_files(arguments) / "float32" if way == "galago-f32" else arguments.model
    command = [str(arguments.galago), "bench", "-m", str(model), "-t", str(arguments.threads), "--runs",
               str(runs), "--json", "--only", stage, "--image", str(arguments.image), "-p", arguments.prompt, *GALAGO[way]]
    if context:
        command += ["--context", str(context)]
    if stage == "decode":
        command += ["--kv-cache-dtype", "f16"]  # as llama.cpp's cache is
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def galago_round(arguments, way, task):
    """-> the mean time of a stage, and its share of the machine's peak that fits it: all as the peers' answer gives it"""
    _, stage, context = requests(arguments)[task]
    bench = galago_bench(arguments, way, stage, context, STEPS if task == "decode" else 1)
    one = bench["stages"][0]
    ms = statistics.mean(one["runs_ms"])
    bound = "gb" if task == "decode" else "gflop"
    rate = bench["peak"]["gb_per_s" if task == "decode" else "gflops"]
    return ms, one[bound] / ms * 1e3 / rate


def requests(arguments):
    """The question to a peer, and galago's stage with its context, for each task."""
    photo = {"image": str(arguments.image.resolve()), "prompt": arguments.prompt}
    return {
        "tile": ({"task": "tile", "rows": arguments.rows, **photo}, "vision tower", None),
        "photo": ({"task": "photo", **photo}, "first token", None),
        "prefill": ({"task": "prefill", "context": arguments.context}, "prefill", arguments.context),
        "decode": ({"task": "decode", "context": arguments.decode_context, "steps": STEPS}, "decode",
                   arguments.decode_context),
    }


def run_round(task, number, peers, arguments):
    """-> {program: ms}, {way of galago: share of the peak} of one round; the order turns by one each round."""
    request = requests(arguments)[task][0]
    order = WAYS[task] + [peer.name for peer in peers]
    order = order[number % len(order) :] + order[: number % len(order)]
    times, shares = {}, {}
    for name in order:
        if name in GALAGO:
            times[name], shares[name] = galago_round(arguments, name, task)
        else:
            times[name] = next(peer for peer in peers if peer.name == name).send(request)["ms"]
    return times, shares


def cold_run(name, arguments):
    """A process from its start to the photo's first token -> (ms, peak memory in MB, load_ms)."""
    if name in GALAGO:
        answer, ms, memory = measure.run(
            [arguments.galago, "run", "-m", arguments.model, "-t", arguments.threads, "--json", "-n", 1, "-i",
             arguments.image, "-p", arguments.prompt, *GALAGO[name]])
        return ms, memory, answer["timings"]["load_ms"]
    start = time.perf_counter()
    peer = Peer(name, arguments)
    peer.open()
    peer.send(requests(arguments)["photo"][0])
    ms = (time.perf_counter() - start) * 1e3
    return ms, peer.close(), peer.ready["load_ms"]


def summary(rounds):
    """[{program: value}] -> per program median, min, max, values, and per peer the ratios to each way of galago."""
    programs = {}
    for name in rounds[0]:
        programs[name] = measure.spread([one[name] for one in rounds])
        if name not in GALAGO:
            programs[name]["ratios"] = {way: measure.spread([one[name] / one[way] for one in rounds])
                                        for way in GALAGO if way in rounds[0]}
    return programs


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def save(arguments, results, failures):
    """Writes what there is so far: a long comparison that breaks off is not lost."""
    whole = {**results, "failures": failures, "load_average_at_end": os.getloadavg()[0]}
    arguments.output.write_text(json.dumps(whole, indent=1) + "\n")


def measure_warm(arguments, names, results, failures):
    """All tasks that a loaded program does: tile, photo, prefill, decode."""
    peers = []
    for name in names:
        peer = Peer(name, arguments)
        try:
            say(f"loading {name}")
            peer.open()
            results["programs"][name] = peer.ready["ready"]
            if peer.can("tune"):
                say(f"tuning {name}")
                results["programs"][name].update(peer.send({**requests(arguments)["tile"][0], "task": "tune",
                                                            "context": arguments.context}))
            peers.append(peer)
        except Failed as error:
            failures.append(str(error))
    try:
        for task in [task for task in arguments.tasks if task != "cold"]:
            able = [peer for peer in peers if peer.can(task)]
            for peer in list(able):  # not timed: caches and packed weights come to their lasting state
                try:
                    answer = peer.send(requests(arguments)[task][0])
                    # whether peers do the same work: tiles of the picture, tokens of the prompt
                    work = {key: answer[key] for key in ("tiles", "prompt_tokens") if key in answer}
                    results["programs"][peer.name].update(work)
                except Failed as error:
                    failures.append(str(error))
                    able.remove(peer)
            rounds = []
            for number in range(arguments.rounds):
                say(f"{task}: round {number + 1} of {arguments.rounds}")
                rounds.append(run_round(task, number, able, arguments))
            results["tasks"][task] = {"unit": "ms", "rounds": len(rounds), "programs": summary([times for times, _ in rounds])}
            for way in WAYS[task]:
                results["tasks"][task]["programs"][way]["of_peak"] = measure.spread([shares[way] for _, shares in rounds])
            save(arguments, results, failures)
    finally:
        for peer in peers:
            peer.close()


def measure_cold(arguments, names, results, failures):
    """New processes: start to first token, peak memory, start to ready."""
    names = WAYS["cold"] + [name for name in names if name.startswith(("llama", "torch"))]
    rounds = []
    for number in range(arguments.cold_rounds):
        one = {}
        for name in names[number % len(names) :] + names[: number % len(names)]:
            say(f"cold: round {number + 1} of {arguments.cold_rounds}, {name}")
            one[name] = cold_run(name, arguments)
        rounds.append(one)
    for index, (task, unit) in enumerate((("start to first token", "ms"), ("peak memory", "MB"), ("load", "ms"))):
        values = [{name: one[name][index] for name in one} for one in rounds]
        results["tasks"][task] = {"unit": unit, "rounds": len(rounds), "programs": summary(values)}


def parse():
    parser = argparse.ArgumentParser(description="Runs galago and its peers in turns and writes what was measured.")
    parser.add_argument("--galago", type=pathlib.Path, required=True, help="the built program")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="folder of setup.sh and prepare.py")
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--prompt", default="What is in the picture?")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold-rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--context", type=int, default=1143, help="rows of prefill")
    parser.add_argument("--decode-context", type=int, default=128, help="positions before the decode step")
    parser.add_argument("--rows", type=int, default=64, help="image rows of one tile, to check that peers cut alike")
    parser.add_argument("--log", type=argparse.FileType("w"), default=os.devnull, help="what the peers print")
    return parser.parse_args()


def main():
    arguments = parse()
    failures = []
    results = {"kind": "peers", **machine.facts(arguments.galago), "threads": arguments.threads,
               "model": arguments.model.resolve().name, "context": arguments.context,
               "decode_context": arguments.decode_context, "programs": {}, "tasks": {}}
    start = galago_bench(arguments, "galago", "vision tower")
    results["peak"] = start["peak"]
    results["programs"]["galago"] = {"version": start["galago"], "backend": start["backend"], "weights": start["dtype"]}
    if set(arguments.tasks) - {"cold"}:
        measure_warm(arguments, arguments.peers, results, failures)
    if "cold" in arguments.tasks:
        measure_cold(arguments, arguments.peers, results, failures)
    save(arguments, results, failures)
    for failure in failures:
        say(failure)
    say(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
