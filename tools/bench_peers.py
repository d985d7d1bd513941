# The tables of bench/peers: every program of a recording, and the front page's one table for each processor.
# In: results of kind peers. Out: text.

import bench_bars
from bench_text import number, origin, spread, table

WAYS = bench_bars.WAYS
TASKS = {"tile": "encode one tile", "photo": "photo to first token", "prefill": "prefill, {context} rows",
         "decode": "decode, one token after {decode_context}", "start to first token": "new process to first token",
         "peak memory": "peak memory of that process", "load": "load of the model"}
PEERS = {"llama": "llama.cpp", "torch": "transformers", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
# Formats side by side: galago's way, and the peers' formats whose arithmetic, or for a token whose weights, are its like.
MANY_ROWS = {"float32": ("galago", ["f32"]), "bfloat16": ("galago-compute-bf16", ["bf16", "f16"]),
             "int8": ("galago-compute-int8", ["int8", "q8_0", "q4_0"])}
ONE_ROW = {"f32": ("galago-f32", ["f32"]), "bf16": ("galago", ["bf16", "f16"]), "q8": ("galago-q8", ["q8_0", "int8"]),
           "q4": ("galago-q4", ["q4_0"])}
FORMATS = {"tile": MANY_ROWS, "photo": MANY_ROWS, "prefill": MANY_ROWS, "decode": ONE_ROW}
# One token reads all weights: a format is compared with the same format.
SAME_FORMAT = {"f32": ["galago-f32"], "f16": ["galago", "galago-no-mmap"], "bf16": ["galago", "galago-no-mmap"],
               "q8_0": ["galago-q8"], "q4_0": ["galago-q4"]}


def ratios(task, program, one):
    """A peer's ratios to the ways of galago that compare."""
    found = one.get("ratios", {})
    if task != "decode":
        return found
    return {same: found[same] for same in SAME_FORMAT.get(program.rsplit("-", 1)[-1], []) if same in found}


def rounds_of(one, measured):
    """A program that ended before its time has fewer rounds than the others."""
    own = len(one.get("values", [])) or measured["rounds"]
    return f" ({own} rounds)" if own != measured["rounds"] else ""


def asked(result):
    """What each peer was asked for and what it says that ran; older recordings do not have it."""
    rows = []
    for name, program in result.get("programs", {}).items():
        if "asked" in program:
            rows.append([name, program["asked"], program.get("ran", "-") + (f"; {program['note']}" if "note" in program else "")])
    return "\n" + table(["program", "asked for", "what ran"], rows) if rows else ""


def peers(result):
    rows = []
    for task, measured in result["tasks"].items():
        name, rounds = TASKS[task].format(**result), str(measured["rounds"])
        for program, one in sorted(measured["programs"].items(), key=lambda item: (item[0] not in WAYS, item[0])):
            rows.append([name, rounds, program + rounds_of(one, measured), f"{number(one['median'])} {measured['unit']}", spread(one),
                         "; ".join(f"{number(ratio['median'])} ({spread(ratio)}) {bench_bars.way_name(task, way)}"
                                   for way, ratio in ratios(task, program, one).items()) or "-"])
            name = rounds = ""
    header = ["task", "rounds", "program", "median", "smallest to largest", "peer / galago (smallest to largest)"]
    text = origin(result) + "\nMedians of rounds in turns.\n\n" + table(header, rows) + asked(result)
    for failure in result["failures"]:
        text += f"\nNot measured: {failure}.\n"
    return text


def fastest(programs, kind, formats):
    """The program of a peer with the least median among some formats."""
    able = [f"{kind}-{one}" for one in formats if f"{kind}-{one}" in programs]
    return min(able, key=lambda name: programs[name]["median"], default=None)


def cell(programs, kind, way, formats):
    """A peer's time, its format where it is not the first choice, and its ratio to galago's way."""
    name = fastest(programs, kind, formats)
    if not name:
        return "-"
    text = f"{number(programs[name]['median'])} ms"
    taken = name.rsplit("-", 1)[1]
    if taken != formats[0]:
        text += f" ({taken})"
    ratio = programs[name].get("ratios", {}).get(way)
    return text + (f", {number(ratio['median'])}x" if ratio else "")


def summary(result):
    """One table of one recording: tasks by formats, galago and every peer."""
    rows = []
    for task, measured in result["tasks"].items():
        name = TASKS[task].format(**result)
        for title, (way, formats) in FORMATS.get(task, {}).items():
            programs = measured["programs"]
            ours = f"{number(programs[way]['median'])} ms" if way in programs else "-"
            cells = [cell(programs, kind, way, formats) for kind in PEERS]
            if {ours, *cells} == {"-"}:
                continue
            rows.append([name, title, ours, *cells])
            name = ""
    note = ("Medians of rounds in turns; behind a peer's time the median ratio of its time to galago's in the same format: above 1x "
            "galago is faster, below 1x slower. For many rows the format is that of the products, for one token that of the weights.\n\n")
    return origin(result) + "\n" + note + table(["", "format", "galago", *PEERS.values()], rows)
