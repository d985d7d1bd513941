# Writes a directory of the exact shape of SmolVLM-500M, SmolVLM-2.2B or Idefics3-8B-Llama3, with random weights.
# In: SmolLM2-135M-Instruct as GGUF (for the tokenizer only), a shape, a seed; fewer layers where memory is short.
# Out: bf16 tensors and the JSON files. Idefics3's 128,256 text tokens are SmolLM2's and reserved ones behind them.
# Usage: python tools/oracle/make_true_size_family.py --shape 500m --gguf SmolLM2-135M-Instruct.Q4_1.gguf -o DIR
#        [--text-layers N] [--vision-layers N] [--seed N]. Packages: as for make_true_size.py.

import argparse
import math
import pathlib

from make_idefics import IDEFICS3_TEMPLATE, LLAMA3_WORDS, write_tokenizer  # first: it prepares torchvision
import torch
from gguf import GGUFReader
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoModelForImageTextToText, Idefics3Config

import make_models
import tiny_tokenizer
import versions
from make_true_size import CONTROL
from reference import check_versions

SO400M = dict(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16, patch_size=14)
SMOL_NAMES = dict(bos="<|im_start|>", eos="<end_of_utterance>", pad="<|im_end|>")
SHAPES = {
    "500m": dict(
        scale=4, tags=True, reserved=49279 - 49191, longest_edge=2048, names=SMOL_NAMES,
        template=make_models.CHAT_TEMPLATE,
        vision=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                    image_size=512, patch_size=16),
        text=dict(hidden_size=960, intermediate_size=2560, num_hidden_layers=32, num_attention_heads=15,
                  num_key_value_heads=5, head_dim=64, max_position_embeddings=8192, rope_theta=100000.0),
    ),
    "2b": dict(
        scale=3, tags=False, reserved=0, longest_edge=1536, names=SMOL_NAMES, template=make_models.CHAT_TEMPLATE,
        vision=dict(SO400M, image_size=384),
        text=dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=24, num_attention_heads=32,
                  num_key_value_heads=32, head_dim=64, max_position_embeddings=16384, rope_theta=273768.0),
    ),
    "8b": dict(
        scale=2, tags=False, reserved=128256 - 49152 - 2, longest_edge=1456, template=IDEFICS3_TEMPLATE, bos=True,
        names=dict(bos="<|begin_of_text|>", eos="<end_of_utterance>", pad="<|end_of_text|>"), words=LLAMA3_WORDS,
        starts=["<|begin_of_text|>", "<|end_of_text|>"],
        vision=dict(SO400M, image_size=364),
        text=dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
                  num_key_value_heads=8, head_dim=128, max_position_embeddings=131072,
                  rope_parameters=dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
                                       high_freq_factor=4.0, original_max_position_embeddings=8192)),
    ),
}


def build_tokenizer(gguf_path, shape):
    fields = GGUFReader(gguf_path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"].contents()]
    kinds = fields["tokenizer.ggml.token_type"].contents()
    tokenizer = Tokenizer(models.BPE(vocab={text: index for index, text in enumerate(tokens)}, merges=merges))
    if "words" in shape:
        first = pre_tokenizers.Split(Regex(shape["words"]), "isolated")
        bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    else:
        first, bytes_ = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([first, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    added = [text for text, kind in zip(tokens, kinds) if kind == CONTROL] + shape.get("starts", [])
    added += tiny_tokenizer.IMAGE_TAGS if shape["tags"] else []
    reserved = [f"<|reserved_special_token_{index}|>" for index in range(shape["reserved"])]
    media = tiny_tokenizer.MEDIA_TOKENS
    added += media[:2] + reserved + media[2:] if shape["tags"] else reserved + media
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in added])
    if shape.get("bos"):
        start = shape["names"]["bos"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{start} $A", special_tokens=[(start, tokenizer.token_to_id(start))])
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=sorted(SHAPES), required=True)
    parser.add_argument("--gguf", type=pathlib.Path, required=True, help="SmolLM2-135M-Instruct GGUF, for its tokenizer")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--text-layers", type=int)
    parser.add_argument("--vision-layers", type=int)
    parser.add_argument("--seed", type=int, default=1)
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    shape, folder = dict(SHAPES[arguments.shape]), arguments.output
    shape["text"] = dict(shape["text"])
    shape["vision"] = dict(shape["vision"])
    if arguments.text_layers:
        shape["text"]["num_hidden_layers"] = arguments.text_layers
    if arguments.vision_layers:
        shape["vision"]["num_hidden_layers"] = arguments.vision_layers
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = build_tokenizer(arguments.gguf, shape)
    ids = tokenizer.get_vocab()
    names = {key: ids[text] for key, text in shape["names"].items()}
    config = make_models.config_for(dict(shape, vocab=len(ids)), {"<|im_end|>": names["pad"], **ids})
    assert isinstance(config, Idefics3Config)
    torch.set_default_dtype(torch.bfloat16)
    model = AutoModelForImageTextToText.from_config(config)
    quiet = [number for text, number in ids.items() if text.startswith("<|reserved")]
    make_models.fill(model, arguments.seed, quiet)
    for key, value in names.items():
        setattr(model.generation_config, f"{key}_token_id", value)
    model.save_pretrained(folder, max_shard_size="8GB")
    torch.set_default_dtype(torch.float32)
    write_tokenizer(tokenizer, shape, folder)
    make_models.write_processor(shape, folder)
    count = sum(math.prod(tensor.shape) for tensor in model.state_dict().values())
    print(f"{arguments.shape}: {count} parameters, {len(ids)} ids")


if __name__ == "__main__":
    main()
