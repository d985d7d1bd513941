# Makes small tokenizers of every model family and what AutoTokenizer does with their directories.
# In: --out FOLDER (tests/data/text). Out: FOLDER/families/NAME/ (the files as they lie on the hub, trained on the
# text of text_goldens.py), FOLDER/families/NAME.golden.json and FOLDER/families/texts.json.
# Reference: transformers 5.18.0 AutoTokenizer, with the packages sentencepiece and protobuf installed beside it.

import argparse
import io
import json
import pathlib
import random
import shutil

import sentencepiece
from text_goldens import CORPUS, GPT2, LLAMA3, STRINGS
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer
from transformers.utils import logging

TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPACE = "\u2581"

TEXTS = STRINGS + [
    "a   1  22   333 x9  y",
    "if x:\n        return 10\n\tif y:  2",
    "\u2581a \u2581\u2581b\u2581",
    "<s>[INST] Hello [/INST] Hi</s><s>[INST] Again [/INST]",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>",
    "<start_of_turn>user\nHi<end_of_turn>\n<bos><eos><pad>",
    "</s>a</s> b <unk>c <pad> d",
    "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u03a3 \u03a3\u0391\u03a3. \u03a3\u0391\u03a3' A\u03a3\u0130",
    "a photo of a Cat! (really?) ... 50% off_season #1",
    "\u00a0\u1680non\u2003breaking\u3000spaces\x1c\x1dhere\x85",
    "\u00a8\u00b4 \ufdfa \ufb01 \u2163 \u33a1 \u1e9b\u0323 \uff76\uff9e",
    "\u0000nul\u0000",
    "the" * 40 + "in" * 40,
]
NAMES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def sentencepiece_file(**options):
    """A SentencePiece file trained on CORPUS."""
    out = io.BytesIO()
    lines = [line for text in CORPUS for line in text.split("\n") if line] * 4
    defaults = {"character_coverage": 0.99, "hard_vocab_limit": False, "minloglevel": 2, "num_threads": 1}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, **{**defaults, **options}
    )
    return out.getvalue()


def bpe_file(**options):
    defaults = {
        "model_type": "bpe",
        "vocab_size": 620,
        "byte_fallback": True,
        "split_digits": True,
        "allow_whitespace_only_pieces": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
    }
    return sentencepiece_file(**{**defaults, **options})


def small_rules():
    """A normalization table of a few rules, so that the file stays small: (from, to) in hexadecimal."""
    rules = [("FB01", "66 69"), ("2163", "49 56"), ("A0", "20"), ("3000", "20"), ("2581", "20"), ("A", "20"), ("9", "20")]
    rules += [("41 30A", "C5"), ("65 301", "E9"), ("200B", ""), ("FF21", "41"), ("A8", "20 308")]
    path = pathlib.Path("small_rules.tsv")
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rules))
    return path


def token(content, **flags):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False} | flags


def decoder_map(tokens, special=True):
    return {str(i): token(content, special=special) for i, content in tokens}


def text_of(tokenizer):
    return json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n"


def byte_level(pre, specials, vocab=440, **model):
    """A byte-level BPE tokenizer.json; model: options of the model beside vocab and merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS * 2, trainer)
    data = json.loads(tokenizer.to_str())
    data["model"].update(model)
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in specials])
    return tokenizer


def split(expression, invert=False, behavior="isolated"):
    return pre_tokenizers.Split(Regex(expression), behavior=behavior, invert=invert)


def plain_bytes():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def digits_and_words():
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )


def start_token(tokenizer, text):
    """The post-processor that puts a start token in front."""
    return processors.TemplateProcessing(
        single=f"{text} $A", pair=f"{text} $A {text}:1 $B:1", special_tokens=[(text, tokenizer.token_to_id(text))]
    )


def converted(data, folder, **config):
    """The tokenizer.json that the reference writes for a SentencePiece file."""
    shutil.rmtree(folder, ignore_errors=True)
    write(folder, {"tokenizer.model": data}, {**NAMES, **config}, None)
    return json.loads(AutoTokenizer.from_pretrained(folder)._tokenizer.to_str())


def llama2_json(folder):
    """Llama 2's tokenizer.json as converters wrote it: a "\u2581" in front of every part, spaces replaced."""
    data = converted(bpe_file(), folder, tokenizer_class="LlamaTokenizer")
    data["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        ],
    }
    data["pre_tokenizer"] = None
    data["model"]["unk_token"] = "<unk>"
    data["post_processor"] = json.loads(
        start_token(Tokenizer.from_str(json.dumps(data)), "<s>").__getstate__().decode()
    )
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"


def gemma_json(folder):
    controls = ["<pad>", "<eos>", "<bos>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    data = bpe_file(
        control_symbols=controls[3:], pad_id=0, eos_id=1, bos_id=2, unk_id=3,
        pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>", add_dummy_prefix=False,
    )  # fmt: skip
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"}
    document = converted(data, folder, tokenizer_class="GemmaTokenizer", **names)
    return document, names


def unigram_json():
    """A Unigram tokenizer.json of T5's kind."""
    tokenizer = Tokenizer(models.Unigram())
    rules = sentencepiece_file(model_type="unigram", vocab_size=300, normalization_rule_tsv=str(small_rules()))
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto.FromString(rules)
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
            normalizers.Strip(left=False, right=True),
            normalizers.Replace(Regex(" {2,}"), SPACE),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=420, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return text_of(tokenizer)


def families(scratch):
    """Yields (name, files, tokenizer_config, model_type)."""
    bpe = bpe_file()
    llama = {**NAMES, "tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False}
    yield "llama2_model", {"tokenizer.model": bpe}, llama, "llama"
    own = bpe_file(user_defined_symbols=["<img>", "the"], control_symbols=["<x9>"], vocab_size=560)
    yield "llama2_legacy", {"tokenizer.model": own}, {**llama, "legacy": True, "add_eos_token": True}, "llama"
    document = llama2_json(scratch)
    yield "llama2_json", {"tokenizer.json": document}, {**llama, "legacy": False}, "llama"
    vicuna = {**llama, "pad_token": "<pad>", "padding_side": "left"}
    vicuna["added_tokens_decoder"] = decoder_map(
        [(0, "<unk>"), (1, "<s>"), (2, "</s>"), (620, "<image>"), (621, "<pad>")]
    )
    yield "vicuna_next", {"tokenizer.json": document}, vicuna, "llava_next"
    lists = {"special_tokens_map.json": {"pad_token": "<pad>", "additional_special_tokens": ["<img>", "<x9>"]}}
    lists["added_tokens.json"] = {"<row>": 621, "<img>": 620}
    old = {name: json.dumps(value) for name, value in lists.items()}
    yield "llama2_added", {"tokenizer.model": bpe, **old}, llama, "llama"
    yield "mistral_model", {"tokenizer.model": bpe}, llama, "mistral"
    controls = ["[INST]", "[/INST]", "[TOOL_CALLS]"]
    data = converted(bpe_file(control_symbols=controls), scratch, tokenizer_class="LlamaTokenizer", add_bos_token=True)
    yield "mistral_v3", {"tokenizer.json": json.dumps(data, ensure_ascii=False)}, llama, "mistral"
    tokens = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    tekken = byte_level(pre_tokenizers.Sequence([split(TEKKEN), plain_bytes()]), tokens, ignore_merges=True)
    tekken.post_processor = start_token(tekken, "<s>")
    fast = {**NAMES, "tokenizer_class": "PreTrainedTokenizerFast"}
    yield "tekken", {"tokenizer.json": text_of(tekken)}, fast, "mistral"
    tokens = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    llama3 = byte_level(pre_tokenizers.Sequence([split(LLAMA3), plain_bytes()]), tokens, ignore_merges=True)
    start = start_token(llama3, "<|begin_of_text|>")
    llama3.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), start])
    config = {"bos_token": tokens[0], "eos_token": tokens[4], "tokenizer_class": "PreTrainedTokenizerFast"}
    yield "llama3", {"tokenizer.json": text_of(llama3)}, config, "llama"
    yield from byte_families()
    yield from fixed_length_families(scratch)


def byte_families():
    """SmolLM2, SmolVLM, Granite: byte-level vocabularies that name GPT-2's class."""
    chat = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    media = ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    config = {"bos_token": chat[1], "eos_token": chat[2], "unk_token": chat[0], "pad_token": chat[2]}
    config |= {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False}
    words = byte_level(split(GPT2), chat, vocab=460)  # numbers of several digits are in this vocabulary
    data = json.loads(words.to_str())
    data["pre_tokenizer"] = json.loads(digits_and_words().__getstate__().decode())
    data["decoder"] = json.loads(decoders.ByteLevel().__getstate__().decode())
    smollm = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    tokens = byte_level(pre_tokenizers.Sequence([split(GPT2), plain_bytes()]), chat + media, vocab=460)
    data = json.loads(tokens.to_str())
    data["pre_tokenizer"] = json.loads(digits_and_words().__getstate__().decode())
    smolvlm = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    yield "smollm2", {"tokenizer.json": smollm}, config, "llama"
    image = {**config, "additional_special_tokens": media, "image_token": "<image>"}
    yield "smolvlm_2b", {"tokenizer.json": smolvlm}, image, "idefics3"
    yield "smolvlm2", {"tokenizer.json": smolvlm}, image, "smolvlm"
    granite = byte_level(digits_and_words(), ["<|end_of_text|>", "<fim_prefix>", "<|start_of_role|>", "<|end_of_role|>"])
    config = {"bos_token": "<|end_of_text|>", "eos_token": "<|end_of_text|>", "pad_token": "<|end_of_text|>"}
    config |= {"unk_token": "<|end_of_text|>", "tokenizer_class": "GPT2Tokenizer", "add_bos_token": False}
    config["added_tokens_decoder"] = {
        **decoder_map([(440, "<|end_of_text|>"), (441, "<fim_prefix>"), (442, "<|start_of_role|>")]),
        **decoder_map([(443, "<|end_of_role|>"), (444, "<image>"), (445, "<tool_call>")]),
    }
    yield "granite3", {"tokenizer.json": text_of(granite)}, config, "granite"
    docling = byte_level(pre_tokenizers.Sequence([split(LLAMA3), plain_bytes()]), chat + media + ["<loc_0>", "<doctag>"])
    names = {"bos_token": chat[1], "eos_token": chat[2], "pad_token": chat[2], "unk_token": chat[0]}
    yield "docling", {"tokenizer.json": text_of(docling)}, {**names, "tokenizer_class": "GPT2Tokenizer"}, "idefics3"
    named = {**names, "tokenizer_class": "PreTrainedTokenizerFast"}
    # As the hub has them: the added tokens listed in the config as well, with their flags.
    listed = {"added_tokens_decoder": decoder_map([(460 + i, text) for i, text in enumerate(chat + media)])}
    yield "smolvlm_hub", {"tokenizer.json": smolvlm}, {**image, **listed}, "idefics3"
    listed = {"added_tokens_decoder": decoder_map([(460 + i, text) for i, text in enumerate(chat)])}
    hub = {**names, **listed, "additional_special_tokens": chat[1:], "tokenizer_class": "GPT2Tokenizer"}
    yield "smollm2_hub", {"tokenizer.json": smollm}, {**hub, "add_prefix_space": False}, "llama"
    yield "docling_as_is", {"tokenizer.json": text_of(docling)}, named, "idefics3"


def fixed_length_families(scratch):
    """Gemma and the SigLIPs, and Unigram models elsewhere."""
    document, names = gemma_json(scratch)
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.post_processor = start_token(tokenizer, "<bos>")
    gemma = {**names, "tokenizer_class": "GemmaTokenizer"}
    yield "gemma", {"tokenizer.json": text_of(tokenizer)}, gemma, "gemma"
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", pair="$A <eos> $B <eos>", special_tokens=[("<eos>", tokenizer.token_to_id("<eos>"))]
    )
    fixed = {**names, "model_max_length": 64, "padding_side": "right", "add_eos_token": True, "add_bos_token": False}
    siglip2 = text_of(tokenizer)
    yield "siglip2", {"tokenizer.json": siglip2}, {**fixed, "tokenizer_class": "Siglip2Tokenizer"}, "siglip2"
    yield "siglip2_gemma", {"tokenizer.json": siglip2}, {**fixed, "tokenizer_class": "GemmaTokenizer"}, "siglip"
    spiece = sentencepiece_file(model_type="unigram", vocab_size=420)
    config = {"tokenizer_class": "SiglipTokenizer", "model_max_length": 64, "do_lower_case": True}
    yield "siglip", {"spiece.model": spiece}, config, "siglip"
    # As the hub has it: other ids, and tokens that swallow the spaces around them.
    spiece = sentencepiece_file(
        model_type="unigram", vocab_size=420, normalization_rule_tsv=str(small_rules()),
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
    )  # fmt: skip
    wide = {"lstrip": True, "rstrip": True, "special": True}
    config |= {"eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>", "additional_special_tokens": []}
    config["added_tokens_decoder"] = {"1": token("</s>", **wide), "2": token("<unk>", **wide)}
    yield "siglip_hub", {"spiece.model": spiece}, config, "siglip"
    small = sentencepiece_file(
        model_type="unigram", vocab_size=600, normalization_rule_tsv=str(small_rules()), byte_fallback=True,
        user_defined_symbols=["photo of"],
    )  # fmt: skip
    config = {"model_max_length": 64, "do_lower_case": False}
    yield "siglip_bytes", {"spiece.model": small}, config, "siglip"
    fast = {**NAMES, "pad_token": "<pad>", "tokenizer_class": "PreTrainedTokenizerFast"}
    yield "unigram_json", {"tokenizer.json": unigram_json()}, fast, "other"
    yield "unigram_model", {"tokenizer.model": small}, {"add_eos_token": True}, "llama"


def write(folder, files, config, model_type):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    if model_type is not None:
        (folder / "config.json").write_text(json.dumps({"model_type": model_type}) + "\n")


def decoded(tokenizer, lists):
    return [
        {
            "ids": ids,
            "text": tokenizer.decode(ids, skip_special_tokens=False),
            "skipped": tokenizer.decode(ids, skip_special_tokens=True),
        }
        for ids in lists
    ]


def golden_of(tokenizer, name):
    """What the reference does: ids without and with the tokens around a text, decoded text, padded ids."""
    golden = {
        "class": type(tokenizer).__name__,
        "size": len(tokenizer),
        "bos": tokenizer.bos_token or "",
        "eos": tokenizer.eos_token or "",
        "ids": [tokenizer.encode(text, add_special_tokens=False) for text in TEXTS],
        "processed": [tokenizer.encode(text) for text in TEXTS],
    }
    if golden["processed"] == golden["ids"]:
        del golden["processed"]
    if tokenizer.pad_token is not None:
        golden["padded"] = [
            tokenizer(text, padding="max_length", truncation=True, max_length=16)["input_ids"] for text in TEXTS
        ]
    if golden["class"] != "SiglipTokenizer":
        rng = random.Random(name)
        lists = [[rng.randrange(len(tokenizer)) for _ in range(rng.randrange(1, 16))] for _ in range(20)]
        golden["decode"] = decoded(tokenizer, golden["ids"][::5] + lists)
    return golden


def main():
    parser = argparse.ArgumentParser(description="Write the families' tokenizers and their goldens.")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="tests/data/text")
    args = parser.parse_args()
    logging.set_verbosity_error()
    root = args.out / "families"
    shutil.rmtree(root, ignore_errors=True)
    scratch = root / "scratch"
    for name, files, config, model_type in families(scratch):
        write(root / name, files, config, model_type)
        golden = golden_of(AutoTokenizer.from_pretrained(root / name), name)
        (root / f"{name}.golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
        print(f"{name}: {golden['class']}, {golden['size']} ids")
    shutil.rmtree(scratch, ignore_errors=True)
    pathlib.Path("small_rules.tsv").unlink(missing_ok=True)
    (root / "texts.json").write_text(json.dumps(TEXTS, indent=0) + "\n")


if __name__ == "__main__":
    main()
