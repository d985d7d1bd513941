# The exported tower in ONNX Runtime or OpenVINO behind the protocol of compare.py.
# In: the folder of prepare.py, a format. Out: times of one tile. Where there are several ways to a format ("tune"), the
# fastest is kept. "asked" says which settings a runtime got, "ran" what it says that it does.

import argparse
import collections
import pathlib
import tempfile

import protocol

OUT = protocol.take_over_stdout()  # before libraries are imported: some print

import numpy  # noqa: E402

LOOKS = 3  # runs of each way, of which the first one warms up


def onnxruntime_ways(folder, dtype, threads):
    """-> (version, {way: opener}); an opener returns (shape, run, what it says that it does)"""
    import onnxruntime

    def open_file(file):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        with tempfile.TemporaryDirectory() as scratch:
            options.optimized_model_filepath = str(pathlib.Path(scratch) / "optimised.onnx")
            session = onnxruntime.InferenceSession(str(folder / file), options, providers=["CPUExecutionProvider"])
            ran = optimised(options.optimized_model_filepath)
        one = session.get_inputs()[0]
        return one.shape, lambda pixels: session.run(None, {one.name: pixels}), ran

    files = {"f32": {"float32": "tower.onnx"},
             "int8": {"dynamic quantisation": "tower-dynamic.onnx", "static quantisation (QDQ)": "tower-static.onnx"}}[dtype]
    return (f"onnxruntime {onnxruntime.__version__}",
            {f"{way}, {threads} threads": lambda file=file: open_file(file) for way, file in files.items()})


def optimised(file):
    """The operations that ONNX Runtime made of the model, those that multiply."""
    import onnx

    kinds = collections.Counter(node.op_type for node in onnx.load(file).graph.node)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()
                     if any(part in kind for part in ("MatMul", "Gemm", "Conv", "Attention")))


def openvino_ways(folder, dtype, threads):
    """The same; int8 with each precision for what stays in floats."""
    import openvino

    core = openvino.Core()

    def open_file(file, hint):
        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": hint,
                    "PERFORMANCE_HINT": "LATENCY"}
        compiled = core.compile_model(str(folder / file), "CPU", settings)
        request = compiled.create_infer_request()
        return list(compiled.input(0).shape), lambda pixels: request.infer([pixels]), products(compiled)

    int8 = "openvino-int8/tower.xml"
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    ways = {"f32": [("tower.onnx", "f32")], "bf16": [("tower.onnx", "bf16")],
            "int8": [(int8, "f32")] + ([(int8, "bf16")] if "BF16" in able else [])}[dtype]
    if dtype == "bf16" and "BF16" not in able:
        raise RuntimeError(f"this processor's OPTIMIZATION_CAPABILITIES are {', '.join(able)}, without BF16")
    quantised = "quantised by NNCF, " if dtype == "int8" else ""
    return (f"openvino {openvino.__version__}",
            {f"{quantised}INFERENCE_PRECISION_HINT {hint}, PERFORMANCE_HINT LATENCY": lambda file=file, hint=hint: open_file(file, hint)
             for file, hint in ways})


def products(compiled):
    """How many products run in which precision and by which code, by what the compiled model says of itself."""
    kinds = collections.Counter()
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        one = {key: info[key].astype(str) for key in ("layerType", "runtimePrecision", "primitiveType") if key in info}
        if one.get("layerType") in ("FullyConnected", "MatMul", "Convolution", "ScaledDotProductAttention", "MHA", "Subgraph"):
            kinds[f"{one['layerType']} {one.get('primitiveType', one.get('runtimePrecision'))}"] += 1
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


class Tower:
    """The way that runs, of those there are."""

    def __init__(self, arguments):
        ways = onnxruntime_ways if arguments.runtime == "onnxruntime" else openvino_ways
        self.version, self.ways = ways(arguments.models, arguments.dtype, arguments.threads)
        self.open(next(iter(self.ways)))

    def open(self, way):
        self.way = way
        shape, self.run, self.ran = self.ways[way]()
        self.pixels = numpy.random.default_rng(1).uniform(-1, 1, [int(size) for size in shape]).astype(numpy.float32)

    def tile(self, request):
        return {"ms": protocol.milliseconds(lambda: self.run(self.pixels))[0]}

    def tune(self, request):
        tried = {}
        for way in self.ways:
            self.open(way)
            tried[way] = min(self.tile(request)["ms"] for _ in range(LOOKS))
        best = min(tried, key=tried.get)
        if best != self.way:
            self.open(best)
        return {"tried": {"tile_ms": tried}, **self.facts()}

    def facts(self):
        return {"asked": self.way, "ran": self.ran}


def main():
    parser = argparse.ArgumentParser(description="A tower as ONNX behind bench/peers/compare.py.")
    parser.add_argument("--models", type=pathlib.Path, required=True, help="folder of prepare.py for a model")
    parser.add_argument("--runtime", choices=["onnxruntime", "openvino"], required=True)
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()

    def load():
        tower = Tower(arguments)
        return {"version": tower.version, **tower.facts()}, {"tile": tower.tile} | ({"tune": tower.tune} if len(tower.ways) > 1 else {})

    protocol.serve(OUT, load)


if __name__ == "__main__":
    main()
