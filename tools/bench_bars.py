# What the project set out to reach, and what was measured: the table of bars in docs/performance.md.
# In: the results of one processor. Out: rows of text. A bar without a result says so; no figure is typed.

import statistics

NOT_MEASURED = "not measured"
WAYS = {"galago": "float32", "galago-compute-bf16": "bfloat16", "galago-compute-int8": "int8", "galago-no-mmap": "copied bf16",
        "galago-f32": "f32", "galago-q8": "q8", "galago-q4": "q4"}
MANY_ROWS = ["galago", "galago-compute-bf16", "galago-compute-int8"]
NATIVE = "native"  # a recording with all instructions of the processor


def way_name(task, way):
    """A token's arithmetic is always float32: what matters is how the weights lie."""
    return "mapped bf16" if task == "decode" and way == "galago" else WAYS[way]


def counted(results, instructions):
    """-> {task: the one of its recordings with such instructions that counts, which has most rounds}"""
    tasks = {}
    for _, result in results:
        if result.get("set", NATIVE) != instructions:
            continue
        for task, measured in result.get("tasks", {}).items():
            if task not in tasks or measured["rounds"] > tasks[task]["rounds"]:
                tasks[task] = measured
    return tasks


class Results:
    """Looks for tasks and curves in all files."""

    def __init__(self, results, instructions=NATIVE):
        self.tasks, self.curves = counted(results, instructions), {}
        self.sets = {one for _, result in results for one in result["isa"]}
        for _, result in results:
            for curve in result.get("curves", []):
                self.curves[curve["name"]] = {point["x"]: point["median"] for point in curve["points"]}

    def programs(self, task):
        return self.tasks.get(task, {}).get("programs", {})

    def ratio(self, task, peer, ways):
        """Peer / galago in each of the ways, for the peer's fastest format -> [(ratio, text)]"""
        able = {name: one for name, one in self.programs(task).items() if name.startswith(peer) and "ratios" in one}
        if not able:
            return []
        best = min(able, key=lambda name: able[name]["median"])
        found = able[best]["ratios"]
        return [(found[way]["median"], f"{found[way]['median']:.2f}x {way_name(task, way)}") for way in ways if way in found]

    def against(self, task, way, peers):
        """Galago's way against the fastest of some peers, named; an empty name part means any -> [(ratio, text)]"""
        able = {name: one for name, one in self.programs(task).items()
                if way in one.get("ratios", {}) and any(name.startswith(kind) and name.endswith(dtype) for kind, dtype in peers)}
        if not able:
            return []
        best = min(able, key=lambda name: able[name]["median"])
        ratio = able[best]["ratios"][way]["median"]
        return [(ratio, f"{ratio:.2f}x {way_name(task, way)} ({best})")]

    def share(self, task, *ways):
        """Of the machine's peak."""
        found = [(way, self.programs(task).get(way, {}).get("of_peak")) for way in ways]
        return [(one["median"], f"{100 * one['median']:.0f} % {way_name(task, way)}") for way, one in found if one]

    def value(self, task, way, unit, scale=1):
        one = self.programs(task).get(way)
        return [(one["median"] * scale, f"{one['median'] * scale:.2f} {unit}")] if one else []

    def between(self, task, slow, fast):
        """How much faster one way is than the other, in the same rounds."""
        programs = self.programs(task)
        if slow not in programs or fast not in programs:
            return []
        pairs = zip(programs[slow]["values"], programs[fast]["values"])
        ratio = statistics.median(a / b for a, b in pairs)
        return [(ratio, f"{ratio:.2f}x")]

    def together(self, count):
        """Tokens a second of `count` sequences together against one."""
        for name, points in self.curves.items():
            if name.startswith("decode step of a batch") and 1 in points and count in points:
                ratio = count * points[1] / points[count]
                return [(ratio, f"{ratio:.1f}x")]
        return []

    def linear(self, name):
        """Time for each x at the last point against the first."""
        points = self.curves.get(name)
        if not points:
            return []
        first, last = min(points), max(points)
        ratio = points[last] / last / (points[first] / first)
        return [(ratio, f"{ratio:.2f} times as long for each of {last} as for each of {first}")]


ANY = [(kind, "") for kind in ("llama", "torch", "onnxruntime", "openvino")]
BF16 = [(kind, "bf16") for kind, _ in ANY]
INT8 = [("onnxruntime", "int8"), ("openvino", "int8")]


def bars(results):
    """-> [(bar, must, aim, unit, more is better, measured)]; a bar is reached by the best of its ways."""
    found = Results(results)
    amx = "amx_tile" in found.sets
    both, memory = ["galago", "galago-compute-bf16"], found.ratio("peak memory", "llama-bf16", ["galago"])
    return [
        ("one tile in float32, of the machine's peak", .75, .88, "%", True, found.share("tile", "galago")),
        ("one tile, llama.cpp", 2.4, 3, "x", True, found.ratio("tile", "llama", both)),
        ("one tile, torch in float32", 1.05, 1.3, "x", True, found.ratio("tile", "torch-f32", ["galago"])),
        ("one tile, ONNX Runtime in float32", 1.05, 1.3, "x", True, found.ratio("tile", "onnxruntime-f32", ["galago"])),
        *between_formats(found, amx),
        ("photo to first token, llama.cpp", 2.5, 3.1, "x", True, found.ratio("photo", "llama", both)),
        ("photo to first token, transformers", 1.1, 1.4, "x", True, found.ratio("photo", "torch", both)),
        ("prefill, llama.cpp", 2.2, 3, "x", True, found.ratio("prefill", "llama", both)),
        ("decode f32, llama.cpp F32", 1.1, None, "x", True, found.ratio("decode", "llama-f32", ["galago-f32"])),
        ("decode bf16, llama.cpp BF16", 1.1, None, "x", True,
         found.ratio("decode", "llama-bf16", ["galago", "galago-no-mmap"])),
        ("decode bf16, llama.cpp F16", 1.1, None, "x", True,
         found.ratio("decode", "llama-f16", ["galago", "galago-no-mmap"])),
        ("decode q8, llama.cpp Q8_0", 1.1 if amx else 1.8, None, "x", True, found.ratio("decode", "llama-q8_0", ["galago-q8"])),
        ("decode q4, llama.cpp Q4_0", 1.1, None, "x", True, found.ratio("decode", "llama-q4_0", ["galago-q4"])),
        ("decode f32, of the read rate", None, .9, "%", True, found.share("decode", "galago-f32")),
        ("decode bf16, of the read rate", None, .9, "%", True, found.share("decode", "galago", "galago-no-mmap")),
        ("decode q8, of the read rate", None, .9, "%", True, found.share("decode", "galago-q8")),
        ("decode q4, of the read rate", None, .9, "%", True, found.share("decode", "galago-q4")),
        ("decode q4, time of q8", 1.4, None, "x", True, found.between("decode", "galago-q8", "galago-q4")),
        ("8 sequences together, tokens a second of one", *((5, 6.5) if amx else (4, 6)), "x", True, found.together(8)),
        ("peak memory of the photo, of llama.cpp BF16", .85, .6, "x", False,
         [(1 / ratio, f"{1 / ratio:.2f}x") for ratio, _ in memory]),
        ("start to ready", .5, .15, "s", False, found.value("load", "galago", "s", 1e-3)),
        *older_sets(Results(results, "avx2")),
        ("tower, time for each tile as tiles grow", None, None, "", False, found.linear("vision tower")),
        ("first token, time for each picture as pictures grow", None, None, "", False, found.linear("first token")),
    ]


def between_formats(found, amx):
    """Equal formats of many rows, and the best of every peer. Limits are for processors with AMX; the others have one."""
    limit = lambda must, aim: (must, aim) if amx else (None, None)  # noqa: E731
    best = lambda task: [one for way in MANY_ROWS for one in found.against(task, way, ANY)]  # noqa: E731
    return [
        ("one tile in int8, of bfloat16's time", *((None, None) if amx else (1.6, 1.9)), "x", True,
         found.between("tile", "galago-compute-bf16", "galago-compute-int8")),
        ("one tile in bfloat16, the best peer in bfloat16", *limit(1, 1.3), "x", True,
         found.against("tile", "galago-compute-bf16", BF16)),
        ("one tile in int8, the better of ONNX Runtime and OpenVINO in int8", *limit(1, 1.3), "x", True,
         found.against("tile", "galago-compute-int8", INT8)),
        ("photo to first token, the best peer in any format", *limit(1.3, 2), "x", True, best("photo")),
        ("prefill, the best peer in any format", *limit(1, 1.5), "x", True, best("prefill")),
    ]


def older_sets(found):
    """Every program with instructions up to AVX2."""
    pairs = (("f32", "galago-f32"), ("bf16", "galago"), ("q8_0", "galago-q8"), ("q4_0", "galago-q4"))
    return [("AVX2 only: one tile, llama.cpp", 2, 2.5, "x", True, found.ratio("tile", "llama", ["galago", "galago-compute-int8"])),
            *((f"AVX2 only: decode, llama.cpp {dtype.upper()}", 1, 1.2, "x", True, found.ratio("decode", f"llama-{dtype}", [way]))
              for dtype, way in pairs)]


def any_measured(results):
    return any(measured for *_, measured in bars(results))


def goal(value, unit):
    if value is None:
        return "-"
    return f"{100 * value:.0f} %" if unit == "%" else f"{value:g}x" if unit == "x" else f"{value:g} {unit}"


def verdict(must, aim, more, measured):
    """What the best of the ways reaches."""
    if not measured:
        return NOT_MEASURED
    if must is None and aim is None:
        return "-"
    best = max(value for value, _ in measured) if more else min(value for value, _ in measured)
    reaches = lambda limit: limit is not None and (best >= limit if more else best <= limit)  # noqa: E731
    if reaches(aim):
        return "aim"
    return "must" if reaches(must) else "missed"


def rows(results):
    lines = []
    for name, must, aim, unit, more, measured in bars(results):
        text = ", ".join(text for _, text in measured) or NOT_MEASURED
        lines.append([name, goal(must, unit), goal(aim, unit), text, verdict(must, aim, more, measured)])
    return lines
