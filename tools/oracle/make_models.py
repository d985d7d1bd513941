# Writes the tiny random checkpoints that the parity tests run on.
# In: an output folder. Out: one Hugging Face directory per entry of MODELS, the same bytes on every run.
# Weights are drawn so that no station is degenerate: attention is not uniform, norms and biases are not the
# identity, and the two best logits are far enough apart for greedy decoding to be compared token by token.
# Usage: python tools/oracle/make_models.py -o tests/data/models [--only NAME]

import argparse
import json
import math
import pathlib

import torch
from transformers import AutoModelForImageTextToText, Idefics3Config, PreTrainedTokenizerFast, SmolVLMConfig
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

import tiny_tokenizer
import versions
from reference import check_versions

CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)

MODELS = {
    # SmolVLM-256M in small: 16x16 patches, unshuffle 4 -> 16 rows a tile, up to 4x4 tiles, untied head, 5.x spelling.
    "smolvlm_tiles": {
        "seed": 2,
        "vocab": 512,
        "scale": 4,
        "vision": dict(hidden_size=32, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
                       image_size=64, patch_size=4),
        "text": dict(hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4,
                     num_key_value_heads=2, max_position_embeddings=2048, rope_theta=100000.0),
        "longest_edge": 256,
        "dtype": torch.bfloat16,
    },
    # SmolVLM 2.2B in small: 27x27 patches from an image with a remainder pixel (55 = 27 * 2 + 1), unshuffle 3 ->
    # 81 rows, multi-head attention without grouping, no tile tags in the tokenizer.
    "grid27_scale3": {
        "seed": 2,
        "vocab": 420,
        "scale": 3,
        "image_tags": False,
        "vision": dict(hidden_size=40, intermediate_size=72, num_hidden_layers=2, num_attention_heads=4,
                       image_size=55, patch_size=2),
        "text": dict(hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                     num_key_value_heads=4, max_position_embeddings=2048, rope_theta=273768.0),
        "longest_edge": 220,
        "dtype": torch.float32,
        "single_preprocessor": True,
    },
    # Idefics3-8B in small: 26x26 patches, unshuffle 2 -> 169 rows, one KV head for three, an odd number of layers.
    "grid26_scale2_partial": {
        "seed": 3,
        "vocab": 440,
        "scale": 2,
        "vision": dict(hidden_size=36, intermediate_size=70, num_hidden_layers=3, num_attention_heads=3,
                       image_size=52, patch_size=2),
        "text": dict(hidden_size=48, intermediate_size=100, num_hidden_layers=2, num_attention_heads=3,
                     num_key_value_heads=1, max_position_embeddings=2048, rope_theta=500000.0),
        "longest_edge": 104,
        "dtype": torch.float32,
    },
    # Tied head and the spelling of transformers 4.x, as directories on the hub still have it.
    "tied_head": {
        "seed": 19,
        "vocab": 480,
        "scale": 2,
        "tied": True,
        "smolvlm": True,
        "vision": dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                       image_size=48, patch_size=6),
        "text": dict(hidden_size=64, intermediate_size=120, num_hidden_layers=3, num_attention_heads=4,
                     num_key_value_heads=2, max_position_embeddings=1024, rope_theta=10000.0),
        "longest_edge": 144,
        "dtype": torch.bfloat16,
        "old_spelling": True,
    },
    # A 25x25 grid, where the position ids of a full tile are not the identity, unshuffle 5, Llama 3's rotary scaling
    # (one frequency kept, one blended, the rest slowed), heads wider than hidden_size / heads, two end-of-text ids.
    "grid25_llama3": {
        "seed": 4,
        "vocab": 400,
        "image_tags": False,
        "scale": 5,
        "vision": dict(hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
                       image_size=100, patch_size=4),
        "text": dict(hidden_size=40, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, head_dim=12,
                     num_key_value_heads=2, max_position_embeddings=512,
                     rope_parameters=dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
                                          high_freq_factor=4.0, original_max_position_embeddings=64)),
        "longest_edge": 200,
        "dtype": torch.float32,
        "two_eos": True,
    },
}
# The same weights as smolvlm_tiles in several files with an index; its goldens hold for both.
MODELS["sharded"] = {**MODELS["smolvlm_tiles"], "shard_size": "200KB"}


# Attention looks at few rows and carries much from them: random decoders with softer attention repeat themselves.
GAINS = {"q_proj": 2.0, "k_proj": 2.0, "v_proj": 1.5}


def fill(model, seed, quiet_rows=(), logit_std=2.0, gains=None):
    """Draws every parameter of a model from one seed, in the order of the sorted names.

    Linear maps keep the size of what they are given; norms and biases differ from 1 and 0. The rows of the head
    for quiet_rows (special tokens other than end-of-text) are made small, so that greedy decoding speaks text.
    gains: factors on the maps whose names hold the key, GAINS unless given.
    """
    generator = torch.Generator().manual_seed(seed)
    tied = model.config.tie_word_embeddings
    width = model.config.get_text_config().hidden_size
    head_std = logit_std / math.sqrt(width)

    def std_of(name, parameter):
        if name.endswith("lm_head.weight"):
            return head_std
        if name.endswith("embed_tokens.weight"):
            return head_std if tied else 1.0
        if "position_embedding" in name:
            return 0.5
        gain = next((value for part, value in (gains or GAINS).items() if part in name), 1.0)
        if "modality_projection" in name and tied:
            gain = head_std  # image rows as large as the tied embeddings
        return gain / math.sqrt(parameter[0].numel())

    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 1:
                base = 1.0 if "norm" in name and name.endswith("weight") else 0.0
                parameter.copy_(base + 0.15 * noise)
            else:
                parameter.copy_(noise * std_of(name, parameter))
        if quiet_rows and not tied:
            model.lm_head.weight[list(quiet_rows)] *= 0.1


def config_for(spec, ids):
    """The typed configuration of one entry of MODELS. ids: token text -> id."""
    text = dict(spec["text"])
    if "rope_theta" in text:
        text["rope_parameters"] = {"rope_type": "default", "rope_theta": text.pop("rope_theta")}
    text.update(model_type="llama", vocab_size=spec["vocab"], rms_norm_eps=1e-5, hidden_act="silu",
                pad_token_id=ids["<|im_end|>"], bos_token_id=1, eos_token_id=2)
    kind = SmolVLMConfig if spec.get("smolvlm") else Idefics3Config
    tied = spec.get("tied", False)
    return kind(
        text_config={**text, "tie_word_embeddings": tied},
        vision_config=dict(spec["vision"], hidden_act="gelu_pytorch_tanh", layer_norm_eps=1e-6),
        scale_factor=spec["scale"],
        image_token_id=ids["<image>"],
        pad_token_id=ids["<|im_end|>"],
        tie_word_embeddings=tied,
    )


def quiet_ids(ids):
    """Ids that greedy decoding should not prefer: special tokens but the last one, and bytes that are not ASCII."""
    specials = tiny_tokenizer.BASE_SPECIALS + tiny_tokenizer.IMAGE_TAGS + tiny_tokenizer.MEDIA_TOKENS[:2]
    return [ids[text] for text in specials if text in ids] + [
        number for text, number in ids.items() if len(text) == 1 and not text.isascii() and text != "\u0120"
    ]


def write_model(name, spec, folder):
    """Writes the directory of one entry of MODELS."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer.build(spec["vocab"], spec.get("image_tags", True))
    ids = tokenizer.get_vocab()
    model = AutoModelForImageTextToText.from_config(config_for(spec, ids))
    fill(model, spec["seed"], quiet_ids(ids))
    model.to(spec["dtype"])
    eos = ids["<end_of_utterance>"]
    if spec.get("two_eos"):
        eos = [eos, ids["<|im_end|>"]]
    generation = dict(bos_token_id=0, eos_token_id=eos, pad_token_id=ids["<|im_end|>"])
    for key, value in generation.items():
        setattr(model.generation_config, key, value)
    model.save_pretrained(folder, max_shard_size=spec.get("shard_size", "1GB"))
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
    old = spec.get("old_spelling", False)
    tiny_tokenizer.write(tokenizer, folder, CHAT_TEMPLATE, old)
    write_processor(spec, folder)
    if old:
        respell(folder, spec)


def write_processor(spec, folder):
    """Writes processor_config.json and, unless single_preprocessor, preprocessor_config.json.

    transformers 5 nests the image processor in processor_config.json and writes no second file;
    directories made before it have both. Both forms occur here.
    """
    side = spec["vision"]["image_size"]
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": spec["longest_edge"]}, max_image_size={"longest_edge": side},
        image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5],
    )
    rows = (side // spec["vision"]["patch_size"]) ** 2 // spec["scale"] ** 2
    keep = {path: path.read_bytes() for path in folder.iterdir() if path.name.startswith(("token", "special", "chat"))}
    processor = Idefics3Processor(images, PreTrainedTokenizerFast.from_pretrained(folder), image_seq_len=rows)
    processor.save_pretrained(folder)
    for path, data in keep.items():
        path.write_bytes(data)  # the hub's spelling of the tokenizer files stays
    if not spec.get("single_preprocessor"):
        images.save_pretrained(folder)


def respell(folder, spec):
    """Rewrites the JSON files of a directory in the spelling of transformers 4.46, as the hub has it."""
    config = json.loads((folder / "config.json").read_text())
    text = config["text_config"]
    old_text = {
        "_name_or_path": "None",
        "architectures": ["VLlama3ForCausalLM"],
        "head_dim": text["head_dim"],
        "hidden_size": text["hidden_size"],
        "intermediate_size": text["intermediate_size"],
        "is_llama_config": True,
        "max_position_embeddings": text["max_position_embeddings"],
        "model_type": "llama",
        "num_attention_heads": text["num_attention_heads"],
        "num_hidden_layers": text["num_hidden_layers"],
        "num_key_value_heads": text["num_key_value_heads"],
        "pad_token_id": text["pad_token_id"],
        "pixel_shuffle_factor": spec["scale"],
        "qk_layer_norms": False,
        "rms_norm_eps": 1e-05,
        "rope_interleaved": False,
        "rope_theta": text["rope_parameters"]["rope_theta"],
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_resampler": False,
        "vocab_size": text["vocab_size"],
    }
    old = {
        "architectures": config["architectures"],
        "image_token_id": config["image_token_id"],
        "model_type": config["model_type"],
        "pad_token_id": text["pad_token_id"],
        "scale_factor": spec["scale"],
        "text_config": old_text,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.46.0",
        "use_cache": True,
        "vision_config": {
            **spec["vision"],
            "max_image_size": {"longest_edge": spec["vision"]["image_size"]},
            "model_type": "smolvlm_vision",
            "size": {"longest_edge": spec["longest_edge"]},
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
            "use_base_siglip": False,
        },
        "vocab_size": text["vocab_size"],
    }
    tiny_tokenizer.dump(folder / "config.json", old)
    rows = (spec["vision"]["image_size"] // spec["vision"]["patch_size"]) ** 2 // spec["scale"] ** 2
    tiny_tokenizer.dump(
        folder / "processor_config.json", {"image_seq_len": rows, "processor_class": "SmolVLMProcessor"}
    )
    images = {
        "do_convert_rgb": True,
        "do_image_splitting": True,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "SmolVLMImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "max_image_size": {"longest_edge": spec["vision"]["image_size"]},
        "processor_class": "SmolVLMProcessor",
        "resample": 1,
        "rescale_factor": 0.00392156862745098,
        "size": {"longest_edge": spec["longest_edge"]},
    }
    tiny_tokenizer.dump(folder / "preprocessor_config.json", images)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder that gets one folder a model")
    parser.add_argument("--only", choices=sorted(MODELS), help="make this one only")
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(1)
    for name, spec in MODELS.items():
        if arguments.only in (None, name):
            write_model(name, spec, arguments.output / name)
            size = sum(path.stat().st_size for path in (arguments.output / name).iterdir())
            print(f"{name}: {size} bytes")


if __name__ == "__main__":
    main()
