# Builds the small byte-level BPE tokenizers of the tiny checkpoints.
# In: nothing but the sentences generated here. Out: a tokenizers.Tokenizer with the pre-tokenizer and the
# special tokens of SmolLM2 / SmolVLM, so that tokenizer.json has the same fields as the one on the hub.
# Reference: tokenizer.json of SmolVLM-256M-Instruct (digits one by one, GPT-2 regex, byte-level alphabet).

import itertools
import json

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

BASE_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
IMAGE_TAGS = ["<global-img>"] + [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)]
MEDIA_TOKENS = ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]


def corpus():
    """Yields plain sentences about shapes and pictures: enough text to learn a few hundred merges."""
    counts = ["one", "two", "three", "four", "several", "many"]
    colours = ["red", "green", "blue", "yellow", "white", "black", "orange"]
    things = ["circle", "square", "triangle", "star", "cat", "house", "letter", "number", "picture"]
    places = ["on the left", "on the right", "at the top", "at the bottom", "in the middle"]
    for count, colour, thing, place in itertools.product(counts, colours, things, places):
        yield f"There is {count} {colour} {thing} {place} of the image."
        yield f"User: What is in this image? Assistant: I can see {count} {colour} {thing}s {place}."
    for thing in things:
        yield f"How many {thing}s are there? What colour is the {thing}? Where is the {thing}?\n\n"
        yield f"Describe the {thing} in detail, please. It's 12 by 345 pixels; the year is 2024."
    for other in ["dog", "bird", "table", "window", "garden", "mountain", "river", "bicycle", "apple", "banana"]:
        yield f"Next to the {other} stands another {other}, larger than the first {other} and brighter too."
        yield f"Is the {other} smaller or darker? Read the number written below the {other}, then answer briefly."
    yield "System: You are a helpful assistant. User: Compare the two images.\nAssistant: Both are small."


def build(vocab_size, image_tags=True):
    """Trains a tokenizer of vocab_size ids in all; image_tags=False leaves out <global-img> and <row_r_col_c>."""
    added = (IMAGE_TAGS if image_tags else []) + MEDIA_TOKENS
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(added),
        special_tokens=BASE_SPECIALS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in added])
    if tokenizer.get_vocab_size() != vocab_size:
        raise SystemExit(f"the corpus gave {tokenizer.get_vocab_size()} ids, {vocab_size} were asked for")
    return tokenizer


def write(tokenizer, folder, chat_template, old_spelling=False):
    """Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json as they lie on the hub.

    old_spelling writes each merge as one string "a b" (files made before tokenizers 0.20) instead of a pair,
    and the chat template into chat_template.json; otherwise chat_template.jinja.
    """
    data = json.loads(tokenizer.to_str())
    if old_spelling:
        data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]
    dump(folder / "tokenizer.json", data)
    specials = {
        "bos_token": "<|im_start|>",
        "eos_token": "<end_of_utterance>",
        "pad_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
    }
    extra = ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    decoder = {
        str(token["id"]): {key: value for key, value in token.items() if key != "id"}
        for token in data["added_tokens"]
    }
    config = {
        "add_prefix_space": False,
        "added_tokens_decoder": decoder,
        "additional_special_tokens": extra,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
        "processor_class": "Idefics3Processor",
        "tokenizer_class": "PreTrainedTokenizerFast",
        "truncation_side": "left",
        **specials,
    }
    dump(folder / "tokenizer_config.json", config)
    dump(folder / "special_tokens_map.json", {"additional_special_tokens": extra, **specials})
    if old_spelling:
        dump(folder / "chat_template.json", {"chat_template": chat_template})
    else:
        (folder / "chat_template.jinja").write_text(chat_template)


def dump(path, data):
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
