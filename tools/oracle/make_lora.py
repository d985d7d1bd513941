# Makes LoRA adapters with peft over the tiny checkpoints, and goldens of transformers with them.
# In: the test data folder. Out: adapters/NAME/ (adapter_config.json, adapter_model.safetensors) and goldens/lora_*/, the
# same bytes on every run. All weights of an adapter are random, also those that training begins at zero.
# Needs peft (0.21.2) beside the oracle's packages. Usage: python tools/oracle/make_lora.py -d tests/data

import argparse
import json
import pathlib
import shutil

import peft
import torch
from peft import LoraConfig, PeftModel

import make_golden
import make_text_golden
from reference import Oracle

TEXT = "What is a galago?"
SEEN = {"prompt": "What is in this picture?", "options": {"do_image_splitting": False}}

# Adapter -> base, settings. Ranks are small: an adapter has a few kB.
ADAPTERS = {
    # Every kind of place: linear layers with and without bias, the patch convolution, the connector, the table, the
    # head, a norm; ranks and alphas by name; rslora; biases of the layers that are adapted; a bias of lora_B.
    "smolvlm": ("smolvlm_tiles", dict(
        r=3, lora_alpha=6, use_rslora=True, bias="lora_only",
        target_modules=r".*(text_model.layers.*(q_proj|down_proj)|encoder.*(out_proj|fc1)|patch_embedding|proj|lm_head"
                       r"|embed_tokens)",
        rank_pattern={"down_proj": 2, "lm_head": 1}, alpha_pattern={"fc1": 3, "text_model.layers.1.self_attn.q_proj": 9},
        modules_to_save=["norm"])),
    "lora_bias": ("smolvlm_tiles", dict(r=2, lora_bias=True, target_modules=["k_proj", "out_proj"],
                                        exclude_modules=r".*text_model.*")),
    # A table whose head is tied to it: the head stays as it is.
    "smollm2_table": ("text_smollm2", dict(r=2, target_modules=["embed_tokens", "v_proj"])),
    "smollm2_all": ("text_smollm2", dict(r=2, lora_alpha=4, target_modules="all-linear")),
    "mistral_dora": ("text_mistral", dict(r=2, use_dora=True, target_modules=["q_proj", "up_proj"])),
}
# Golden -> base, [(adapter, scale)].
GOLDENS = {
    "lora_smolvlm": ("smolvlm_tiles", [("smolvlm", 1.0)]),
    "lora_bias": ("smolvlm_tiles", [("lora_bias", 1.0)]),
    "lora_table": ("text_smollm2", [("smollm2_table", 1.0)]),
    "lora_two": ("text_smollm2", [("smollm2_all", 0.5), ("smollm2_table", 1.0)]),
    "lora_dora": ("text_mistral", [("mistral_dora", 1.0)]),
}


def load(data, base):
    """-> the oracle of a base model, and whether it sees."""
    folder = data / "models" / base
    seen = "vision_config" in json.loads((folder / "config.json").read_text())
    return (Oracle(folder) if seen else make_text_golden.TextOracle(folder)), seen


def write_adapter(data, name, base, settings):
    oracle, _ = load(data, base)
    model = peft.get_peft_model(oracle.model, LoraConfig(**settings))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "magnitude" in key:
                parameter.mul_(1 + 0.2 * torch.rand_like(parameter))
            elif parameter.requires_grad:
                # Layers of different width get differences of like size.
                parameter.add_(torch.randn_like(parameter) * (0.3 / max(parameter.shape[-1], 1) ** 0.5))
    folder = data / "adapters" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = f"galago/{base}"
    config["auto_mapping"] = None
    for key, value in config.items():
        if isinstance(value, list):
            config[key] = sorted(value)
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")


def write_golden(data, name, base, adapters):
    oracle, seen = load(data, base)
    model = None
    for adapter, scale in adapters:
        folder = data / "adapters" / adapter
        if model is None:
            model = PeftModel.from_pretrained(oracle.model, folder, adapter_name=adapter)
        else:
            model.load_adapter(folder, adapter_name=adapter)
    model.base_model.set_adapter([adapter for adapter, _ in adapters])
    for adapter, scale in adapters:
        for module in model.modules():
            if isinstance(module, peft.tuners.lora.LoraLayer) and adapter in module.scaling:
                module.scaling[adapter] *= scale
    oracle.model = model.get_base_model().eval()
    output = data / "goldens" / name
    if seen:
        question = dict(SEEN, image_paths=[data / "pictures" / "shapes_37x90.png"])
        print(name, make_golden.make(oracle, base, output, question, 16))
    else:
        print(name, make_text_golden.make(oracle, base, output, {"prompt": TEXT}, 16))


def main():
    parser = argparse.ArgumentParser(description="Makes LoRA adapters and their goldens.")
    parser.add_argument("-d", "--data", type=pathlib.Path, required=True, help="test data folder")
    data = parser.parse_args().data.resolve()
    for seed, (name, (base, settings)) in enumerate(ADAPTERS.items()):
        torch.manual_seed(seed)
        write_adapter(data, name, base, settings)
    for name, (base, adapters) in GOLDENS.items():
        write_golden(data, name, base, adapters)


if __name__ == "__main__":
    main()
