# Makes the goldens of the text station: small tokenizers of every supported kind, and what the reference does with them.
# In: --out FOLDER (tests/data/text). Out: FOLDER/tokenizers/NAME.json with NAME.golden.json beside it, and
# FOLDER/templates.json. Reference: tokenizers 0.23.3 and transformers 5.18.0's own template environment.
# Needs no network: the training text is below, the chat templates are in text_templates.py.

import argparse
import json
import pathlib
import random

from text_templates import template_goldens
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ONE_DIGIT = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
POSSESSIVE = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)

CORPUS = [
    "The quick brown fox jumps over the lazy dog, again and again, while the cat is watching from the window.",
    "There are three red circles and two blue squares on the left of the picture; it isn't a photograph.",
    "What is in this image? Describe the picture in detail. How many things can you see in the image?",
    "User: What colour is the triangle?\nAssistant: The triangle is green, and it's next to the yellow star.\n\n",
    "def add(left, right):\n    return left + right  # the sum\n\nfor i in range(10):\n        print(add(i, 1))\n",
    "Les élèves étudient à l'école près de la forêt, où l'été est déjà là. Größe, Straße, Äpfel und Öfen.",
    "В этом изображении есть красный круг и синий квадрат. Сколько предметов на картинке?",
    "这张图片里有什么？请描述一下图片。図の中に猫がいます。とてもかわいいです。 그림에 무엇이 있습니까?",
    "مرحبا بالعالم، كيف حالك اليوم؟ שלום עולם, מה שלומך? नमस्ते दुनिया, आप कैसे हैं?",
    "In 2024 the price was 12,345.67 and in 1999 it was 89 percent of 100. Call 555-0123 at 10:30.",
    "I'm sure they'll say that we've done what you'd like, but he's not there and they're late; don't worry.",
    "{\"key\": [1, 2, 3], \"name\": \"value\", \"nested\": {\"a\": null}} <tag attr='x'>text</tag>",
    "smile 😀 family 👨‍👩‍👧 flag 🇫🇷 heart ❤️ thumbs 👍🏽 and more 🎉🎉",
]

STRINGS = [
    "",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "a",
    "Hello, world!",
    "What is in this image?",
    "The quick brown fox jumps over the lazy dog.",
    " leading space",
    "trailing space ",
    "trailing spaces   ",
    "   three   spaces   between   words   ",
    "tab\tseparated\t\tvalues",
    "line one\nline two\r\nline three\rline four\n",
    "paragraph one.\n\nparagraph two.\n\n\n\nparagraph three.",
    "spaces before newline   \n   and after",
    " \n \n \n",
    "mixed \t \n whitespace \u00a0 \u2003 \u3000 \u2028 end",
    "I'm, you're, he's, we've, they'll, she'd, don't, isn't",
    "I'M YOU'RE HE'S WE'VE THEY'LL SHE'D DON'T",
    "'s't're've'm'll'd ''s '' 'x",
    "it\u2019s curly, \u2018quoted\u2019 \u201ctext\u201d",
    "0 1 12 123 1234 12345 1234567890",
    "3.14159 -2.71828 1e-10 0x1F 1,000,000 50%",
    "\u0661\u0662\u0663 \u0967\u0968\u0969 \u2460\u2461 \u00bd\u00b2 \u2167 \u4e00\u4e8c",
    "v1.2.3-rc4 2024-01-31T23:59:59Z",
    "def f(x):\n    if x > 0:\n        return x ** 2\n    return None\n",
    "for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; } // dot product",
    "SELECT * FROM users WHERE name = 'O''Brien' AND age >= 21;",
    "<html><body class=\"x\">&amp; &lt;tag&gt;</body></html>",
    "https://example.org/path?query=value&other=1#fragment",
    "user@example.org #hashtag @mention $100 \u20ac50 \u00a33 \u00a5500",
    "snake_case camelCase PascalCase kebab-case SCREAMING_CASE",
    "!!! ??? ... --- *** ((( ))) [[]] {{}} ~~~ ``` ^^^ |||",
    "\u00e9l\u00e8ve na\u00efve fa\u00e7ade \u0153uvre Stra\u00dfe \u00c5ngstr\u00f6m",
    "e\u0301le\u0300ve nai\u0308ve A\u030angstro\u0308m \u1e9b\u0323",
    "\u212b \u2126 \ufb01 \ufb02 \uff21\uff22\uff23 \u33a5 \u3392",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u041a\u0430\u043a \u0434\u0435\u043b\u0430?",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01\u8fd9\u662f\u4e00\u5f20\u56fe\u7247\u3002",
    "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c\u3002\u30ab\u30bf\u30ab\u30ca\u3068\u3072\u3089\u304c\u306a\u3002",
    "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4 \u1112\u1161\u11ab",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0643\u064e\u062a\u064e\u0628\u064e",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
    "\U0001f600\U0001f389 \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f44d\U0001f3fd \u2764\ufe0f \U0001f1eb\U0001f1f7",
    "text\u200bwith\u200czero\u200dwidth\ufeffmarks",
    "control \u0001\u0002\u0007\u001b[31m\u007f\u0085 bytes",
    "\U00010348\U0001d54f\U0002070e \U0010fffd \ue000",
    "z\u0351\u036b\u0343\u036a\u0302\u0346a\u0334\u0335\u031c\u0330l\u034e\u0347\u0325g\u0324\u0324o",
    "\u0130stanbul \u0131\u015f\u0131k \u01c5 \u00df \u1e9e \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
    "a" * 130,
    "supercalifragilisticexpialidocious" * 5,
    "ab" * 60 + " " + "ba" * 30,
    "\u00e9" * 40 + "\U0001f600" * 12,
    "<|im_start|>user\nHi<|im_end|>\n",
    "<image>",
    "<image><image> <image>",
    "<fake_token_around_image><row_1_col_2><image><image>\n<fake_token_around_image><global-img><image>",
    "no <imag> here, <image>there, < image > nor <|im_end |>",
    "  <image>  spaced  <|im_end|>  out  ",
    "word<sep>word <sep> word  <sep>  word",
    "the SEP token, SEPARATE SEP. (SEP) SEP_ 2SEP \u00e9SEP",
    "Caf\u00e9 CAFE\u0301 caf\u00e9x <CAF\u00c9> cafe\u0301",
    "<|endoftext|><|endoftext|>",
    "<end_of_utterance>\nAssistant:",
    "<0x41><0x0A> \u2581 \u2581\u2581 literal",
    "\u0120hello \u010a \u0120\u0120 byte letters",
]

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MEDIA = ["<global-img>", "<row_1_col_1>", "<row_1_col_2>", "<fake_token_around_image>", "<image>", "<end_of_utterance>"]


def byte_level_tokenizer(pre_tokenizer, vocab=460, normalizer=None, words=()):
    """A byte-level BPE tokenizer trained on CORPUS, with the chat tokens of SmolVLM.

    words are added to the vocabulary without merges: ignore_merges finds them whole or not at all.
    """
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=SPECIALS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 2, trainer)
    if words:
        data = json.loads(tokenizer.to_str())
        data["model"]["ignore_merges"] = True
        data["model"]["vocab"].update({word: vocab + i for i, word in enumerate(words)})
        tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in MEDIA])
    return tokenizer


def split(expression):
    return pre_tokenizers.Split(Regex(expression), behavior="isolated", invert=False)


def bytes_only():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def smollm():
    sequence = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return byte_level_tokenizer(pre_tokenizers.Sequence(sequence))


def gpt2():
    return byte_level_tokenizer(pre_tokenizers.ByteLevel(add_prefix_space=True))


def digits():
    sequence = [pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return byte_level_tokenizer(pre_tokenizers.Sequence(sequence), vocab=380)


def llama3():
    sequence = pre_tokenizers.Sequence([split(LLAMA3), bytes_only()])
    tokenizer = byte_level_tokenizer(sequence, words=["Hello", "\u0120world"])
    bos = ("<|im_start|>", tokenizer.token_to_id("<|im_start|>"))
    template = processors.TemplateProcessing(single="<|im_start|> $A", pair="<|im_start|> $A $B", special_tokens=[bos])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return tokenizer


def nfc():
    return byte_level_tokenizer(
        pre_tokenizers.Sequence([split(ONE_DIGIT), bytes_only()]), vocab=400, normalizer=normalizers.NFC()
    )


def nfkc_pcre():
    steps = [normalizers.Strip(left=True, right=False), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    return byte_level_tokenizer(
        pre_tokenizers.Sequence([split(POSSESSIVE), bytes_only()]), vocab=400, normalizer=normalizers.Sequence(steps)
    )


def sentencepiece(byte_fallback=True):
    """Llama 2's kind: spaces written as U+2581, unknown characters as bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=byte_fallback))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else []
    trainer = trainers.BpeTrainer(
        vocab_size=330 + len(byte_tokens),
        special_tokens=["<unk>", "<s>", "</s>"] + byte_tokens,
        limit_alphabet=90,
        show_progress=False,
    )
    tokenizer.train_from_iterator([word for line in CORPUS for word in line.split(" ")] * 2, trainer)
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if token["content"] not in byte_tokens]
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken("<image>", normalized=False, special=True)])
    return tokenizer


def metaspace():
    """Mistral's newer kind: Metaspace in front of the first word only; unknown characters are <unk>, one each."""
    tokenizer = sentencepiece(byte_fallback=False)
    data = json.loads(tokenizer.to_str())
    data["model"]["fuse_unk"] = False
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first", split=True)
    return tokenizer


def added():
    """Added tokens with every option, normalized and not, and a lower-casing normalizer."""
    steps = [normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]
    tokenizer = byte_level_tokenizer(
        pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), bytes_only()]),
        vocab=380,
        normalizer=normalizers.Sequence(steps),
    )
    tokenizer.add_tokens(
        [
            AddedToken("<sep>", lstrip=True, rstrip=True, normalized=False, special=True),
            AddedToken("SEP", single_word=True, normalized=False, special=False),
            AddedToken("Caf\u00e9", normalized=True, special=False),
            AddedToken("<se", normalized=False, special=False),
            AddedToken("fox", single_word=True, lstrip=True, normalized=True, special=False),
            AddedToken("token", rstrip=True, normalized=True, special=False),
        ]
    )
    return tokenizer


VARIANTS = {
    "smollm": smollm,
    "gpt2": gpt2,
    "digits": digits,
    "llama3": llama3,
    "nfc": nfc,
    "nfkc_pcre": nfkc_pcre,
    "sentencepiece": sentencepiece,
    "metaspace": metaspace,
    "added": added,
}
OLD_MERGES = {"gpt2", "sentencepiece"}  # written as "a b" strings, as files made before tokenizers 0.20


def without_added_tokens(data):
    plain = dict(data)
    plain["added_tokens"] = []
    plain["post_processor"] = None
    return Tokenizer.from_str(json.dumps(plain))


def decode_cases(tokenizer, cases, seed):
    """Random ids, which are rarely whole characters, beside what the texts gave."""
    rng = random.Random(seed)
    size = tokenizer.get_vocab_size()
    lists = [case["ids"] for case in cases]
    lists += [[rng.randrange(size) for _ in range(rng.randrange(1, 24))] for _ in range(40)]
    return [
        {
            "ids": ids,
            "text": tokenizer.decode(ids, skip_special_tokens=False),
            "skipped": tokenizer.decode(ids, skip_special_tokens=True),
        }
        for ids in lists
    ]


def write_variant(folder, name, make):
    tokenizer = make()
    data = json.loads(tokenizer.to_str())
    if name in OLD_MERGES:
        data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    (folder / f"{name}.json").write_text(text + "\n")
    tokenizer = Tokenizer.from_str(text)
    plain = without_added_tokens(data)
    cases = [
        {
            "text": string,
            "ids": tokenizer.encode(string, add_special_tokens=False).ids,
            "user_ids": plain.encode(string, add_special_tokens=False).ids,
            "processed_ids": tokenizer.encode(string).ids,
        }
        for string in STRINGS
    ]
    golden = {"encode": cases, "decode": decode_cases(tokenizer, cases, name)}
    (folder / f"{name}.golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{name}: {tokenizer.get_vocab_size()} ids, {len(cases)} texts, {len(golden['decode'])} id lists")


def main():
    parser = argparse.ArgumentParser(description="Write the text station's goldens.")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="tests/data/text")
    args = parser.parse_args()
    folder = args.out / "tokenizers"
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in VARIANTS.items():
        write_variant(folder, name, make)
    goldens = template_goldens()
    (args.out / "templates.json").write_text(json.dumps(goldens, indent=1) + "\n")
    print(f"templates: {len(goldens)} renderings")


if __name__ == "__main__":
    main()
