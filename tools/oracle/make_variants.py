# Records what transformers makes of small changes to the tiny checkpoints: keys of config.json, a head of another kind.
# In: the test data folder (models/ in it). Out: variants/NAME.safetensors for each entry of VARIANTS.
# One file holds the recipe and the result. Metadata: "recipe", a JSON object with "base" (a folder of models/), "config"
# (changes; objects are merged, the text "absent" removes a key), "copied" and "reversed" (a new tensor's name: the one
# whose rows it has, in their order or from the last to the first). Tensors: input_ids [L] i64, rows [r] i64 (which rows
# of the prefill are kept), logits [r,V] f32, generated_ids [n] i64 (greedy, no end token).
# tests/parity/variants_test.cc runs the same.
# Usage: python tools/oracle/make_variants.py -d tests/data [--only NAME]

import argparse
import json
import os
import pathlib
import shutil
import tempfile

import torch
import versions
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from reference import check_versions

NEW_TOKENS = 24


HEAD = "lm_head.weight"
TABLE = "model.embed_tokens.weight"

YARN = dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=32)
LONG = dict(rope_type="longrope", short_factor=[1.0, 1.1, 1.3, 1.5], long_factor=[1.2, 2.0, 4.0, 8.0],
            original_max_position_embeddings=32)

# variant: base, changes of config.json, and where wanted copied, reversed and length (of the prompt).
VARIANTS = {
    # Tied by config.json, and a head that differs.
    "own_head_llama": ("text_smollm2", {}, {"reversed": {HEAD: TABLE}}),
    "own_head_granite": ("text_granite", {}, {"reversed": {HEAD: TABLE}}),
    "own_head_mistral": ("text_mistral", {"tie_word_embeddings": True}, {}),
    "own_head_smolvlm": ("tied_head", {}, {"reversed": {HEAD: "model.text_model.embed_tokens.weight"}}),
    "own_head_llava": (
        "llava_granite",
        {},
        {"reversed": {"language_model.lm_head.weight": "language_model.model.embed_tokens.weight"}},
    ),
    "own_head_llava_mistral": ("llava_mistral", {"tie_word_embeddings": True}, {}),
    # Tied, and the table once more under the head's name; a base model has the table alone.
    "same_head": ("text_smollm2", {}, {"copied": {HEAD: TABLE}}),
    # Rotary scaling; heads of 8, so four frequencies.
    "rope_yarn": ("text_smollm2", {"rope_parameters": YARN}, {"length": 40}),
    "rope_yarn_mscale": (
        "text_smollm2",
        {"rope_parameters": dict(YARN, mscale=0.7, mscale_all_dim=0.4, beta_fast=16, beta_slow=2, truncate=False)},
        {"length": 40},
    ),
    # Transformers 4's spelling; the number beside rope_scaling goes first.
    "rope_yarn_old": (
        "text_smollm2",
        {
            "rope_parameters": "absent",
            "rope_theta": 100000.0,
            "original_max_position_embeddings": 24,
            "rope_scaling": {"type": "yarn", "factor": 6.0, "attention_factor": 1.2,
                             "original_max_position_embeddings": 500},
        },
        {"length": 40},
    ),
    "rope_dynamic": ("text_smollm2", {"rope_parameters": dict(rope_type="dynamic", factor=2.0)}, {"length": 40}),
    # Below, across and beyond the length where the second list begins.
    "rope_long_below": ("text_smollm2", {"rope_parameters": dict(LONG, original_max_position_embeddings=64)}, {"length": 20}),
    "rope_long_across": ("text_smollm2", {"rope_parameters": LONG}, {"length": 20}),
    "rope_long_beyond": ("text_smollm2", {"rope_parameters": dict(LONG, factor=16.0)}, {"length": 40}),
    "rope_proportional": (
        "text_smollm2",
        {"rope_parameters": dict(rope_type="proportional", partial_rotary_factor=0.5, factor=2.0)},
        {"length": 20},
    ),
    # Not looked at by the default kind.
    "rope_partial": ("text_smollm2", {"partial_rotary_factor": 0.5}, {"length": 20}),
    "rope_llama3_outer": ("text_llama3", {"original_max_position_embeddings": 16}, {"length": 40}),
    # Activations.
    "act_relu": ("text_llama2", {"hidden_act": "relu"}, {}),
    "act_gelu": ("text_smollm2", {"hidden_act": "gelu"}, {}),
    "act_gelu_tanh": ("text_granite", {"hidden_act": "gelu_pytorch_tanh"}, {}),
    "act_quick_gelu": ("text_mistral", {"hidden_act": "quick_gelu"}, {}),
    # A window in classes whose mask has none: the prompt sees everything, what is generated sees the window.
    "window_llama": ("text_smollm2", {"sliding_window": 8}, {"length": 20}),
    "window_granite": ("text_granite", {"sliding_window": 5}, {"length": 20}),
    "window_smolvlm": ("tied_head", {"text_config": {"sliding_window": 6}}, {"length": 20}),
}


def merge(object_, changes):
    """JSON merge of `changes` into `object_`, in place."""
    for key, value in changes.items():
        if value == "absent":
            object_.pop(key, None)
        elif isinstance(value, dict) and isinstance(object_.get(key), dict):
            merge(object_[key], value)
        else:
            object_[key] = value


def write_variant(data, base, changes, extra, folder):
    """Writes the changed directory."""
    shutil.copytree(data / "models" / base, folder, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    merge(config, changes)
    (folder / "config.json").write_text(json.dumps(config))
    stored = load_file(folder / "model.safetensors")
    for name, source in extra.get("copied", {}).items():
        stored[name] = stored[source].clone()
    for name, source in extra.get("reversed", {}).items():
        stored[name] = stored[source].flip(0).contiguous()
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})


def load(folder):
    has_tower = hasattr(AutoConfig.from_pretrained(folder), "vision_config")
    kind = AutoModelForImageTextToText if has_tower else AutoModelForCausalLM
    model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True)
    model.generation_config.eos_token_id = None
    return model.eval()


def record(model, length):
    """-> input_ids, rows, logits, generated_ids, and the smallest margin of the greedy steps."""
    generator = torch.Generator().manual_seed(11)
    ids = torch.randint(5, 250, (1, length), generator=generator)
    rows = torch.tensor(sorted({0, length // 3, length // 2, length - 1}))
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[0].float()
        result = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False,
                                max_new_tokens=NEW_TOKENS, return_dict_in_generate=True, output_logits=True)
    best = [torch.topk(step[0].float(), 2).values for step in result.logits]
    tensors = {
        "input_ids": ids[0],
        "rows": rows,
        "logits": logits[rows].contiguous(),
        "generated_ids": result.sequences[0, length:].clone(),
    }
    return tensors, min(float(two[0] - two[1]) for two in best)


def main():
    parser = argparse.ArgumentParser(description="Records transformers on changed tiny checkpoints.")
    parser.add_argument("-d", "--data", type=pathlib.Path, required=True, help="test data folder")
    parser.add_argument("--only", choices=sorted(VARIANTS), help="make this one only")
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    (arguments.data / "variants").mkdir(exist_ok=True)
    for name, (base, changes, extra) in VARIANTS.items():
        if arguments.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            write_variant(arguments.data, base, changes, extra, pathlib.Path(scratch))
            tensors, margin = record(load(scratch), extra.get("length", 12))
        path = arguments.data / "variants" / f"{name}.safetensors"
        recipe = {"base": base, "config": changes, "copied": extra.get("copied", {}), "reversed": extra.get("reversed", {})}
        save_file(tensors, path, metadata={"recipe": json.dumps(recipe)})
        distinct = len(set(tensors["generated_ids"].tolist()))
        print(f"{name}: {os.path.getsize(path)} bytes, margin {margin:.5f}, {distinct} distinct tokens")


if __name__ == "__main__":
    main()
