# Makes the untrained model directory: config, tokenizer, processor files, random weights.
# In: an output directory. Out: the same files as a SmolVLM directory (Idefics3ForConditionalGeneration), at demo size.
# Usage: make_directory.py OUT_DIR [--seed N]

import argparse
import itertools
import json
import os
import random

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (GenerationConfig, Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor,
                          PreTrainedTokenizerFast)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from draw import draw_picture
from scenes import make_layout
from tiles import LONGEST_EDGE, TILE, cut
from vocabulary import (COLOUR_NAMES, PHRASINGS, PLACES, SHAPES, THING_NAMES, WORDS, article, plural)

VOCABULARY = 1024
PATCH, SCALE = 8, 2
IMAGE_ROWS = (TILE // PATCH // SCALE) ** 2
FIRST = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LAST = (["<global-img>"] + [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)] +
        ["<fake_token_around_image>", "<image>", "<end_of_utterance>"])
TEMPLATE = ("<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
            "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
            "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
            "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
            "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}")


def corpus():
    """Text with every phrasing and every answer, names more often than the rest so that each becomes one token."""
    coloured = [f"{c} {s}" for c in COLOUR_NAMES for s in SHAPES]
    names = SHAPES + THING_NAMES + ["shape", "thing", "word", "number"]
    lines = []
    for name in names + coloured:
        fill = {"x": name, "xs": plural(name), "ax": article(name), "c": name.split()[0], "side": "left"}
        lines += [p.format(**fill) for p in itertools.chain(*PHRASINGS.values())]
        lines += [" " + article(name), f" {article(name)} and {article(name)}"]
    for word in names + [plural(n) for n in names] + WORDS + COLOUR_NAMES + list(PLACES.values()) + ["yes", "no"]:
        lines += [" " + word] * 60
    return lines + ["User:", "Assistant:", "User: ", "\n\n", "\n"] * 400


def make_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - len(LAST), special_tokens=FIRST, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in LAST])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<end_of_utterance>",
                                   unk_token="<|endoftext|>", pad_token="<|im_end|>", model_max_length=2048,
                                   additional_special_tokens=["<fake_token_around_image>", "<image>",
                                                              "<end_of_utterance>"],
                                   padding_side="left", clean_up_tokenization_spaces=False)


def make_config(tokenizer) -> Idefics3Config:
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
           "pad_token_id": tokenizer.pad_token_id}
    return Idefics3Config(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), scale_factor=SCALE, tie_word_embeddings=False, **ids,
        vision_config={"hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 4,
                       "image_size": TILE, "patch_size": PATCH, "hidden_act": "gelu_pytorch_tanh"},
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 192, "intermediate_size": 512,
                     "num_hidden_layers": 5, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 32,
                     "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
                     "tie_word_embeddings": False, **ids})


def patch_statistics(samples=400):
    """Mean [192] and covariance [192, 192] of the pixels (-1..1, channel first) of generated patches."""
    patches = []
    for seed in range(samples):
        rng = np.random.default_rng(500_000 + seed)
        canvas, _ = cut(draw_picture(make_layout(rng), rng)[0])
        rows, columns = canvas.shape[0] // PATCH, canvas.shape[1] // PATCH
        blocks = canvas.reshape(rows, PATCH, columns, PATCH, 3).transpose(0, 2, 4, 1, 3)
        patches.append(blocks.reshape(rows * columns, -1) / 127.5 - 1)
    patches = np.concatenate(patches)
    return patches.mean(0), np.cov(patches.T)


@torch.no_grad()
def balance(model):
    """Initial weights of matched sizes: what a token is and where it lies must not drown in what the layers add.
    The patch embedding whitens the patches; the position embedding is a 2-D sine table; token embeddings are near 1;
    the matrices that read the residual stream keep its variance, those that write to it start small."""
    mean, covariance = patch_statistics()
    values, vectors = np.linalg.eigh(covariance)
    whiten = torch.from_numpy((vectors / np.sqrt(values + 0.01)).T[::-1].copy()).float() * 0.7
    vision = model.model.vision_model.embeddings
    vision.patch_embedding.weight.copy_(whiten.view_as(vision.patch_embedding.weight))
    vision.patch_embedding.bias.copy_(-whiten @ torch.from_numpy(mean).float())
    side = TILE // PATCH
    waves = vision.position_embedding.weight.shape[1] // 4
    angle = torch.arange(side)[:, None] * torch.pi / side * 2 ** torch.linspace(-1, 3, waves)[None]
    line = torch.cat([angle.sin(), angle.cos()], 1)
    table = torch.cat([line[:, None].expand(-1, side, -1), line[None].expand(side, -1, -1)], 2)
    vision.position_embedding.weight.copy_(0.5 * table.reshape(side * side, -1))
    model.get_input_embeddings().weight.normal_(0, 0.5)
    for name, p in model.named_parameters():
        if p.dim() == 2 and any(part in name for part in ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "fc1",
                                                          "modality_projection")):
            p.normal_(0, p.shape[1] ** -0.5)


def write_classic_files(out, tokenizer, images):
    """The processor's files in the layout of the published SmolVLM directories, which every version reads."""
    def write(name, content):
        with open(f"{out}/{name}", "w") as f:
            json.dump(content, f, indent=2)
            f.write("\n")

    edge = lambda n: {"longest_edge": n}
    write("preprocessor_config.json", {
        "do_convert_rgb": True, "do_image_splitting": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
        "do_resize": True, "image_mean": [0.5] * 3, "image_processor_type": "Idefics3ImageProcessor",
        "image_std": [0.5] * 3, "max_image_size": edge(TILE), "processor_class": "Idefics3Processor", "resample": 1,
        "rescale_factor": images.rescale_factor, "size": edge(LONGEST_EDGE)})
    write("processor_config.json", {"image_seq_len": IMAGE_ROWS, "processor_class": "Idefics3Processor"})
    write("chat_template.json", {"chat_template": TEMPLATE})
    named = {"bos_token": tokenizer.bos_token, "eos_token": tokenizer.eos_token, "pad_token": tokenizer.pad_token,
             "unk_token": tokenizer.unk_token}
    more = ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    write("special_tokens_map.json", {"additional_special_tokens": more, **named})
    write("tokenizer_config.json", {
        "add_prefix_space": False, "additional_special_tokens": more, **named, "clean_up_tokenization_spaces": False,
        "model_max_length": tokenizer.model_max_length, "padding_side": "left", "processor_class": "Idefics3Processor",
        "tokenizer_class": "PreTrainedTokenizerFast"})
    os.remove(f"{out}/chat_template.jinja")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("out")
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    torch.manual_seed(args.seed)
    random.seed(args.seed)
    tokenizer = make_tokenizer()
    images = Idefics3ImageProcessorPil(size={"longest_edge": LONGEST_EDGE}, max_image_size={"longest_edge": TILE},
                                       resample=1, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    model = Idefics3ForConditionalGeneration(make_config(tokenizer))
    balance(model)
    model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(bos_token_id=tokenizer.bos_token_id, max_new_tokens=32,
                                               eos_token_id=tokenizer.eos_token_id,
                                               pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(args.out)
    Idefics3Processor(images, tokenizer, image_seq_len=IMAGE_ROWS, chat_template=TEMPLATE).save_pretrained(args.out)
    write_classic_files(args.out, tokenizer, images)
    long = [w for w in THING_NAMES + WORDS + SHAPES if len(tokenizer(" " + w)["input_ids"]) > 1]
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, vocabulary {len(tokenizer)}, "
          f"{len(long)} names of more than one token: {long}")


if __name__ == "__main__":
    main()
