# Makes the untrained model directory: config, tokenizer, processor files, random weights.
# In: an output directory. Out: the files of an Idefics3 directory that reads DocTags pages, at demo size.
# Usage: make_directory.py OUT_DIR [--seed N]

import argparse
import json
import os

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (GenerationConfig, Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor,
                          PreTrainedTokenizerFast)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from layout import SIDE
from words import forms

PATCH, SCALE = 16, 2
PLACE, SHARP = 64, 1.8  # width of the position embedding at first; how sharply a head looks at a neighbour at first
IMAGE_ROWS = (SIDE // PATCH // SCALE) ** 2
FIRST = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
ELEMENTS = ["doctag", "text", "title", *(f"section_header_level_{n}" for n in range(1, 4)), "page_header", "page_footer",
            "footnote", "caption", "formula", "code", "list_item", "ordered_list", "unordered_list", "picture", "otsl"]
TAGS = ([t for name in ELEMENTS for t in (f"<{name}>", f"</{name}>")] +
        ["<ched>", "<rhed>", "<srow>", "<fcel>", "<ecel>", "<lcel>", "<ucel>", "<xcel>", "<nl>", "<_Python_>"])
PLACES = [f"<loc_{n}>" for n in range(501)]
IMAGE = ["<global-img>", "<fake_token_around_image>", "<image>", "<end_of_utterance>"]
PROMPT = "Convert this page to docling."
MORE = ["\n   ", "\n\n", " (", " =", " ==", " +", " *", " >", " <", "):", "^{", "_{", ")=", ".\n"]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words and single bytes: a piece that is in the vocabulary is one token, any other is spelled."""
    spell = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letter = lambda piece: spell.pre_tokenize_str(piece)
    pieces = FIRST + sorted(pre_tokenizers.ByteLevel.alphabet())
    for piece in forms() + MORE:
        pieces.append("".join(part for part, _ in letter(piece)))
    pieces = list(dict.fromkeys(pieces))
    tokenizer = Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, [], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), spell])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in FIRST + TAGS + PLACES + IMAGE])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<end_of_utterance>",
                                   unk_token="<|endoftext|>", pad_token="<|im_end|>", model_max_length=1024,
                                   additional_special_tokens=IMAGE[1:], padding_side="left",
                                   clean_up_tokenization_spaces=False)


def make_config(tokenizer) -> Idefics3Config:
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
           "pad_token_id": tokenizer.pad_token_id}
    return Idefics3Config(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), scale_factor=SCALE, tie_word_embeddings=False, **ids,
        vision_config={"hidden_size": 192, "intermediate_size": 576, "num_hidden_layers": 6, "num_attention_heads": 4,
                       "image_size": SIDE, "patch_size": PATCH, "hidden_act": "gelu_pytorch_tanh"},
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 192, "intermediate_size": 448,
                     "num_hidden_layers": 5, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 32,
                     "max_position_embeddings": 1024, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
                     "tie_word_embeddings": False, **ids})


def patch_statistics(tokenizer, samples=200):
    """Mean [256] and covariance [256, 256] of the grey pixels (-1..1) of generated patches."""
    from sample import make
    patches = []
    for seed in range(samples):
        pixels, side = make(500_000 + seed, tokenizer).image, SIDE // PATCH
        patches.append(pixels.reshape(side, PATCH, side, PATCH).swapaxes(1, 2).reshape(side * side, -1) / 127.5 - 1)
    patches = np.concatenate(patches)
    return patches.mean(0), np.cov(patches.T)


def frequencies():
    """[PLACE / 4] radians per patch of the position embedding's waves."""
    return torch.pi / 24 * 2 ** torch.linspace(0, 4.5, PLACE // 4)


@torch.no_grad()
def look_around(model):
    """The heads of the first layers begin by looking at a neighbour: a query is the place of a patch, its waves turned
    by the shift, a key the place itself. A letter lies on two to four patches."""
    near = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    shifts = [near, near, [(0, -1), (0, 1), (0, -2), (0, 2)], [(0, -1), (0, 1), (-1, 0), (1, 0)]]
    waves = frequencies()
    used = torch.arange(4, PLACE // 4)  # the slowest waves tell neighbours apart badly
    for layer, heads in zip(model.model.vision_model.encoder.layers, shifts):
        query, key = layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight
        size = query.shape[0] // len(heads)
        for head, shift in enumerate(heads):
            rows = slice(head * size, (head + 1) * size)
            query[rows].mul_(0.2)
            key[rows].mul_(0.2)
            for axis in (0, 1):
                start = query.shape[1] - PLACE + axis * PLACE // 2
                sin, cos = start + used, start + PLACE // 4 + used
                a = head * size + axis * size // 2 + torch.arange(len(used))
                b, turn = a + len(used), waves[used] * shift[axis]
                query[a, sin], query[a, cos] = SHARP * turn.cos(), SHARP * turn.sin()
                query[b, cos], query[b, sin] = SHARP * turn.cos(), -SHARP * turn.sin()
                key[a, sin] = key[b, cos] = SHARP


@torch.no_grad()
def balance(model, tokenizer):
    """Initial weights of matched sizes, as those of the demo model. The patch embedding whitens the largest components of
    the patches; the last PLACE numbers are for the position embedding, a 2-D sine table; the matrices that read the residual stream
    keep its variance, those that write to it start small."""
    mean, covariance = patch_statistics(tokenizer)
    values, vectors = np.linalg.eigh(covariance)
    vision = model.model.vision_model.embeddings
    width = vision.patch_embedding.weight.shape[0]
    whiten = torch.from_numpy((vectors / np.sqrt(values + 0.01)).T[::-1][:width].copy()).float() * 0.7
    whiten[width - PLACE:] = 0
    vision.patch_embedding.weight.copy_((whiten / 3).view(width, 1, PATCH, PATCH).expand(-1, 3, -1, -1))
    vision.patch_embedding.bias.copy_(-whiten @ torch.from_numpy(mean).float())
    side = SIDE // PATCH
    angle = torch.arange(side)[:, None] * frequencies()[None]
    line = torch.cat([angle.sin(), angle.cos()], 1)
    table = torch.cat([line[:, None].expand(-1, side, -1), line[None].expand(side, -1, -1)], 2)
    vision.position_embedding.weight.zero_()
    vision.position_embedding.weight[:, width - PLACE:] = table.reshape(side * side, -1)
    model.get_input_embeddings().weight.normal_(0, 0.5)
    for name, p in model.named_parameters():
        if p.dim() == 2 and any(part in name for part in ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "fc1",
                                                          "modality_projection")):
            p.normal_(0, p.shape[1] ** -0.5)
    look_around(model)


def write_classic_files(out, tokenizer, template, rescale):
    """The processor's files in the layout of the published SmolVLM directories, which every version reads."""
    def write(name, content):
        with open(f"{out}/{name}", "w") as f:
            json.dump(content, f, indent=2)
            f.write("\n")

    edge = {"longest_edge": SIDE}
    write("preprocessor_config.json", {
        "do_convert_rgb": True, "do_image_splitting": False, "do_normalize": True, "do_pad": True, "do_rescale": True,
        "do_resize": True, "image_mean": [0.5] * 3, "image_processor_type": "Idefics3ImageProcessor",
        "image_std": [0.5] * 3, "max_image_size": edge, "processor_class": "Idefics3Processor", "resample": 1,
        "rescale_factor": rescale, "size": edge})
    write("processor_config.json", {"image_seq_len": IMAGE_ROWS, "processor_class": "Idefics3Processor"})
    write("chat_template.json", {"chat_template": template})
    named = {"bos_token": tokenizer.bos_token, "eos_token": tokenizer.eos_token, "pad_token": tokenizer.pad_token,
             "unk_token": tokenizer.unk_token}
    write("special_tokens_map.json", {"additional_special_tokens": IMAGE[1:], **named})
    write("tokenizer_config.json", {
        "add_prefix_space": False, "additional_special_tokens": IMAGE[1:], **named, "clean_up_tokenization_spaces": False,
        "model_max_length": tokenizer.model_max_length, "padding_side": "left", "processor_class": "Idefics3Processor",
        "tokenizer_class": "PreTrainedTokenizerFast"})
    os.remove(f"{out}/chat_template.jinja")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("out")
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    torch.manual_seed(args.seed)
    template = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                           "../../models/demo/chat_template.json")))["chat_template"]
    tokenizer = make_tokenizer()
    images = Idefics3ImageProcessorPil(size={"longest_edge": SIDE}, max_image_size={"longest_edge": SIDE}, resample=1,
                                       do_image_splitting=False, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    model = Idefics3ForConditionalGeneration(make_config(tokenizer))
    balance(model, tokenizer.backend_tokenizer)
    model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(bos_token_id=tokenizer.bos_token_id, max_new_tokens=320,
                                               eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(args.out)
    Idefics3Processor(images, tokenizer, image_seq_len=IMAGE_ROWS, chat_template=template).save_pretrained(args.out)
    write_classic_files(args.out, tokenizer, template, images.rescale_factor)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, vocabulary {len(tokenizer)}")


if __name__ == "__main__":
    main()
