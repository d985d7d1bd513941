# Models that transformers has no class for: another vision tower in front of Idefics3's connector and a Llama
# backbone, with a projection (hidden align) where the connector's width is not the backbone's.
# In: the test data folder. Out: models/<name> and goldens/<name> in it, for every entry of SWAPS. The reference is a
# composition of transformers' own modules: SiglipVisionModel or CLIPVisionModel, Idefics3Connector, torch's
# Linear, LlamaForCausalLM. The modules bear the checkpoint's names, so the file is the composition's state.
# Usage: python tools/oracle/make_swaps.py -d tests/data [--only NAME]

import argparse
import copy
import json
import pathlib

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Idefics3Config,
    LlamaForCausalLM,
    LlamaModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)
from transformers.models.idefics3.modeling_idefics3 import Idefics3Connector

import make_models
import tiny_tokenizer
import versions
from make_golden import check_tiles
from reference import Oracle, check_versions, document_for, write_golden

SWAPS = {
    # SigLIP as it stands alone: its patches are counted one by one, which a 25x25 grid tells from Idefics3's way.
    "swap_siglip": {
        "seed": 6,
        "vocab": 400,
        "image_tags": False,
        "scale": 5,
        "tower": "siglip_vision_model",
        "vision": dict(hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
                       image_size=100, patch_size=4, hidden_act="gelu_pytorch_tanh", layer_norm_eps=1e-6),
        "connector_hidden_size": 32,
        "align_bias": True,
        "text": dict(hidden_size=40, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                     num_key_value_heads=2, max_position_embeddings=512, rope_theta=10000.0),
        "longest_edge": 100,
        "dtype": torch.bfloat16,
        "question": ("Where is the bicycle?", ["shapes_37x90.png"], {"do_image_splitting": False}),
    },
    # CLIP: a class token that the connector must not see, a norm before the layers, quick-gelu, other colours.
    "swap_clip": {
        "seed": 3,
        "vocab": 420,
        "scale": 2,
        "tower": "clip_vision_model",
        "vision": dict(hidden_size=32, intermediate_size=72, num_hidden_layers=3, num_attention_heads=4,
                       image_size=48, patch_size=6, hidden_act="quick_gelu", layer_norm_eps=1e-5),
        "connector_hidden_size": 56,
        "align_bias": False,
        "text": dict(hidden_size=48, intermediate_size=100, num_hidden_layers=2, num_attention_heads=3,
                     num_key_value_heads=1, max_position_embeddings=1024, rope_theta=10000.0),
        "longest_edge": 96,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "dtype": torch.bfloat16,
        "question": ("What is in this image?", ["shapes_100x80.png"], {}),
    },
}


class Core(nn.Module):
    """The parts below the head, under the names of an Idefics3 checkpoint, with hidden_align between them."""

    def __init__(self, config):
        super().__init__()
        self.vision_model = make_tower(config.vision_config_of_tower)
        width = config.text_config.hidden_size
        narrow = copy.deepcopy(config)  # the connector's own class takes its output's width from text_config
        narrow.text_config.hidden_size = config.connector_hidden_size
        narrow.vision_config.hidden_size = config.vision_config_of_tower["hidden_size"]
        self.connector = Idefics3Connector(narrow)
        if config.connector_hidden_size != width:
            projection = nn.Linear(config.connector_hidden_size, width, bias=config.align_bias)
            self.hidden_align = nn.ModuleDict({"proj": projection})
        self.text_model = LlamaModel(config.text_config)


class Composition(nn.Module):
    """Tower, connector, align, backbone and head: what Idefics3ForConditionalGeneration would be with them."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        config.text_config._attn_implementation = "eager"
        self.model = Core(config)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)

    def causal(self):
        """The backbone as LlamaForCausalLM, over the same weights."""
        causal = LlamaForCausalLM(self.config.text_config)
        causal.model, causal.lm_head = self.model.text_model, self.lm_head
        return causal.eval()


def make_tower(settings):
    settings = dict(settings)
    if settings.pop("model_type") == "clip_vision_model":
        config = CLIPVisionConfig(**settings)
        kind = CLIPVisionModel
    else:
        config = SiglipVisionConfig(**settings, vision_use_head=False)
        kind = SiglipVisionModel
    config._attn_implementation = "eager"
    return kind(config)


def composition_config(document):
    """config.json of a swapped model -> the settings of its composition."""
    document = copy.deepcopy(document)
    tower = document.pop("vision_config")
    config = Idefics3Config(**{key: document[key] for key in ("text_config", "scale_factor", "image_token_id",
                                                               "tie_word_embeddings", "pad_token_id")})
    config.vision_config_of_tower = tower
    config.connector_hidden_size = document.get("connector_hidden_size", config.text_config.hidden_size)
    config.align_bias = document.get("align_bias", False)
    return config


def document_of(spec, ids):
    """config.json: Idefics3's, with another tower's vision_config and the connector's width."""
    plain = dict(spec, vision=dict(hidden_size=spec["vision"]["hidden_size"]))
    document = json.loads(make_models.config_for(plain, ids).to_json_string(use_diff=False))
    kept = ("model_type", "scale_factor", "image_token_id", "tie_word_embeddings", "pad_token_id", "text_config")
    document = {key: document[key] for key in kept}
    document["architectures"] = ["Idefics3ForConditionalGeneration"]
    document["dtype"] = str(spec["dtype"]).removeprefix("torch.")
    document["connector_hidden_size"] = spec["connector_hidden_size"]
    document["vision_config"] = {"model_type": spec["tower"], **spec["vision"]}
    keep = ("model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "hidden_act",
            "rope_parameters", "bos_token_id", "eos_token_id", "pad_token_id")
    document["text_config"] = {key: document["text_config"][key] for key in keep}
    return document


def write_model(spec, folder):
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer.build(spec["vocab"], spec.get("image_tags", True))
    ids = tokenizer.get_vocab()
    document = document_of(spec, ids)
    config = composition_config(dict(document, align_bias=spec["align_bias"]))
    model = Composition(config)
    make_models.fill(model, spec["seed"], make_models.quiet_ids(ids))
    state = {name: tensor.to(spec["dtype"]).contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    tiny_tokenizer.dump(folder / "config.json", document)
    eos = ids["<end_of_utterance>"]
    tiny_tokenizer.dump(folder / "generation_config.json", {"bos_token_id": 0, "eos_token_id": eos,
                                                            "pad_token_id": ids["<|im_end|>"]})
    tiny_tokenizer.write(tokenizer, folder, make_models.CHAT_TEMPLATE)
    make_models.write_processor(dict(spec, single_preprocessor=True), folder)
    settings = json.loads((folder / "processor_config.json").read_text())
    for key in ("image_mean", "image_std"):
        settings["image_processor"][key] = spec.get(key, settings["image_processor"][key])
    tiny_tokenizer.dump(folder / "processor_config.json", settings)


class SwapOracle(Oracle):
    """Oracle over a composition instead of a model class of transformers."""

    def __init__(self, folder):
        check_versions()
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        self.folder = str(folder)
        state = load_file(folder / "model.safetensors")
        document = json.loads((folder / "config.json").read_text())
        document["align_bias"] = "model.hidden_align.proj.bias" in state
        self.model = Composition(composition_config(document)).eval()
        self.model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        self.processor = self._load_processor()
        self.eos = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]

    def _prefill(self, inputs):
        core = self.model.model
        pixels = inputs["pixel_values"][0]
        seen = {"pixel_values": pixels, "input_ids": inputs["input_ids"][0],
                "pixel_attention_mask": inputs["pixel_attention_mask"][0].to(torch.uint8)}
        features = core.vision_model(pixels).last_hidden_state
        seen["vision_position_ids"] = core.vision_model.embeddings.position_ids.expand(len(pixels), -1)
        if isinstance(core.vision_model, CLIPVisionModel):
            features = features[:, 1:]  # the class token is no patch
        seen["vision_last_hidden_state"] = features
        seen["connector_output"] = core.connector(features)
        rows = seen["connector_output"]
        if hasattr(core, "hidden_align"):
            rows = core.hidden_align["proj"](rows)
        seen["image_rows"] = rows.flatten(0, 1)
        embeds = core.text_model.embed_tokens(seen["input_ids"])
        embeds[seen["input_ids"] == self.model.config.image_token_id] = seen["image_rows"]
        seen["inputs_embeds"] = embeds
        seen["logits"] = self.model.causal()(inputs_embeds=embeds[None]).logits[0]
        return seen

    def record(self, inputs, max_new_tokens):
        with torch.no_grad():
            tensors = self._prefill(inputs)
            result = self.model.causal().generate(
                inputs_embeds=tensors["inputs_embeds"][None], do_sample=False, max_new_tokens=max_new_tokens,
                eos_token_id=self.eos, return_dict_in_generate=True, output_logits=True)
        generated = result.sequences[0]
        best = [torch.topk(step[0].float(), 2).values for step in result.logits]
        decode = self.processor.tokenizer.decode
        tensors["generated_ids"] = generated
        return tensors, {
            "generated_text": decode(generated, skip_special_tokens=True, clean_up_tokenization_spaces=False),
            "generated_text_with_special": decode(generated, skip_special_tokens=False,
                                                  clean_up_tokenization_spaces=False),
            "min_margin": min(float(two[0] - two[1]) for two in best),
            "stopped_at_eos": len(generated) < max_new_tokens,
        }


def make_golden(name, spec, data, max_new_tokens=64):
    oracle = SwapOracle(data / "models" / name)
    prompt, pictures, options = spec["question"]
    paths = [data / "pictures" / picture for picture in pictures]
    *texts, inputs, tiles = oracle.prepare(prompt, paths, None, options)
    tensors, facts = oracle.record(inputs, max_new_tokens)
    check_tiles(oracle, tiles, tensors["pixel_values"])
    tensors["pixel_values_u8"] = torch.from_numpy(tiles)
    question = {"prompt": prompt, "images": [f"../../pictures/{picture}" for picture in pictures], "options": options}
    folder = data / "goldens" / name
    write_golden(folder, tensors, document_for(name, question, texts, facts, max_new_tokens), keep_pixels=False)
    (folder / "trace.safetensors").chmod(0o644)
    size = sum(path.stat().st_size for path in folder.iterdir())
    return (f"L={len(tensors['input_ids'])} N={len(tensors['pixel_values'])} n={len(tensors['generated_ids'])}"
            f" distinct={len(set(tensors['generated_ids'].tolist()))} min_margin={facts['min_margin']:.5f} bytes={size}")


def main():
    parser = argparse.ArgumentParser(description="Makes models with a swapped tower, and their goldens.")
    parser.add_argument("-d", "--data", type=pathlib.Path, required=True, help="test data folder")
    parser.add_argument("--only", choices=sorted(SWAPS), help="make this one only")
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(1)
    for name, spec in SWAPS.items():
        if arguments.only in (None, name):
            write_model(spec, arguments.data / "models" / name)
            print(name, make_golden(name, spec, arguments.data))


if __name__ == "__main__":
    main()
