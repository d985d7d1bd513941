# Makes what the peers read from one Hugging Face model directory.
# In: an Idefics3 or SmolVLM directory (tools/oracle/make_true_size.py makes one with random weights) and the cache of
# setup.sh. Out: in CACHE/models/NAME, GGUF files of text model and image part in several formats, the tower as ONNX, in
# int8 for ONNX Runtime and for OpenVINO, and the same directory with its weights as float32.
# Usage: CACHE/venv/bin/python bench/peers/prepare.py --cache CACHE --model DIR [--formats f32 f16 ...]

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

FORMATS = ["f32", "f16", "bf16", "q8_0", "q4_0"]
QUANTISED = {"q4_0": "MOSTLY_Q4_0"}  # formats that the converter does not write; of the text model only
SAMPLES = 8  # tiles that show the quantisers how large numbers get


def step(name, target, make):
    """Makes a file that is not there; a half-written one never takes its name."""
    if target.exists():
        print(f"prepare: {name}: there already", flush=True)
        return
    print(f"prepare: {name}", flush=True)
    begin = time.monotonic()
    unfinished = target.with_name(f"unfinished-{target.name}")
    make(unfinished)
    os.replace(unfinished, target)
    print(f"prepare:   done in {time.monotonic() - begin:.0f} s", flush=True)


def run(command, environment=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"prepare: {' '.join(map(str, command))} failed:\n{done.stdout[-500:]}\n{done.stderr[-2000:]}")


QUANTISE = """
import ctypes, sys, llama_cpp
source, target, kind = sys.argv[1:]
parameters = llama_cpp.llama_model_quantize_default_params()
parameters.ftype = getattr(llama_cpp, "LLAMA_FTYPE_" + kind)
parameters.token_embedding_type = llama_cpp.GGML_TYPE_Q8_0
sys.exit(llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)))
"""


def convert(cache, model, folder, dtype):
    """llama.cpp's own converter, for the text model and for the image part; its quantiser for what that cannot write.
    There the table of tokens, which is the head as well, is in 8 bits, as galago's q4 has it."""
    if dtype in QUANTISED:
        python = {**os.environ, "PYTHONPATH": str(cache / "llama-native" / "python")}
        step(f"text-{dtype}.gguf", folder / f"text-{dtype}.gguf", lambda target: run(
            [sys.executable, "-c", QUANTISE, folder / "text-f32.gguf", target, QUANTISED[dtype]], python))
        return
    script = cache / "llama-source" / "vendor" / "llama.cpp" / "convert_hf_to_gguf.py"
    for name, more in ((f"text-{dtype}.gguf", []), (f"mmproj-{dtype}.gguf", ["--mmproj"])):
        step(name, folder / name, lambda target, more=more: run(
            [sys.executable, script, model, "--outtype", dtype, "--outfile", target, *more]))


def widen(model, target):
    """The model directory with float32 weights, which is what GGUF files of that format hold."""
    import safetensors.torch

    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for file in model.iterdir():
        if file.suffix == ".json":
            shutil.copy(file, target)
    tensors = safetensors.torch.load_file(model / "model.safetensors")
    safetensors.torch.save_file({name: tensor.float() for name, tensor in tensors.items()}, target / "model.safetensors",
                                metadata={"format": "pt"})


def export_tower(model, target):
    """The tower alone, [1, 3, S, S] to [1, P, C], in float32, its mask folded in because a tile is full."""
    import torch
    from transformers import AutoModelForImageTextToText

    whole = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32)
    tower = whole.model.vision_model.eval()
    config = whole.config.vision_config
    side = config.image_size // config.patch_size

    class Tile(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = tower.encoder
            self.norm = tower.post_layernorm
            self.patches = tower.embeddings.patch_embedding
            positions = tower.embeddings.position_embedding.weight.detach()
            self.register_buffer("positions", positions.unsqueeze(0))

        def forward(self, pixels):
            rows = self.patches(pixels).flatten(2).transpose(1, 2) + self.positions
            return self.norm(self.layers(inputs_embeds=rows, attention_mask=None).last_hidden_state)

    tile = torch.randn(1, 3, config.image_size, config.image_size)
    module = Tile().eval()
    with torch.inference_mode():
        mask = torch.ones(1, side, side, dtype=torch.bool)
        expected = tower(pixel_values=tile, patch_attention_mask=mask).last_hidden_state
        error = (module(tile) - expected).abs().max() / expected.abs().max()
    if error > 1e-4:
        raise SystemExit(f"prepare: the exported tower is not the model's: {error:.1e} relative")
    torch.onnx.export(module, (tile,), str(target), dynamo=True, input_names=["pixels"], output_names=["features"],
                      external_data=False)


def tiles(shape):
    """Made tiles as the tower meets them: numbers from -1 to 1. Times do not depend on them, ranges of int8 do."""
    import numpy

    random = numpy.random.default_rng(1)
    return [random.uniform(-1, 1, shape).astype(numpy.float32) for _ in range(SAMPLES)]


def onnxruntime_dynamic(tower, target):
    """ONNX Runtime's own int8: weights ahead, each output channel its own scale; activations as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(tower, target, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8)


def onnxruntime_static(tower, target):
    """The same with activations' ranges found ahead; unsigned activations, as the instructions of x86 want them."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Tiles(CalibrationDataReader):
        def __init__(self, name, shape):
            self.left = [{name: tile} for tile in tiles(shape)]

        def get_next(self):
            return self.left.pop() if self.left else None

    prepared = target.with_suffix(".prepared")
    quant_pre_process(tower, prepared, skip_symbolic_shape=True)
    one = onnx.load(tower, load_external_data=False).graph.input[0]
    shape = [size.dim_value for size in one.type.tensor_type.shape.dim]
    quantize_static(prepared, target, Tiles(one.name, shape), quant_format=QuantFormat.QDQ, per_channel=True,
                    op_types_to_quantize=["MatMul", "Gemm"], activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8)
    prepared.unlink()


def openvino_int8(tower, target):
    """NNCF's quantisation after training, the way OpenVINO's pages name for transformers."""
    import nncf
    import openvino

    target.mkdir(exist_ok=True)
    model = openvino.Core().read_model(tower)
    dataset = nncf.Dataset(tiles(list(model.input(0).shape)))
    quantised = nncf.quantize(model, dataset, subset_size=SAMPLES, model_type=nncf.ModelType.TRANSFORMER,
                              preset=nncf.QuantizationPreset.PERFORMANCE)
    openvino.save_model(quantised, target / "tower.xml", compress_to_fp16=False)


def main():
    parser = argparse.ArgumentParser(description="Makes the peers' model files from one model directory.")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="folder of setup.sh")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS)
    parser.add_argument("--no-onnx", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.cache / "models" / arguments.model.resolve().name
    folder.mkdir(parents=True, exist_ok=True)
    for dtype in arguments.formats:
        convert(arguments.cache, arguments.model, folder, dtype)
    step("float32", folder / "float32", lambda target: widen(arguments.model, target))
    if not arguments.no_onnx:
        tower = folder / "tower.onnx"
        step("tower.onnx", tower, lambda target: export_tower(arguments.model, target))
        step("tower-dynamic.onnx", folder / "tower-dynamic.onnx", lambda target: onnxruntime_dynamic(tower, target))
        step("tower-static.onnx", folder / "tower-static.onnx", lambda target: onnxruntime_static(tower, target))
        try:
            step("openvino-int8", folder / "openvino-int8", lambda target: openvino_int8(tower, target))
        except ImportError as error:
            print(f"prepare: openvino-int8 is left out: {error}", file=sys.stderr)
    print(f"prepare: all in {folder}")


if __name__ == "__main__":
    main()
