# Runs galago and its peers in turns on one machine and writes what was measured.
# In: a built galago, a model directory, the cache of setup.sh and prepare.py, a picture. Out: one JSON file: for each
# task the median, smallest and largest time of every program, and the ratios peer / galago of every round.
# A round runs every program once, each round beginning with another one; programs that wait are stopped (SIGSTOP).
# A program that ends or fails is left out from there on, and the file says so; llama.cpp gets one more try with
# use_extra_bufts off, because with them it ends on some processors with AMX.
# Usage: CACHE/venv/bin/python bench/peers/compare.py --galago build/galago --model DIR --cache CACHE --image FILE
#        [-o bench/results/PROCESSOR/NAME.json] [--set avx2] [--rounds 5] [--threads 2] [--tasks tile ...] [--peers llama-f16 ...]

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import machine  # noqa: E402
import measure  # noqa: E402
from peer import Died, Failed, Interrupted, Peer, all_closed, ends_in_order  # noqa: E402

TASKS = ["tile", "photo", "prefill", "decode", "cold"]
PEERS = ["llama-f32", "llama-f16", "llama-bf16", "llama-q8_0", "llama-q4_0", "torch-f32", "torch-bf16", "onnxruntime-f32",
         "onnxruntime-int8", "openvino-f32", "openvino-bf16", "openvino-int8"]
TOWER_ONLY = ("onnxruntime", "openvino")
TEXT_ONLY = ("llama-q4_0",)  # llama.cpp has no image part in this format
# galago's ways: weights as stored (bfloat16) with float32 arithmetic, products in bfloat16 or int8, weights copied instead
# of mapped, and formats of weights; for float32 the checkpoint that prepare.py makes of the same weights.
GALAGO = {"galago": [], "galago-compute-bf16": ["--compute", "bf16"], "galago-compute-int8": ["--compute", "int8"],
          "galago-no-mmap": ["--no-mmap"], "galago-f32": [], "galago-q8": ["--dtype", "q8"], "galago-q4": ["--dtype", "q4"]}
MANY_ROWS = ["galago", "galago-compute-bf16", "galago-compute-int8"]
WAYS = {"tile": MANY_ROWS, "photo": MANY_ROWS, "prefill": MANY_ROWS[:2],
        "decode": ["galago", "galago-no-mmap", "galago-f32", "galago-q8", "galago-q4"], "cold": ["galago", "galago-q8"]}
# What holds every program to an older set of instructions. llama.cpp is compiled for it; ONNX Runtime and OpenVINO have
# no such setting and are left out, and so are galago's products in bfloat16, which is an instruction of AVX-512.
SETS = {"native": {}, "avx2": {"GALAGO_CPU": "avx2", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2",
                               "MKL_ENABLE_INSTRUCTIONS": "AVX2"}}
LEFT_OUT = {"native": (), "avx2": (*TOWER_ONLY, "galago-compute-bf16")}
STEPS = 16  # tokens whose mean is a round's time of decoding
WORKERS = pathlib.Path(__file__).resolve().parent / "workers"
NO_EXTRA_BUFFERS = "--no-extra-buffers"


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


class Session:
    """What one comparison has been asked, what it has found, and what it could not measure."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.failures = []
        self.results = {"kind": "peers", **machine.facts(arguments.galago), "set": arguments.set, "threads": arguments.threads,
                        "model": arguments.model.resolve().name, "image": arguments.image.name, "context": arguments.context,
                        "decode_context": arguments.decode_context, "programs": {}, "tasks": {}}
        self.environment = {**os.environ, **SETS[arguments.set]}

    def failed(self, text):
        say(text)
        self.failures.append(text)

    def note(self, name, text):
        """One sentence of a program's line in the tables."""
        program = self.results["programs"].setdefault(name, {})
        program["note"] = "; ".join(filter(None, [program.get("note"), text]))

    def save(self):
        """Writes what there is so far: a long comparison that breaks off is not lost."""
        whole = {**self.results, "failures": self.failures, "load_average_at_end": os.getloadavg()[0]}
        self.arguments.output.parent.mkdir(parents=True, exist_ok=True)
        self.arguments.output.write_text(json.dumps(whole, indent=1) + "\n")


def made_files(arguments):
    """The folder of prepare.py for this model."""
    return arguments.cache / "models" / arguments.model.resolve().name


def make_peer(name, session, *more):
    """The process of a peer, not yet started."""
    arguments = session.arguments
    kind, dtype = name.rsplit("-", 1)
    made = made_files(arguments)
    environment = {**session.environment, "OMP_NUM_THREADS": str(arguments.threads), "TRANSFORMERS_OFFLINE": "1"}
    if kind == "llama":
        worker, files = "llama_worker.py", ["--text", made / f"text-{dtype}.gguf"]
        if name not in TEXT_ONLY:
            files += ["--mmproj", made / f"mmproj-{dtype}.gguf"]
        environment["PYTHONPATH"] = str(arguments.cache / f"llama-{arguments.set}" / "python")
    elif kind == "torch":
        worker, files = "torch_worker.py", ["--model", arguments.model, "--dtype", dtype]
    else:
        worker, files = "onnx_worker.py", ["--models", made, "--runtime", kind, "--dtype", dtype]
    command = [sys.executable, arguments.workers / worker, *files, "--threads", arguments.threads, *more]
    return Peer(name, [str(word) for word in command], environment, arguments.log)


def galago_bench(session, way, stage, context=None, runs=1):
    """One `galago bench --only`; a new process, its warming up is not timed."""
    arguments = session.arguments
    model = made_files(arguments) / "float32" if way == "galago-f32" else arguments.model
    command = [str(arguments.galago), "bench", "-m", str(model), "-t", str(arguments.threads), "--runs",
               str(runs), "--json", "--only", stage, "--image", str(arguments.image), "-p", arguments.prompt, *GALAGO[way]]
    if context:
        command += ["--context", str(context)]
    if stage == "decode":
        command += ["--kv-cache-dtype", "f16"]  # as llama.cpp's cache is
    done = subprocess.run(command, capture_output=True, text=True, env=session.environment)
    if done.returncode != 0:
        raise Failed(f"{way}, {stage}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return json.loads(done.stdout)


def galago_round(session, way, task):
    """-> the mean time of a stage, and its share of the machine's peak that fits it: all as the peers' answer gives it"""
    _, stage, context = requests(session.arguments)[task]
    bench = galago_bench(session, way, stage, context, STEPS if task == "decode" else 1)
    one = bench["stages"][0]
    ms = statistics.mean(one["runs_ms"])
    bound = "gb" if task == "decode" else "gflop"
    of = {"bf16": "bf16_gflops", "int8": "int8_gops"}.get(one.get("arithmetic"), "gflops")  # of the instruction that it used
    rate = bench["peak"]["gb_per_s" if task == "decode" else of]
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


def has_part(name, tasks):
    """Whether a peer has anything to do in some tasks; who has not is not loaded."""
    if name.startswith(TOWER_ONLY):
        return "tile" in tasks
    return name not in TEXT_ONLY or bool({"prefill", "decode"} & set(tasks))


def open_peer(name, session, peers, *more):
    """Starts a peer and lets it choose its settings -> the peer, or nothing; llama.cpp is tried twice, and that is noted."""
    peer = make_peer(name, session, *more)
    peers.append(peer)
    try:
        say(f"loading {name} {' '.join(more)}")
        peer.open()
        facts = dict(peer.ready["ready"])
        if peer.can("tune"):
            say(f"tuning {name}")
            facts |= peer.send({**requests(session.arguments)["tile"][0], "task": "tune", "tasks": session.arguments.tasks,
                                "context": session.arguments.context})
        session.results["programs"][name] = session.results["programs"].get(name, {}) | facts
        return peer
    except Failed as error:
        return again(peer, error, session, peers)


def again(peer, error, session, peers):
    """What follows when a peer failed: for llama.cpp that ended, one try without its extra buffers; else nothing."""
    session.failed(str(error))
    if not isinstance(error, Died) or not peer.name.startswith("llama") or NO_EXTRA_BUFFERS in peer.command:
        return None
    session.note(peer.name, f"use_extra_bufts is off: {error}")
    return open_peer(peer.name, session, peers, NO_EXTRA_BUFFERS)


def warmed(task, open_peers, left_out, session, peers):
    """The peers that have done a task once, not timed: caches and packed weights come to their lasting state."""
    able = []
    for name, peer in list(open_peers.items()):
        while peer and peer.can(task) and name not in left_out:
            try:
                answer = peer.send(requests(session.arguments)[task][0])
            except Failed as error:
                if isinstance(error, Died):
                    open_peers[name] = peer = again(peer, error, session, peers)
                    continue
                session.failed(str(error))
                break
            # whether peers do the same work: tiles of the picture, tokens of the prompt
            work = {key: answer[key] for key in ("tiles", "prompt_tokens") if key in answer}
            session.results["programs"][name].update(work)
            able.append(peer)
            break
    return able


def run_round(task, number, programs, session):
    """One round of {name: peer, or nothing for galago}; who fails leaves it -> {program: ms}, {way: share of the peak}.
    The order turns by one each round."""
    order = list(programs)
    turn = number % len(order)
    times, shares = {}, {}
    for name in order[turn:] + order[:turn]:
        try:
            if name in GALAGO:
                times[name], shares[name] = galago_round(session, name, task)
            else:
                times[name] = programs[name].send(requests(session.arguments)[task][0])["ms"]
        except Failed as error:
            session.failed(f"{error}, in round {number + 1} of {task}")
            del programs[name]
    return times, shares


def cold_run(name, session):
    """A process from its start to the photo's first token -> (ms, peak memory in MB, load_ms)."""
    arguments = session.arguments
    if name in GALAGO:
        command = [arguments.galago, "run", "-m", arguments.model, "-t", arguments.threads, "--json", "-n", 1, "-i", arguments.image,
                   "-p", arguments.prompt, *GALAGO[name]]
        try:
            answer, ms, memory = measure.run(command, session.environment)
        except measure.Ended as error:
            raise Failed(str(error)) from error
        return ms, memory, answer["timings"]["load_ms"]
    start = time.perf_counter()
    with all_closed([make_peer(name, session)]) as [peer]:
        peer.open()
        peer.send(requests(arguments)["photo"][0])
        ms = (time.perf_counter() - start) * 1e3
    return ms, peer.peak_mb, peer.ready["load_ms"]


def summary(rounds):
    """[{program: value}] -> per program median, min, max, values, and per peer the ratios to each way of galago, from the
    rounds that both were in."""
    programs = {}
    for name in dict.fromkeys(name for one in rounds for name in one):
        programs[name] = measure.spread([one[name] for one in rounds if name in one])
        if name in GALAGO:
            continue
        ratios = {way: [one[name] / one[way] for one in rounds if name in one and way in one] for way in GALAGO}
        programs[name]["ratios"] = {way: measure.spread(values) for way, values in ratios.items() if values}
    return programs


def ways(task, session):
    wanted = session.arguments.ways or WAYS[task]
    return [way for way in WAYS[task] if way in wanted and way not in LEFT_OUT[session.arguments.set]]


def measure_warm(session):
    """All tasks that a loaded program does: tile, photo, prefill, decode."""
    arguments = session.arguments
    tasks = [task for task in arguments.tasks if task != "cold"]
    with all_closed([]) as peers:
        names = [name for name in arguments.peers if has_part(name, tasks) and not name.startswith(LEFT_OUT[arguments.set])]
        open_peers = {name: open_peer(name, session, peers) for name in names}
        for task in tasks:
            left_out = [] if task != "photo" or arguments.photo_peers is None else set(names) - set(arguments.photo_peers)
            able = warmed(task, open_peers, left_out, session, peers)
            programs = {**dict.fromkeys(ways(task, session)), **{peer.name: peer for peer in able}}
            rounds, count = [], arguments.photo_rounds if task == "photo" else arguments.rounds
            for number in range(count):
                say(f"{task}: round {number + 1} of {count}")
                if programs:
                    rounds.append(run_round(task, number, programs, session))
            measured = summary([times for times, _ in rounds])
            for way in ways(task, session):
                if way in measured:
                    measured[way]["of_peak"] = measure.spread([shares[way] for _, shares in rounds if way in shares])
            session.results["tasks"][task] = {"unit": "ms", "rounds": len(rounds), "programs": measured}
            session.save()


def measure_cold(session):
    """New processes: start to first token, peak memory, start to ready."""
    arguments = session.arguments
    names = [*ways("cold", session), *(name for name in arguments.peers if name.startswith(("llama", "torch")) and name not in TEXT_ONLY)]
    rounds = []
    for number in range(arguments.cold_rounds):
        one = {}
        turn = number % max(1, len(names))
        for name in names[turn:] + names[:turn]:
            say(f"cold: round {number + 1} of {arguments.cold_rounds}, {name}")
            try:
                one[name] = cold_run(name, session)
            except Failed as error:
                session.failed(f"{error}, in round {number + 1} of cold")
                names.remove(name)
        rounds.append(one)
    for index, (task, unit) in enumerate((("start to first token", "ms"), ("peak memory", "MB"), ("load", "ms"))):
        values = [{name: one[name][index] for name in one} for one in rounds]
        session.results["tasks"][task] = {"unit": unit, "rounds": len(rounds), "programs": summary(values)}


def parse():
    parser = argparse.ArgumentParser(description="Runs galago and its peers in turns and writes what was measured.")
    parser.add_argument("--galago", type=pathlib.Path, required=True, help="the built program")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="folder of setup.sh and prepare.py")
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--prompt", default="What is in the picture?")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="bench/results/PROCESSOR/peers.json, or peers-SET.json")
    parser.add_argument("--set", default="native", choices=SETS, help="instructions that every program is held to")
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parser.add_argument("--ways", nargs="+", choices=GALAGO, help="ways of galago; default all that fit a task")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photo-rounds", type=int, help="rounds of the photo, which takes longest; default as --rounds")
    parser.add_argument("--photo-peers", nargs="*", choices=PEERS, help="peers that get the photo; default all that can")
    parser.add_argument("--cold-rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--context", type=int, default=1143, help="rows of prefill")
    parser.add_argument("--decode-context", type=int, default=128, help="positions before the decode step")
    parser.add_argument("--rows", type=int, default=64, help="image rows of one tile, to check that peers cut alike")
    parser.add_argument("--log", type=argparse.FileType("w"), default=os.devnull, help="what the peers print")
    parser.add_argument("--workers", type=pathlib.Path, default=WORKERS, help="folder of the peers' programs")
    arguments = parser.parse_args()
    if arguments.photo_rounds is None:
        arguments.photo_rounds = arguments.rounds
    if not arguments.output:
        name = "peers.json" if arguments.set == "native" else f"peers-{arguments.set}.json"
        arguments.output = machine.results() / name
    return arguments


def begin(session):
    """The machine's peak and galago's own facts; whether the cap of an older set is felt."""
    start = galago_bench(session, "galago", "vision tower")
    session.results["peak"] = start["peak"]
    session.results["programs"]["galago"] = {"version": start["galago"], "backend": start["backend"], "weights": start["dtype"]}
    if session.arguments.set.upper() not in start["backend"].upper() and session.arguments.set != "native":
        raise SystemExit(f"compare: galago runs {start['backend']}, not {session.arguments.set}: this build has no such cap")


def main():
    session = Session(parse())
    ends_in_order()
    try:
        begin(session)
        if set(session.arguments.tasks) - {"cold"}:
            measure_warm(session)
        if "cold" in session.arguments.tasks:
            measure_cold(session)
    except (KeyboardInterrupt, Interrupted) as reason:
        say(f"ended early; tasks that were done are in {session.arguments.output}" if session.results["tasks"] else "ended early")
        return reason.code if isinstance(reason, Interrupted) else 130
    session.save()
    say(f"wrote {session.arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
