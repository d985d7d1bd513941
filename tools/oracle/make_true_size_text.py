# Writes a directory of a text model's exact shape with random weights.
# In: a shape's name, how many of its layers, a model directory whose tokenizer and template are taken over (its ids
# need only be fewer than the shape's). Out: bf16 tensors with the hub's names and the config of the shape. Not for
# the tree: hundreds of megabytes and more.
# Usage: python tools/oracle/make_true_size_text.py --shape llama3.1-8b --layers 2 --tokenizer DIR -o OUT [--window N]
#        [--seed N] [-t THREADS]; then make_text_golden.py and galago verify, README.md says how.

import argparse
import pathlib
import shutil

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GraniteConfig, LlamaConfig, MistralConfig

import make_models
import versions
from reference import check_versions

LLAMA3_ROPE = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=8192)


def plain_rope(theta):
    return dict(rope_type="default", rope_theta=theta)


# The numbers of the hub's config.json files.
SHAPES = {
    "smollm2-135m": (LlamaConfig, dict(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        vocab_size=49152, max_position_embeddings=8192, rms_norm_eps=1e-5, rope_parameters=plain_rope(100000.0),
        tie_word_embeddings=True)),
    "smollm2-1.7b": (LlamaConfig, dict(
        hidden_size=2048, intermediate_size=8192, num_hidden_layers=24, num_attention_heads=32, num_key_value_heads=32,
        vocab_size=49152, max_position_embeddings=8192, rms_norm_eps=1e-5, rope_parameters=plain_rope(130000.0),
        tie_word_embeddings=True)),
    "granite-2b": (GraniteConfig, dict(
        hidden_size=2048, intermediate_size=8192, num_hidden_layers=40, num_attention_heads=32, num_key_value_heads=8,
        vocab_size=49155, max_position_embeddings=131072, rms_norm_eps=1e-5, rope_parameters=plain_rope(300000.0),
        tie_word_embeddings=True, embedding_multiplier=12.0, logits_scaling=8.0, residual_multiplier=0.22,
        attention_multiplier=0.015625)),
    "llama2-7b": (LlamaConfig, dict(
        hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=32,
        vocab_size=32000, max_position_embeddings=4096, rms_norm_eps=1e-5, rope_parameters=plain_rope(10000.0))),
    "llama3.1-8b": (LlamaConfig, dict(
        hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8,
        vocab_size=128256, max_position_embeddings=131072, rms_norm_eps=1e-5, rope_parameters=LLAMA3_ROPE)),
    "mistral-7b": (MistralConfig, dict(
        hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8,
        vocab_size=32000, max_position_embeddings=32768, rms_norm_eps=1e-5, rope_parameters=plain_rope(10000.0),
        sliding_window=4096)),
}
# What Granite's layers add must outweigh 12 times the embedding, or a tied head repeats the last token.
GRANITE = {"logit_std": 16.0,
           "gains": {"q_proj": 6.0, "k_proj": 6.0, "v_proj": 3.0, "o_proj": 80.0, "down_proj": 200.0}}


def write(arguments):
    kind, settings = SHAPES[arguments.shape]
    settings = dict(settings)
    settings["num_hidden_layers"] = arguments.layers or settings["num_hidden_layers"]
    if arguments.window:
        settings["sliding_window"] = arguments.window
    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    config = kind(**settings, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id)
    model = AutoModelForCausalLM.from_config(config)
    make_models.fill(model, arguments.seed, **(GRANITE if kind is GraniteConfig else {}))
    model.to(torch.bfloat16).save_pretrained(arguments.output)
    for path in arguments.tokenizer.iterdir():
        if path.name.startswith(("tokenizer", "special_tokens", "chat_template")):
            shutil.copyfile(path, arguments.output / path.name)
    print(f"{sum(p.numel() for p in model.parameters())} parameters")


def main():
    parser = argparse.ArgumentParser(description="Writes a random text model of a true shape.")
    parser.add_argument("--shape", choices=sorted(SHAPES), required=True)
    parser.add_argument("--layers", type=int, help="this many layers instead of all")
    parser.add_argument("--window", type=int, help="another sliding window")
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True, help="model directory to take it from")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-t", "--threads", type=int, default=1)
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write(arguments)


if __name__ == "__main__":
    main()
