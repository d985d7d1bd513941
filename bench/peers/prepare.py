# Makes what the peers read from one Hugging Face model directory.
# In: an Idefics3 or SmolVLM directory (tools/oracle/make_true_size.py makes one with random weights) and the cache of
# setup.sh. Out: in CACHE/models/NAME, GGUF files of text model and image part in several formats, the tower as ONNX, and
# the same directory with its weights as float32.
# Usage: CACHE/venv/bin/python bench/peers/prepare.py --cache CACHE --model DIR [--formats f32 f16 ...]

import argparse
import pathlib
import shutil
import subprocess
import sys

FORMATS = ["f32", "f16", "bf16", "q8_0"]


def convert(cache, model, folder, dtype):
    """llama.cpp's own converter, for the text model and for the image part; what is there already stays."""
    script = cache / "llama-source" / "vendor" / "llama.cpp" / "convert_hf_to_gguf.py"
    for name, more in ((f"text-{dtype}.gguf", []), (f"mmproj-{dtype}.gguf", ["--mmproj"])):
        if (folder / name).exists():
            continue
        print(f"prepare: {name}", flush=True)
        command = [sys.executable, str(script), str(model), "--outtype", dtype, "--outfile", str(folder / name), *more]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"prepare: {' '.join(command)} failed:\n{done.stderr[-2000:]}")


def widen(model, folder):
    """The model directory with float32 weights, which is what GGUF files of that format hold."""
    target = folder / "float32"
    if target.exists():
        return
    print("prepare: float32", flush=True)
    import safetensors.torch

    target.mkdir()
    for file in model.iterdir():
        if file.suffix == ".json":
            shutil.copy(file, target)
    tensors = safetensors.torch.load_file(model / "model.safetensors")
    safetensors.torch.save_file({name: tensor.float() for name, tensor in tensors.items()}, target / "model.safetensors",
                                metadata={"format": "pt"})


def export_tower(model, folder):
    """The tower alone, [1, 3, S, S] to [1, P, C], in float32, its mask folded in because a tile is full."""
    target = folder / "tower.onnx"
    if target.exists():
        return
    print("prepare: tower.onnx", flush=True)
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
    widen(arguments.model, folder)
    if not arguments.no_onnx:
        export_tower(arguments.model, folder)
    print(f"prepare: all in {folder}")


if __name__ == "__main__":
    main()
