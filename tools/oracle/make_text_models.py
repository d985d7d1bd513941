# Writes the tiny text models that the parity tests run on, and their goldens.
# In: the test data folder. Out: models/NAME (a Hugging Face directory) for each entry of MODELS and goldens/NAME for
# each entry of GOLDENS in it, the same bytes on every run.
# Each model is a family in small: its attention, its rotary scaling, its multipliers or window, its kind of tokenizer
# (made here, or one of text/families in the folder: family_tokenizers.py) and chat template, and the spelling of its
# files. Tokenizers of tokenizer.model want the packages sentencepiece and protobuf.
# Usage: python tools/oracle/make_text_models.py -d tests/data [--only NAME]

import argparse
import json
import pathlib
import shutil

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, GraniteConfig, LlamaConfig, MistralConfig

import make_models
import text_goldens
import text_templates
import tiny_tokenizer
import versions
from make_text_golden import TextOracle, make
from reference import check_versions

MISTRAL_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}{{ message['content'] + eos_token }}{% endif %}"
    "{% endfor %}"
)
GRANITE_TEMPLATE = (
    "{%- for message in messages %}\n"
    "    {{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + message['content'] + '<|end_of_text|>\\n' }}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n    {{- '<|start_of_role|>assistant<|end_of_role|>' }}\n{%- endif %}\n"
)
LLAMA3_ROPE = dict(rope_type="llama3", rope_theta=500000.0, factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64)


def byte_level(vocab, specials, pre_tokenizer, start=None):
    """A byte-level BPE tokenizer of `vocab` ids in all, special tokens last; start: the token before every prompt."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab - len(specials), show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(tiny_tokenizer.corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in specials])
    if start is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{start} $A", pair=f"{start} $A {start} $B",
            special_tokens=[(start, tokenizer.token_to_id(start))],
        )
    return tokenizer


def llama3_tokenizer(data):
    cut = [text_goldens.split(text_goldens.LLAMA3), text_goldens.bytes_only()]
    specials = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    return byte_level(400, specials, pre_tokenizers.Sequence(cut), "<|begin_of_text|>")


def smollm2_tokenizer(data):
    cut = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return byte_level(420, tiny_tokenizer.BASE_SPECIALS, pre_tokenizers.Sequence(cut))


def granite_tokenizer(data):
    cut = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    specials = ["<|end_of_text|>", "<fim_prefix>", "<|start_of_role|>", "<|end_of_role|>"]
    return byte_level(420, specials, pre_tokenizers.Sequence(cut))


def sentencepiece_tokenizer(data):
    """Llama 2's kind with its start token before every prompt: the text station's, since training it anew breaks ties
    at random."""
    tokenizer = Tokenizer.from_file(str(data / "text" / "tokenizers" / "sentencepiece.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return tokenizer


MODELS = {
    # Llama 2: as many key heads as heads, float16, byte fallback, files in the spelling of transformers 4.
    "text_llama2": {
        "seed": 9,
        "config": LlamaConfig,
        "settings": dict(hidden_size=48, intermediate_size=112, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=4, max_position_embeddings=512, rms_norm_eps=1e-5),
        "dtype": torch.float16,
        "tokenizer": sentencepiece_tokenizer,
        "template": text_templates.INST,
        "names": ("<s>", "</s>"),
        "old_spelling": True,
    },
    # The same with both files of Llama 2's own tokenizer.
    "text_llama2_hub": {
        "seed": 1,
        "config": LlamaConfig,
        "settings": dict(hidden_size=32, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=4, max_position_embeddings=512, rms_norm_eps=1e-5),
        "dtype": torch.float16,
        "family": ["llama2_model", "llama2_json"],
        "template": text_templates.INST,
        "old_spelling": True,
    },
    # Llama 3: grouped key heads, rotary scaling that keeps, blends and slows frequencies, two end-of-text ids.
    "text_llama3": {
        "seed": 12,
        "config": LlamaConfig,
        "settings": dict(hidden_size=48, intermediate_size=120, num_hidden_layers=3, num_attention_heads=6,
                         num_key_value_heads=2, max_position_embeddings=2048, rms_norm_eps=1e-5,
                         rope_parameters=LLAMA3_ROPE),
        "dtype": torch.bfloat16,
        "tokenizer": llama3_tokenizer,
        "template": text_templates.HEADERS,
        "names": ("<|begin_of_text|>", "<|eot_id|>"),
        "ends": ["<|end_of_text|>", "<|eot_id|>"],
    },
    # SmolLM2: three heads for each key head, tied head, no start token.
    "text_smollm2": {
        "seed": 3,
        "config": LlamaConfig,
        "settings": dict(hidden_size=72, intermediate_size=128, num_hidden_layers=2, num_attention_heads=9,
                         num_key_value_heads=3, max_position_embeddings=1024, rms_norm_eps=1e-5,
                         rope_parameters=dict(rope_type="default", rope_theta=100000.0), tie_word_embeddings=True),
        "dtype": torch.bfloat16,
        "tokenizer": smollm2_tokenizer,
        "template": text_templates.CHATML,
        "names": ("<|im_start|>", "<|im_end|>"),
    },
    # Granite: all four multipliers away from 1, tied head.
    "text_granite": {
        "seed": 8,
        "config": GraniteConfig,
        "settings": dict(hidden_size=64, intermediate_size=80, num_hidden_layers=3, num_attention_heads=4,
                         num_key_value_heads=2, max_position_embeddings=1024, rms_norm_eps=1e-5,
                         rope_parameters=dict(rope_type="default", rope_theta=300000.0), tie_word_embeddings=True,
                         embedding_multiplier=12.0, residual_multiplier=0.22, attention_multiplier=0.015625 * 4,
                         logits_scaling=8.0),
        "dtype": torch.bfloat16,
        "tokenizer": granite_tokenizer,
        "template": GRANITE_TEMPLATE,
        "names": ("<|end_of_text|>", "<|end_of_text|>"),
        # What the layers add must outweigh 12 times the embedding, or a tied head repeats the last token.
        "logit_std": 16.0,
        "gains": {"q_proj": 6.0, "k_proj": 6.0, "v_proj": 3.0, "o_proj": 80.0, "down_proj": 200.0},
    },
    # Mistral: a window shorter than the prompt, heads wider than hidden size / heads, transformers 4's spelling.
    "text_mistral": {
        "seed": 1,
        "config": MistralConfig,
        "settings": dict(hidden_size=48, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
                         num_key_value_heads=2, head_dim=16, max_position_embeddings=1024, rms_norm_eps=1e-5,
                         sliding_window=7),
        "dtype": torch.bfloat16,
        "family": ["mistral_model"],
        "template": MISTRAL_TEMPLATE,
        "old_spelling": True,
    },
    # A base model: tensors without the prefix `model.`, tied head, no chat template, so that the prompt is the text.
    "text_base": {
        "seed": 1,
        "config": LlamaConfig,
        "settings": dict(hidden_size=48, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=1, max_position_embeddings=256, rms_norm_eps=1e-6,
                         rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0),
                         tie_word_embeddings=True),
        "dtype": torch.float32,
        "family": ["mistral_v3"],
        "template": None,
        "base_class": True,
    },
}

# golden: model, prompt, and where wanted system and raw
GOLDENS = {
    "text_llama2": ("text_llama2", "What is in this image? Describe the caf\u00e9 \U0001f600.", {"system": "Be brief."}),
    "text_llama2_raw": ("text_llama2", "There are three red circles and", {"raw": True}),
    "text_llama2_hub": ("text_llama2_hub", "Describe the caf\u00e9 \U0001f600 in 2024.", {"system": "Be brief."}),
    "text_llama3": ("text_llama3", "Where is the bicycle? It's 12 by 345 pixels.", {}),
    "text_smollm2": ("text_smollm2", "How many stars are there in 2024?", {}),
    "text_granite": ("text_granite", "Describe the house in detail, please.", {"system": "You are a helper."}),
    "text_mistral": ("text_mistral", "The quick brown fox jumps over the lazy dog; why?", {}),
    "text_base": ("text_base", "The quick brown fox jumps over the lazy dog, again and again, while", {}),
}


def write_made_tokenizer(spec, data, folder):
    """tokenizer.json and tokenizer_config.json of a tokenizer made here."""
    made = json.loads(spec["tokenizer"](data).to_str())
    if spec.get("old_spelling"):
        made["model"]["merges"] = [" ".join(pair) for pair in made["model"]["merges"]]
    tiny_tokenizer.dump(folder / "tokenizer.json", made)
    start, end = spec["names"]
    config = {"bos_token": start, "eos_token": end, "clean_up_tokenization_spaces": False,
              "model_max_length": spec["settings"]["max_position_embeddings"],
              "tokenizer_class": "PreTrainedTokenizerFast"}
    tiny_tokenizer.dump(folder / "tokenizer_config.json", config)


def write_tokenizer(spec, data, folder):
    """The tokenizer's files; the template in tokenizer_config.json or, for newer files, in its own."""
    if "tokenizer" in spec:
        write_made_tokenizer(spec, data, folder)
    for name in spec.get("family", []):
        for path in sorted((data / "text" / "families" / name).iterdir()):
            if path.name != "config.json":
                shutil.copyfile(path, folder / path.name)
    if not spec["template"]:
        return
    if spec.get("old_spelling"):
        config = json.loads((folder / "tokenizer_config.json").read_text())
        tiny_tokenizer.dump(folder / "tokenizer_config.json", {**config, "chat_template": spec["template"]})
    else:
        (folder / "chat_template.jinja").write_text(spec["template"])


def respell(folder):
    """Rewrites config.json in the spelling of transformers 4."""
    config = json.loads((folder / "config.json").read_text())
    rope = config.pop("rope_parameters")
    if config["head_dim"] == config["hidden_size"] // config["num_attention_heads"]:
        del config["head_dim"]  # files of that time leave it out
    config.update(rope_theta=rope["rope_theta"], rope_scaling=None, torch_dtype=config.pop("dtype"),
                  transformers_version="4.46.0")
    tiny_tokenizer.dump(folder / "config.json", dict(sorted(config.items())))


def quiet_ids(tokenizer, ends):
    """Ids that greedy decoding should not prefer: special tokens but the ends, and single bytes beyond ASCII."""
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    return sorted(
        number for text, number in tokenizer.get_vocab().items()
        if number not in ends and (number in special or text.startswith("<0x")
                                   or (len(text) == 1 and not text.isascii() and text not in ("\u0120", "\u2581")))
    )


def write_model(spec, data, folder):
    """Writes the directory of one entry of MODELS; data: the test data folder."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = spec["config"]
    tiny_tokenizer.dump(folder / "config.json", {"model_type": kind.model_type})  # AutoTokenizer asks for it
    write_tokenizer(spec, data, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ends = [tokenizer.convert_tokens_to_ids(text) for text in spec.get("ends", [tokenizer.eos_token])]
    config = kind(**spec["settings"], vocab_size=len(tokenizer), bos_token_id=tokenizer.bos_token_id,
                  eos_token_id=ends if len(ends) > 1 else ends[0])
    model = AutoModelForCausalLM.from_config(config)
    make_models.fill(model, spec["seed"], quiet_ids(tokenizer, ends), spec.get("logit_std", 2.0), spec.get("gains"))
    model.to(spec["dtype"])
    (model.model if spec.get("base_class") else model).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    if spec.get("old_spelling"):
        respell(folder)


def main():
    parser = argparse.ArgumentParser(description="Writes the tiny text models and their goldens.")
    parser.add_argument("-d", "--data", type=pathlib.Path, required=True, help="test data folder")
    parser.add_argument("--only", choices=sorted(MODELS), help="make this model and its goldens only")
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(1)
    for name, spec in MODELS.items():
        if arguments.only not in (None, name):
            continue
        folder = arguments.data / "models" / name
        write_model(spec, arguments.data, folder)
        print(f"{name}: {sum(path.stat().st_size for path in folder.iterdir())} bytes")
        oracle = TextOracle(folder)
        for golden, (model, prompt, extra) in GOLDENS.items():
            if model == name:
                print(golden, make(oracle, name, arguments.data / "goldens" / golden, {"prompt": prompt, **extra}))


if __name__ == "__main__":
    main()
