# The exported tower in onnxruntime or OpenVINO behind the protocol of compare.py.
# In: tower.onnx of prepare.py. Out: times of one tile, in float32.

import argparse

import protocol

OUT = protocol.take_over_stdout()  # before libraries are imported: some print

import numpy  # noqa: E402


def onnxruntime_session(arguments):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = arguments.threads
    session = onnxruntime.InferenceSession(arguments.model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    shape = session.get_inputs()[0].shape
    return f"onnxruntime {onnxruntime.__version__}", shape, lambda pixels: session.run(None, {name: pixels})


def openvino_session(arguments):
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": arguments.threads, "INFERENCE_PRECISION_HINT": "f32",
                "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(arguments.model, "CPU", settings)
    request = compiled.create_infer_request()
    shape = list(compiled.input(0).shape)
    return f"openvino {openvino.__version__}", shape, lambda pixels: request.infer([pixels])


def main():
    parser = argparse.ArgumentParser(description="A tower as ONNX behind bench/peers/compare.py.")
    parser.add_argument("--model", required=True, help="tower.onnx")
    parser.add_argument("--runtime", choices=["onnxruntime", "openvino"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()

    def load():
        open_session = onnxruntime_session if arguments.runtime == "onnxruntime" else openvino_session
        version, shape, run = open_session(arguments)
        pixels = numpy.random.default_rng(1).standard_normal([int(size) for size in shape], dtype=numpy.float32)
        return {"version": version}, {"tile": lambda request: {"ms": protocol.milliseconds(lambda: run(pixels))[0]}}

    protocol.serve(OUT, load)


if __name__ == "__main__":
    main()
