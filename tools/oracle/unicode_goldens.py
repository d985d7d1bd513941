# What the reference does with every code point of the planes that have characters, so that ids cannot depend on the
# Unicode tables of a distribution.
# In: --out FOLDER (tests/data/text). Out: FOLDER/unicode.json: steps as a tokenizer file has them, and for each step a
# hash of what it makes of each block of code points, within three contexts. Reference: tokenizers 0.23.3.

import argparse
import json
import pathlib

import tokenizers
from text_goldens import GPT2, LLAMA3, ONE_DIGIT, POSSESSIVE

O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s+",
])
# Other elements of expressions: scripts, properties, brackets, borders, case.
OTHERS = r"[\p{Han}&&[^\p{N}]]+|\p{Hiragana}|(?i:[k-s])+\b|[[:punct:]]|[[:alpha:]&&[^\p{L}]]|\w+?\B|[[:upper:]]|\d|\p{Thai}"

BLOCK = 4096
# Planes 4 to 13 have no characters, 15 and 16 are for private use.
POINTS = [*range(0xD800), *range(0xE000, 0x40000), *range(0xE0000, 0xE1000), *range(0xF0000, 0xF0010), 0x10FFFD]


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def bert(**on):
    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    return {"type": "BertNormalizer", **off, **on}


PRE_TOKENIZERS = [
    *[split(p) for p in (GPT2, LLAMA3, ONE_DIGIT, POSSESSIVE, O200K, OTHERS)],
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    {"type": "Digits", "individual_digits": False},
    {"type": "Punctuation", "behavior": "Contiguous"},
    {"type": "Whitespace"},
    {"type": "WhitespaceSplit"},
    {"type": "BertPreTokenizer"},
]
NORMALIZERS = [
    *[{"type": name} for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt")],
    {"type": "Strip", "strip_left": True, "strip_right": True},
    bert(clean_text=True, handle_chinese_chars=True),
    bert(strip_accents=True, lowercase=True),
]


def contexts(c):
    return f"{c}s a{c}b {c}1 {c}'{c}\n{c}A{c}"


def fnv1a(data, state):
    for byte in data:
        state = (state ^ byte) * 0x01000193 & 0xFFFFFFFF
    return state


def hashes(outcome):
    """One hash for each block that has code points, in order."""
    blocks = {}
    for point in POINTS:
        state = blocks.get(point // BLOCK, 0x811C9DC5)
        blocks[point // BLOCK] = fnv1a(outcome(contexts(chr(point))).encode(), state)
    return " ".join(f"{value:08x}" for value in blocks.values())


def step_of(kind, description):
    document = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
                "pre_tokenizer": None, "post_processor": None, "decoder": None,
                "model": {"type": "BPE", "vocab": {}, "merges": []}, kind: description}
    return getattr(tokenizers.Tokenizer.from_str(json.dumps(document)), kind)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    cases = []
    for description in PRE_TOKENIZERS:
        step = step_of("pre_tokenizer", description)
        pieces = lambda text: "\x1f".join(piece for piece, _ in step.pre_tokenize_str(text))
        cases.append({"pre_tokenizer": description, "hashes": hashes(pieces)})
    for description in NORMALIZERS:
        step = step_of("normalizer", description)
        cases.append({"normalizer": description, "hashes": hashes(step.normalize_str)})
    document = {"block": BLOCK, "cases": cases}
    (out / "unicode.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
