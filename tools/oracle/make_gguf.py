# Writes GGUF files for the tests: blocks of every type with their floats, a container with every kind of value, and
# twins of tiny checkpoints as llama.cpp's converter writes them.
# In: the test data folder. Out: io/gguf_quants.safetensors, io/values.gguf, models/gguf_* and goldens/gguf_* in it, the
# same bytes on every run. A twin holds its checkpoint's numbers, so the checkpoint's golden is the twin's, too; the
# quantised twin has a golden of its own, made by transformers on what the `gguf` package makes of its blocks.
# Needs the `gguf` package (0.19.0) beside the oracle's. Usage: python tools/oracle/make_gguf.py -d tests/data

import argparse
import json
import pathlib
import re
import shutil
import tempfile

import gguf
import numpy as np
import torch
import versions
from safetensors.torch import load_file, save_file
from gguf import GGMLQuantizationType as Type

from make_golden import make
from reference import Oracle, check_versions

BLOCK_TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "Q2_K", "Q3_K",
               "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS", "TQ1_0",
               "TQ2_0", "MXFP4", "NVFP4"]
# Where each type keeps its 16-bit scales, by byte offset: random bytes there would be infinities.
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208], "Q2_K": [80, 82], "Q3_K": [108], "IQ1_S": [0], "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0],
          "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0], "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64],
          "MXFP4": [], "NVFP4": []}
BLOCKS = 5

# Checkpoint -> its twin: the architecture, the name of the pre-tokenizer (none: SentencePiece) and the type of matrices.
TWINS = {
    "gguf_smolvlm": ("smolvlm_tiles", "llama", "smollm", Type.BF16),
    "gguf_smolvlm_q8": ("smolvlm_tiles", "llama", "smollm", Type.Q8_0),
    "gguf_smollm2": ("text_smollm2", "llama", "smollm", Type.BF16),
    "gguf_llama2": ("text_llama2", "llama", None, Type.F16),
    "gguf_split": ("text_llama2", "llama", None, Type.F16),
    "gguf_llama3": ("text_llama3", "llama", "llama-bpe", Type.BF16),
    "gguf_granite": ("text_granite", "granite", "refact", Type.BF16),
    "gguf_llava_granite": ("llava_granite", "granite", "refact", Type.BF16),
    "gguf_llava_clip": ("llava_clip", "llama", "refact", Type.F32),
}


def write_blocks(path):
    """Random blocks of every type, and the floats that the package makes of them."""
    random = np.random.default_rng(7)
    tensors = {}
    for name in BLOCK_TYPES:
        kind = Type[name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        if elements == 1:
            floats = random.normal(size=64).astype(np.float32)
            blocks = gguf.quants.quantize(floats, kind).view(np.uint8)
        else:
            blocks = random.integers(0, 256, size=(BLOCKS, size), dtype=np.uint8)
            for offset in SCALES[name]:
                scale = random.normal(size=(BLOCKS, 1)).astype(np.float16)
                scale[0] = np.float16(6e-8)  # a subnormal one
                blocks[:, offset : offset + 2] = scale.view(np.uint8)
            if name == "IQ1_M":  # its scale is spread over the top halves of four bytes
                blocks[:, 55] = blocks[:, 55] & 0x0F | 0x30
        floats = gguf.quants.dequantize(blocks.view(np.float32 if name == "F32" else np.uint8).reshape(-1), kind)
        tensors[name + ".blocks"] = torch.from_numpy(blocks.reshape(-1).copy())
        tensors[name + ".floats"] = torch.from_numpy(floats.reshape(-1).astype(np.float32))
    save_file(tensors, path)


def write_values(path):
    """A file with a value of every kind and two tensors, aligned to 64 bytes."""
    writer = gguf.GGUFWriter(path, "test")
    writer.add_custom_alignment(64)
    writer.add_uint8("v.u8", 200)
    writer.add_int8("v.i8", -100)
    writer.add_uint16("v.u16", 60000)
    writer.add_int16("v.i16", -30000)
    writer.add_uint32("v.u32", 4000000000)
    writer.add_int32("v.i32", -2000000000)
    writer.add_uint64("v.u64", 2**63 - 1)
    writer.add_int64("v.i64", -(2**62))
    writer.add_float32("v.f32", 0.25)
    writer.add_float64("v.f64", 0.1)
    writer.add_bool("v.bool", True)
    writer.add_string("v.string", "größer")
    writer.add_array("v.strings", ["a", "", "ccc"])
    writer.add_array("v.integers", [3, -4, 5])
    writer.add_array("v.floats", [0.5, -1.5])
    writer.add_array("v.bools", [True, False])
    writer.add_tensor("matrix", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("row", np.arange(32, dtype=np.float32), raw_dtype=None)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer, source, rows, pre):
    """The token lists of a tokenizer.json; rows without a token are named as the converter names them."""
    document = json.loads((source / "tokenizer.json").read_text())
    settings = json.loads((source / "tokenizer_config.json").read_text())
    tokens = {id: text for text, id in document["model"]["vocab"].items()}
    kinds = {id: gguf.TokenType.NORMAL for id in tokens}
    for added in document["added_tokens"]:
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    if pre is None:
        for id, text in tokens.items():
            if re.fullmatch("<0x[0-9A-F]{2}>", text):
                kinds[id] = gguf.TokenType.BYTE
            elif text == document["model"]["unk_token"]:
                kinds[id] = gguf.TokenType.UNKNOWN
    writer.add_tokenizer_model("gpt2" if pre else "llama")
    writer.add_tokenizer_pre(pre or "default")
    writer.add_token_list([tokens.get(id, f"[PAD{id}]") for id in range(rows)])
    writer.add_token_types([kinds.get(id, gguf.TokenType.UNUSED) for id in range(rows)])
    if pre:
        merges = document["model"]["merges"]
        writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    else:
        writer.add_token_scores([-float(id) for id in range(rows)])
    ids = {text: id for id, text in tokens.items()}
    for key, add in (("bos_token", writer.add_bos_token_id), ("eos_token", writer.add_eos_token_id),
                     ("pad_token", writer.add_pad_token_id)):
        text = settings.get(key)
        text = text["content"] if isinstance(text, dict) else text
        if text in ids:
            add(ids[text])
    starts = (document.get("post_processor") or {}).get("type") == "TemplateProcessing"
    writer.add_add_bos_token(starts)
    writer.add_chat_template(settings.get("chat_template") or (source / "chat_template.jinja").read_text())


def add_text_settings(writer, text):
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_context_length(text["max_position_embeddings"])
    writer.add_embedding_length(text["hidden_size"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(text["num_attention_heads"])
    writer.add_head_count_kv(text["num_key_value_heads"])
    writer.add_rope_freq_base(rope_of(text)["rope_theta"])
    writer.add_layer_norm_rms_eps(text["rms_norm_eps"])
    writer.add_vocab_size(text["vocab_size"])
    writer.add_rope_dimension_count(text["hidden_size"] // text["num_attention_heads"])
    for key, add in (("attention_multiplier", writer.add_attention_scale),
                     ("embedding_multiplier", writer.add_embedding_scale),
                     ("residual_multiplier", writer.add_residual_scale), ("logits_scaling", writer.add_logit_scale)):
        if key in text:
            add(text[key])


def rope_of(text):
    return text.get("rope_parameters") or {"rope_theta": text.get("rope_theta", 10000.0)}


def rope_divisors(text):
    """What Llama 3's scaling divides each frequency by."""
    rope = rope_of(text)
    if rope.get("rope_type") != "llama3":
        return None
    width = text["hidden_size"] // text["num_attention_heads"]
    wavelength = 2 * np.pi * rope["rope_theta"] ** (np.arange(0, width, 2, dtype=np.float32) / width)
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    smooth = np.clip((rope["original_max_position_embeddings"] / wavelength - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)


def moved(weight, heads):
    """Rows (head, half, i) -> (head, i, half): llama.cpp turns neighbours."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def add_weight(writer, name, weight, kind, kept):
    """Matrices in `kind` where its blocks fit a row, everything else in F32; kept: name -> what was stored, in F32."""
    rows = weight.shape[-1]
    if weight.ndim != 2 or "embd.weight" in name and name.startswith("v."):
        kind = Type.F32
    elif rows % gguf.GGML_QUANT_SIZES[kind][0]:
        kind = Type.F16
    stored = gguf.quants.quantize(weight, kind)
    kept[name] = gguf.quants.dequantize(stored, kind).reshape(weight.shape)
    writer.add_tensor(name, stored, raw_dtype=kind)


def write_twin(folder, source, arch, pre, kind):
    """-> {name in the checkpoint: what the twin holds, in F32}"""
    config = json.loads((source / "config.json").read_text())
    text = config.get("text_config", config)
    weights = {name: weight.float().numpy() for name, weight in load_file(source / "model.safetensors").items()}
    folder.mkdir(parents=True, exist_ok=True)
    # One twin is cut into files of so many tensors, as llama-gguf-split cuts large ones.
    writer = gguf.GGUFWriter(folder / "model.gguf", arch, split_max_tensors=9 if folder.name == "gguf_split" else 0)
    writer.add_type(gguf.GGUFType.MODEL)
    add_text_settings(writer, text)
    add_tokenizer(writer, source, text["vocab_size"], pre)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[arch.upper()], text["num_hidden_layers"])
    stored = {}
    divisors = rope_divisors(text)
    if divisors is not None:
        writer.add_tensor("rope_freqs.weight", divisors)
    vision = {}
    for name, weight in weights.items():
        if "vision_config" in config and not re.search("text_model|language_model|lm_head", name):
            vision[name] = weight
            continue
        heads = {"q_proj": text["num_attention_heads"], "k_proj": text["num_key_value_heads"]}.get(name.split(".")[-2])
        kept = {}
        new = names.get_name(re.sub("text_model[.]|language_model[.]", "", name), try_suffixes=(".weight", ".bias"))
        add_weight(writer, new, moved(weight, heads) if heads else weight, kind, kept)
        stored[name] = back(kept[new], heads) if heads else kept[new]
    finish(writer)
    if vision and "multi_modal_projector.linear_1.weight" in vision:
        write_llava_eyes(folder / "mmproj-model.gguf", source, config, vision, kind)
    elif vision:
        stored |= write_eyes(folder / "mmproj-model.gguf", source, config, vision, kind)
    return stored


def back(weight, heads):
    return weight.reshape(heads, weight.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)


def write_eyes(path, source, config, weights, kind):
    """The mmproj file of an Idefics3 checkpoint."""
    vision = config["vision_config"]
    images = json.loads((source / "preprocessor_config.json").read_text())
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type(gguf.GGUFType.MMPROJ)
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(gguf.VisionProjectorType.IDEFICS3)
    writer.add_vision_projection_dim(config["text_config"]["hidden_size"])
    writer.add_vision_image_size(vision["image_size"])
    writer.add_vision_patch_size(vision["patch_size"])
    writer.add_vision_embedding_length(vision["hidden_size"])
    writer.add_vision_feed_forward_length(vision["intermediate_size"])
    writer.add_vision_block_count(vision["num_hidden_layers"])
    writer.add_vision_head_count(vision["num_attention_heads"])
    writer.add_vision_image_mean(images["image_mean"])
    writer.add_vision_image_std(images["image_std"])
    writer.add_vision_attention_layernorm_eps(vision["layer_norm_eps"])
    writer.add_vision_projector_scale_factor(config["scale_factor"])
    writer.add_vision_use_gelu(True)
    writer.add_vision_preproc_image_size(images["size"]["longest_edge"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, vision["num_hidden_layers"])
    stored = {}
    for name, weight in weights.items():
        kept = {}
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        add_weight(writer, new, weight, kind, kept)
        stored[name] = kept[new]
    finish(writer)
    return stored


def llava_name(name):
    """The names of llama.cpp's old converter, which takes an MLP's first layer for the one that goes down."""
    pairs = [("vision_tower.", "v."), ("multi_modal_projector.linear_1", "mm.0"),
             ("multi_modal_projector.linear_2", "mm.2"), ("encoder.layers", "blk"), ("embeddings.", ""),
             ("_proj", ""), ("self_attn.", "attn_"), ("layer_norm", "ln"), ("layrnorm", "ln"), ("mlp.fc1", "ffn_down"),
             ("mlp.fc2", "ffn_up"), ("embedding", "embd")]
    if name == "image_newline":
        return "model.image_newline"
    for old, new in pairs:
        name = name.replace(old, new)
    return name


def write_llava_eyes(path, source, config, weights, kind):
    """The mmproj file of a LLaVA-NeXT checkpoint: layers behind the last tapped one and the last norm are left out."""
    vision = config["vision_config"]
    document = json.loads((source / "processor_config.json").read_text())
    images = document.get("image_processor", document)
    taps = config["vision_feature_layer"]
    count = vision["num_hidden_layers"]
    taps = [tap if tap >= 0 else count + 1 + tap for tap in (taps if isinstance(taps, list) else [taps])]
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.has_llava_projector", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_vision_image_size(vision["image_size"])
    writer.add_vision_patch_size(vision["patch_size"])
    writer.add_vision_embedding_length(vision["hidden_size"])
    writer.add_vision_feed_forward_length(vision["intermediate_size"])
    writer.add_vision_projection_dim(0)
    writer.add_vision_head_count(vision["num_attention_heads"])
    writer.add_vision_attention_layernorm_eps(vision["layer_norm_eps"])
    writer.add_vision_block_count(max(taps))
    sides = [side for pair in config["image_grid_pinpoints"] for side in pair]
    writer.add_array("clip.vision.image_grid_pinpoints", sides)
    writer.add_string("clip.vision.mm_patch_merge_type", "spatial_unpad")
    writer.add_array("clip.vision.feature_layer", taps)
    writer.add_vision_image_mean(images["image_mean"])
    writer.add_vision_image_std(images["image_std"])
    writer.add_bool("clip.use_gelu", vision["hidden_act"] == "gelu")
    for name, weight in weights.items():
        layer = re.search(r"encoder[.]layers[.](\d+)", name)
        if "post_layernorm" in name or ".head.mlp" in name or layer and int(layer[1]) >= max(taps):
            continue
        add_weight(writer, llava_name(name), weight, kind, {})
    finish(writer)


def write_golden_of(data, name, source, stored):
    """transformers' answer with the numbers that the twin stores."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / name
        shutil.copytree(source, copy)
        save_file({key: torch.from_numpy(value) for key, value in stored.items()}, copy / "model.safetensors",
                  metadata={"format": "pt"})
        question = {"prompt": "What is in this picture?", "image_paths": [data / "pictures" / "shapes_37x90.png"],
                    "options": {"do_image_splitting": False}}
        print(name, make(Oracle(copy, 1), name, data / "goldens" / name, question, 24))


def main():
    parser = argparse.ArgumentParser(description="Writes GGUF files for the tests.")
    parser.add_argument("-d", "--data", type=pathlib.Path, required=True, help="test data folder")
    parser.add_argument("--only", help="one twin")
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    torch.manual_seed(0)
    if not arguments.only:
        write_blocks(arguments.data / "io" / "gguf_quants.safetensors")
        write_values(arguments.data / "io" / "values.gguf")
    for name, (source, arch, pre, kind) in TWINS.items():
        if arguments.only not in (None, name):
            continue
        source = arguments.data / "models" / source
        stored = write_twin(arguments.data / "models" / name, source, arch, pre, kind)
        if kind == Type.Q8_0:
            write_golden_of(arguments.data, name, source, stored)


if __name__ == "__main__":
    main()
