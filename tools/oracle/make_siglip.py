# Writes tiny SigLIP models and what transformers makes of pictures and texts with them; and a tiny CLIP tower.
# In: the test data folder, whose text/families/ holds small tokenizers as the hub has them. Out: models/<name> and
# goldens/<name> in it, for every entry of MODELS: input ids, pixel values (of NaFlex with mask and grids), every hidden
# state of the vision tower, embeddings as they leave the heads, logits_per_image and the sigmoid of them, text embeddings
# and logits with padding masked, and of a text with special tokens; and the same of clip_tower's tower.
# Reference: transformers 5.18.0 SiglipModel, Siglip2Model and CLIPVisionModel in float32, PIL image processor,
# AutoTokenizer (needs sentencepiece and protobuf).
# Usage: python tools/oracle/make_siglip.py -d tests/data [--only NAME]
#        python tools/oracle/make_siglip.py -d tests/data --true-size 224 -o OUT    (OUT/model and OUT/golden)
#        python tools/oracle/make_siglip.py -d tests/data --true-size naflex -o OUT

import argparse
import json
import math
import pathlib
import shutil
import tempfile

import torch
import versions
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    CLIPVisionConfig,
    CLIPVisionModel,
    Siglip2Config,
    Siglip2Model,
    SiglipConfig,
    SiglipModel,
)
from transformers.image_utils import load_image
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from reference import check_versions, write_golden

TEXTS = [
    "This is a photo of a cat.",
    "This is a photo of 2 dogs.",
    "",
    "  A  PHOTO of\tthe Eiffel Tower, at night!?  ",
    "don't stop: 50% off (today) \u2014 \u00a1ol\u00e9!",
    "\u732b\u306e\u5199\u771f caf\u00e9 \U0001f408",
    "a very long text about the same picture " * 20,
    "x",
]
# In transformers the end tokens in it are control tokens.
SPECIAL = "a photo of</s> a cat <eos> and a dog"
PICTURES = ["shapes_100x80.png", "shapes_37x90.png", "shapes_300x60.jpg"]
NAFLEX_PICTURES = [*PICTURES, "shapes_3x5.png"]

MODELS = {
    # google/siglip-base-patch16-224 in small: SentencePiece file, bicubic, float32.
    "siglip": {
        "seed": 21, "tokenizer": "siglip", "resample": 3, "dtype": torch.float32,
        "vision": dict(hidden_size=24, intermediate_size=56, num_hidden_layers=3, num_attention_heads=3,
                       image_size=48, patch_size=8),
        "text": dict(hidden_size=24, intermediate_size=52, num_hidden_layers=2, num_attention_heads=2,
                     max_position_embeddings=64),
    },
    # google/siglip2-base-patch16-512 in small: Gemma's tokenizer.json, bilinear, bfloat16, a text tower of another
    # width than the embedding, pixels beyond the last whole patch.
    "siglip2": {
        "seed": 22, "tokenizer": "siglip2_gemma", "resample": 2, "dtype": torch.bfloat16,
        "vision": dict(hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=3,
                       image_size=75, patch_size=10),
        "text": dict(hidden_size=40, intermediate_size=96, num_hidden_layers=2,
                     num_attention_heads=4, max_position_embeddings=64, projection_size=48),
    },
    # google/siglip2-base-patch16-naflex in small: pictures of any shape, a 4x4 table stretched and shrunk, float32.
    "naflex": {
        "seed": 25, "tokenizer": "siglip2_gemma", "resample": 2, "dtype": torch.float32, "max_num_patches": 24,
        "vision": dict(hidden_size=24, intermediate_size=56, num_hidden_layers=3, num_attention_heads=3,
                       num_patches=16, patch_size=8),
        "text": dict(hidden_size=24, intermediate_size=52, num_hidden_layers=2, num_attention_heads=2,
                     max_position_embeddings=64),
    },
    # The same in bfloat16, with fewer patches than the 7x7 table has places, bicubic, a text tower of another width.
    "naflex_bf16": {
        "seed": 26, "tokenizer": "siglip2", "resample": 3, "dtype": torch.bfloat16, "max_num_patches": 30,
        "vision": dict(hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                       num_patches=49, patch_size=5),
        "text": dict(hidden_size=40, intermediate_size=96, num_hidden_layers=2,
                     num_attention_heads=4, max_position_embeddings=64, projection_size=48),
    },
}


def fill(model, seed):
    """Draws every parameter of a model from one seed, in the order of the sorted names; the scale and the bias as
    trained models have them, so that probabilities are neither all 0 nor all 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if name == "logit_scale":
                parameter.fill_(math.log(12.0))
            elif name == "logit_bias":
                parameter.fill_(-1.5)
            elif parameter.dim() == 1:
                base = 1.0 if "norm" in name and name.endswith("weight") else 0.0
                parameter.copy_(base + 0.15 * noise)
            elif "embedding.weight" in name or name.endswith("probe"):
                parameter.copy_(noise)
            else:
                parameter.copy_(noise * 2.0 / math.sqrt(parameter[0].numel()))


def write_model(spec, folder, families):
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((families / spec["tokenizer"]).iterdir()):
        if path.name != "config.json":
            shutil.copyfile(path, folder / path.name)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["model_input_names"] = ["input_ids"]  # as on the hub: the text tower sees its padding
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    naflex = "max_num_patches" in spec
    config = (Siglip2Config if naflex else SiglipConfig)(text_config=spec["text"], vision_config=spec["vision"])
    config.save_pretrained(folder)  # AutoTokenizer asks for the model's type
    config.text_config.vocab_size = spec.get("vocab") or len(AutoTokenizer.from_pretrained(folder))
    config._attn_implementation = "eager"
    model = (Siglip2Model if naflex else SiglipModel)(config)
    fill(model, spec["seed"])
    model.to(spec["dtype"])
    model.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
    scaling = dict(resample=spec["resample"], image_mean=[0.5] * 3, image_std=[0.5] * 3)
    if naflex:
        processor = Siglip2ImageProcessorPil(
            patch_size=config.vision_config.patch_size, max_num_patches=spec["max_num_patches"], **scaling
        )
    else:
        side = spec["vision"]["image_size"]
        processor = SiglipImageProcessorPil(size={"height": side, "width": side}, **scaling)
    processor.save_pretrained(folder)


def masked_inputs(folder, arguments):
    """TEXTS by the same tokenizer when its file does not say which inputs there are: it masks padding then."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        path = pathlib.Path(copy) / "tokenizer_config.json"
        settings = json.loads(path.read_text())
        del settings["model_input_names"]
        path.write_text(json.dumps(settings))
        inputs = AutoTokenizer.from_pretrained(copy)(TEXTS, **arguments)
    if sorted(inputs.keys()) != ["attention_mask", "input_ids"]:
        raise SystemExit(f"expected input_ids and attention_mask, got {list(inputs.keys())}")
    return inputs


def write_siglip_golden(folder, golden, pictures):
    """Runs one model on its pictures and TEXTS."""
    naflex = json.loads((folder / "config.json").read_text())["model_type"] == "siglip2"
    names = NAFLEX_PICTURES if naflex else PICTURES
    kind = Siglip2Model if naflex else SiglipModel
    model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    if not type(processor).__name__.endswith("Pil"):
        raise SystemExit(f"expected the PIL image processor, got {type(processor).__name__}")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    length = model.config.text_config.max_position_embeddings
    arguments = dict(padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    inputs = tokenizer(TEXTS, **arguments)
    masked = masked_inputs(folder, arguments)
    special = tokenizer([SPECIAL], **arguments)
    if list(inputs.keys()) != ["input_ids"]:
        raise SystemExit(f"expected input_ids alone, got {list(inputs.keys())}")
    pixels = processor([load_image(str(pictures / name)) for name in names], return_tensors="pt")
    with torch.no_grad():
        out = model(input_ids=inputs["input_ids"], **pixels, output_hidden_states=True)
        out_masked = model(**masked, **pixels)
        special_features = model.get_text_features(**special).pooler_output
    logits = out.logits_per_image
    tensors = {
        "input_ids": inputs["input_ids"],
        "hidden_states": torch.stack(out.vision_model_output.hidden_states),
        "vision_last_hidden_state": out.vision_model_output.last_hidden_state,
        "image_features": out.vision_model_output.pooler_output,
        "text_features": out.text_model_output.pooler_output,
        "image_embeds": out.image_embeds,
        "text_embeds": out.text_embeds,
        "logits_per_image": logits,
        "probabilities": torch.sigmoid(logits),
        **pixels,
        "attention_mask": masked["attention_mask"],
        "masked_text_features": out_masked.text_model_output.pooler_output,
        "masked_logits_per_image": out_masked.logits_per_image,
        "special_text_features": special_features,
    }
    facts = {"images": names, "texts": TEXTS, "special_text": SPECIAL, "tokenizer": type(tokenizer).__name__}
    write_golden(golden, tensors, facts, keep_pixels=True)
    (golden / "trace.safetensors").chmod(0o644)
    probabilities = torch.sigmoid(logits)
    print(f"{golden}: probabilities {probabilities.min():.4f}..{probabilities.max():.4f}, "
          f"the mask moves text vectors by up to "
          f"{(out_masked.text_model_output.pooler_output - out.text_model_output.pooler_output).abs().max():.2f}, "
          f"ids of no text {inputs['input_ids'][2][:3].tolist()}")


def write_clip(folder, golden):
    """A CLIP tower alone, with pixels beyond the last whole patch, on two tiles of noise."""
    config = CLIPVisionConfig(hidden_size=24, intermediate_size=56, num_hidden_layers=3, num_attention_heads=3,
                              image_size=31, patch_size=6, hidden_act="quick_gelu", layer_norm_eps=1e-5)
    config._attn_implementation = "eager"
    model = CLIPVisionModel(config).eval()
    fill(model, 23)
    model.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
    pixels = torch.randn((2, 3, 31, 31), generator=torch.Generator().manual_seed(24))
    with torch.no_grad():
        out = model(pixel_values=pixels, output_hidden_states=True)
    tensors = {
        "pixel_values": pixels,
        "hidden_states": torch.stack(out.hidden_states),
        "last_hidden_state": out.last_hidden_state,
        "pooler_output": out.pooler_output,
    }
    write_golden(golden, tensors, {"model": "clip_tower"}, keep_pixels=True)
    (golden / "trace.safetensors").chmod(0o644)


def main():
    parser = argparse.ArgumentParser(description="Write tiny SigLIP models and their goldens.")
    parser.add_argument("-d", "--data", type=pathlib.Path, required=True, help="tests/data")
    parser.add_argument("--only", choices=[*sorted(MODELS), "clip_tower"], help="make this one only")
    parser.add_argument("--true-size", choices=("224", "512", "naflex"), help="the base-patch16 shape, random weights")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="with --true-size: where to")
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    if arguments.true_size:
        if not arguments.output:
            parser.error("--true-size needs --output")
        spec = {"seed": 5, "vocab": 32000, "tokenizer": "siglip", "resample": 3, "dtype": torch.float32,
                "vision": dict(patch_size=16), "text": dict()}
        if arguments.true_size == "naflex":
            spec |= {"max_num_patches": 256, "tokenizer": "siglip2_gemma", "resample": 2}
        else:
            spec["vision"]["image_size"] = int(arguments.true_size)
        write_model(spec, arguments.output / "model", arguments.data / "text" / "families")
        write_siglip_golden(arguments.output / "model", arguments.output / "golden", arguments.data / "pictures")
        return
    torch.set_num_threads(1)
    if arguments.only in (None, "clip_tower"):
        write_clip(arguments.data / "models" / "clip_tower", arguments.data / "goldens" / "clip_tower")
    for name, spec in MODELS.items():
        if arguments.only in (None, name):
            folder = arguments.data / "models" / name
            write_model(spec, folder, arguments.data / "text" / "families")
            write_siglip_golden(folder, arguments.data / "goldens" / name, arguments.data / "pictures")
            print(f"{folder}: {sum(path.stat().st_size for path in folder.iterdir())} bytes")


if __name__ == "__main__":
    main()
