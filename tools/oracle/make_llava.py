# Writes the tiny LLaVA-NeXT checkpoints that the parity tests run on, and their goldens.
# In: the test data folder. Out: models/NAME for each entry of MODELS and goldens/NAME for each entry of GOLDENS in it,
# the same bytes on every run; or one golden of any such directory.
# Each model is a family in small: which tower, which layers are tapped, which text model, how the files are spelled.
# Reference: transformers 5.18 LlavaNextForConditionalGeneration, LlavaNextProcessor, LlavaNextImageProcessorPil.
# Usage: python tools/oracle/make_llava.py -d tests/data [--only NAME]
#        python tools/oracle/make_llava.py --true-size DIR [--text-layers N]
#        python tools/oracle/make_llava.py --golden-of DIR --image FILE -p TEXT -o GOLDEN [--max-new-tokens N]

import argparse
import json
import os
import pathlib

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoImageProcessor,
    CLIPVisionConfig,
    GraniteConfig,
    LlamaConfig,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    MistralConfig,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
)
from transformers.image_utils import load_image
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_next.modeling_llava_next import image_size_to_num_patches
from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor

import make_golden
import make_models
import tiny_tokenizer
import versions
from reference import Oracle, check_versions

ROLES = (
    "{%- for message in messages %}{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' }}"
    "{%- for part in message['content'] %}{%- if part['type'] == 'image' %}{{- '<image>\n' }}"
    "{%- else %}{{- part['text'] }}{%- endif %}{%- endfor %}{{- '<|end_of_text|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_of_role|>assistant<|end_of_role|>' }}{%- endif %}"
)
INSTRUCTIONS = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' }}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{% endfor %}"
    "{{ ' [/INST]' }}{% else %}{{ message['content'][0]['text'] }}{% endif %}{% endfor %}"
)
CLIP_COLOURS = dict(image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711])


def roles_tokenizer(data):
    """Byte-level BPE of 340 ids, digits one by one, role tokens and the image token last."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<image>"]
    trainer = trainers.BpeTrainer(vocab_size=340 - len(specials), show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(tiny_tokenizer.corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in specials])
    return tokenizer


def sentencepiece_tokenizer(data):
    """Llama 2's kind, whose normalizer works around the image token, with the start token before every prompt."""
    tokenizer = Tokenizer.from_file(str(data / "text" / "tokenizers" / "sentencepiece.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return tokenizer


def pinpoints(side, grids):
    """[height, width] of grids given as (rows, columns)."""
    return [[rows * side, columns * side] for rows, columns in grids]


DEFAULT_GRIDS = [(1, 2), (2, 1), (2, 2), (3, 1), (1, 3)]
GRANITE_GRIDS = [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 1), (4, 1)]
CLIP_VISION = dict(hidden_size=24, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
                   projection_dim=16, hidden_act="quick_gelu", layer_norm_eps=1e-5)

MODELS = {
    # Granite Vision 3.2: four tapped layers of a SigLIP tower with a remainder pixel (22 = 4 * 5 + 2), every row kept,
    # Granite's four multipliers, tied head, bf16, the files as transformers 5 writes them.
    "llava_granite": {
        "seed": 4,
        "vision": SiglipVisionConfig,
        "vision_settings": dict(hidden_size=24, intermediate_size=40, num_hidden_layers=5, num_attention_heads=2,
                                image_size=22, patch_size=5),
        "text": GraniteConfig,
        "text_settings": dict(hidden_size=48, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
                              num_key_value_heads=2, max_position_embeddings=1024, rms_norm_eps=1e-5,
                              rope_parameters=dict(rope_type="default", rope_theta=300000.0),
                              embedding_multiplier=12.0, residual_multiplier=0.22, attention_multiplier=0.0625,
                              logits_scaling=8.0),
        "model_settings": dict(vision_feature_layer=[-5, -4, -2, -1], vision_feature_select_strategy="full",
                               tie_word_embeddings=True, image_grid_pinpoints=pinpoints(22, GRANITE_GRIDS)),
        "images": dict(size={"height": 22, "width": 22}, image_mean=[0.5] * 3, image_std=[0.5] * 3),
        "tokenizer": roles_tokenizer,
        "template": ROLES,
        "names": ("<|end_of_text|>", "<|end_of_text|>"),
        "dtype": torch.bfloat16,
        "logit_std": 4.0,
        # Softer attention in the tower: sharp attention makes rounding errors grow from layer to layer.
        "gains": {"vision_tower": 1.0, "q_proj": 6.0, "k_proj": 6.0, "v_proj": 3.0, "o_proj": 20.0, "down_proj": 50.0},
    },
    # LLaVA-1.6 with Vicuna: a CLIP tower's second last hidden state without the class token's row, Llama, f32.
    "llava_clip": {
        "seed": 4,
        "vision": CLIPVisionConfig,
        "vision_settings": dict(CLIP_VISION, image_size=15, patch_size=5),
        "text": LlamaConfig,
        "text_settings": dict(hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
                              num_key_value_heads=4, max_position_embeddings=1024, rms_norm_eps=1e-5),
        "model_settings": dict(vision_feature_layer=-2, vision_feature_select_strategy="default",
                               image_grid_pinpoints=pinpoints(15, DEFAULT_GRIDS)),
        "images": dict(size={"shortest_edge": 15}, **CLIP_COLOURS),
        "tokenizer": roles_tokenizer,
        "template": ROLES,
        "names": ("<|end_of_text|>", "<|end_of_text|>"),
        "dtype": torch.float32,
    },
    # LLaVA-1.6 with Mistral: a window shorter than the prompt, Llama 2's kind of tokenizer, a projector without biases.
    "llava_mistral": {
        "seed": 1,
        "vision": CLIPVisionConfig,
        "vision_settings": dict(CLIP_VISION, image_size=21, patch_size=5),
        "text": MistralConfig,
        "text_settings": dict(hidden_size=40, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
                              num_key_value_heads=2, head_dim=16, max_position_embeddings=1024, rms_norm_eps=1e-5,
                              sliding_window=24),
        "model_settings": dict(vision_feature_layer=-2, vision_feature_select_strategy="default",
                               multimodal_projector_bias=False, projector_hidden_act="silu",
                               image_grid_pinpoints=pinpoints(21, DEFAULT_GRIDS)),
        "images": dict(size={"shortest_edge": 21}, **CLIP_COLOURS),
        "tokenizer": sentencepiece_tokenizer,
        "template": INSTRUCTIONS,
        "names": ("<s>", "</s>"),
        "dtype": torch.bfloat16,
        "names_as": "model",
    },
    # The names of tensors and settings as directories from before transformers 4.52 have them.
    "llava_old_names": {
        "seed": 6,
        "vision": CLIPVisionConfig,
        "vision_settings": dict(CLIP_VISION, image_size=20, patch_size=5),
        "text": LlamaConfig,
        "text_settings": dict(hidden_size=40, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                              num_key_value_heads=2, max_position_embeddings=1024, rms_norm_eps=1e-5),
        "model_settings": dict(vision_feature_layer=-2, vision_feature_select_strategy="default",
                               image_grid_pinpoints=pinpoints(20, DEFAULT_GRIDS)),
        "images": dict(size={"shortest_edge": 20}, **CLIP_COLOURS),
        "tokenizer": sentencepiece_tokenizer,
        "template": INSTRUCTIONS,
        "names": ("<s>", "</s>"),
        "dtype": torch.float16,
        "old_spelling": True,
        "names_as": "old",
    },
}

# golden: model, prompt, pictures
GOLDENS = {
    "llava_granite_tall": ("llava_granite", "What is in this image?", ["shapes_37x90.png"]),
    "llava_granite_wide": ("llava_granite", "Where is the bicycle?", ["shapes_300x60.jpg"]),
    "llava_granite_two": ("llava_granite", "Compare the two images.", ["shapes_3x5.png", "shapes_100x80.png"]),
    "llava_clip_square": ("llava_clip", "How many stars are there?", ["shapes_64x64.png"]),
    "llava_clip_text": ("llava_clip", "What colour is the house in 2024?", []),
    "llava_mistral": ("llava_mistral", "What is in this image?", ["shapes_640x488.jpg"]),
    "llava_old_names": ("llava_old_names", "Describe the image.", ["shapes_37x90.png"]),
}


def granite_vision(text_layers):
    """Granite Vision 3.2 2B's shapes with random weights and fewer text layers, in the form of an entry of MODELS."""
    grids = [(h, w) for h in range(1, 11) for w in range(1, 11) if h * w <= 10]
    return dict(
        MODELS["llava_granite"],
        vision_settings=dict(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16,
                             image_size=384, patch_size=14),
        text_settings=dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=text_layers,
                           num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=131072,
                           rms_norm_eps=1e-5, rope_parameters=dict(rope_type="default", rope_theta=300000.0),
                           embedding_multiplier=12.0, residual_multiplier=0.22, attention_multiplier=0.015625,
                           logits_scaling=8.0),
        model_settings=dict(vision_feature_layer=[-24, -20, -12, -1], vision_feature_select_strategy="full",
                            tie_word_embeddings=True, image_grid_pinpoints=pinpoints(384, grids)),
        images=dict(size={"height": 384, "width": 384}, image_mean=[0.5] * 3, image_std=[0.5] * 3),
        vocab_size=49156,
        gains={"vision_tower": 1.0, "o_proj": 3.0, "down_proj": 6.0},
    )


class LlavaOracle(Oracle):
    """A LLaVA-NeXT directory loaded as the reference."""

    def _load_processor(self):
        kwargs, _ = LlavaNextProcessor.get_processor_dict(self.folder)
        images = AutoImageProcessor.from_pretrained(self.folder, backend="pil")
        if not type(images).__name__.endswith("Pil"):
            raise SystemExit(f"expected the PIL image processor, got {type(images).__name__}")
        tokenizer = PreTrainedTokenizerFast.from_pretrained(self.folder)
        keys = ("patch_size", "vision_feature_select_strategy", "image_token", "num_additional_image_tokens")
        settings = {key: kwargs[key] for key in keys if key in kwargs}
        template = kwargs.get("chat_template") or tokenizer.chat_template
        return LlavaNextProcessor(images, tokenizer, chat_template=template, **settings)

    def tiles(self, padded, image_sizes):
        """[images, most tiles, 3, H, W] with zeros after each image's own tiles -> all tiles [N, 3, H, W]."""
        config = self.model.config
        counts = [image_size_to_num_patches(list(map(int, size)), config.image_grid_pinpoints,
                                            config.vision_config.image_size) for size in image_sizes]
        join = torch.cat if isinstance(padded, torch.Tensor) else np.concatenate
        return join([image[:count] for image, count in zip(padded, counts)])

    def prepare(self, prompt, image_paths, system=None, options=None):
        content = [{"type": "image"} for _ in image_paths] + [{"type": "text", "text": prompt}]
        messages = [{"role": "user", "content": content}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
        rendered = self.processor.apply_chat_template(messages, add_generation_prompt=True)
        images = [load_image(os.fspath(path)) for path in image_paths]
        inputs = self.processor(text=rendered, images=images or None, return_tensors="pt")
        expanded = self.processor.tokenizer.decode(
            inputs["input_ids"][0], skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        bytes_only = None
        if images:
            raw = self.processor.image_processor(images, return_tensors="np", do_rescale=False, do_normalize=False)
            bytes_only = self.tiles(raw["pixel_values"], raw["image_sizes"])
            if bytes_only.dtype != np.uint8:
                raise SystemExit(f"expected uint8 tiles before rescaling, got {bytes_only.dtype}")
        return messages, rendered, expanded, inputs, bytes_only

    def _prefill(self, inputs):
        seen = {}
        core = self.model.model

        def keep(name, pick):
            def hook(module, args, kwargs, output):
                seen[name] = pick(args, kwargs, output).detach().clone()

            return hook

        hooks = [
            core.language_model.register_forward_hook(
                keep("inputs_embeds", lambda args, kwargs, out: kwargs["inputs_embeds"][0]), with_kwargs=True
            ),
            # what the projector gets: the tapped layers beside each other, after the strategy
            core.multi_modal_projector.register_forward_hook(
                keep("vision_last_hidden_state", lambda args, kwargs, out: args[0]), with_kwargs=True
            ),
            core.multi_modal_projector.register_forward_hook(
                keep("connector_output", lambda args, kwargs, out: out), with_kwargs=True
            ),
        ]
        with torch.no_grad():
            seen["logits"] = self.model(**inputs).logits[0].float()
        for hook in hooks:
            hook.remove()
        seen["input_ids"] = inputs["input_ids"][0]
        if "pixel_values" in inputs:
            seen["image_rows"] = seen["inputs_embeds"][seen["input_ids"] == self.model.config.image_token_id]
            seen["pixel_values"] = self.tiles(inputs["pixel_values"], inputs["image_sizes"])
        return seen


def quiet_ids(tokenizer, end):
    """Ids that greedy decoding should not prefer: special tokens but the end, and single bytes beyond ASCII."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    letters = ("\u0120", "\u2581")
    return sorted(
        number for text, number in tokenizer.get_vocab().items()
        if (text in special and text != end) or (text.startswith("<0x") and text not in special)
        or (len(text) == 1 and not text.isascii() and text not in letters)
    )


def config_for(spec, tokenizer):
    ids = tokenizer.get_vocab()
    start, end = spec["names"]
    tied = spec["model_settings"].get("tie_word_embeddings", False)
    vocabulary = spec.get("vocab_size", tokenizer.get_vocab_size())
    text = spec["text"](**spec["text_settings"], vocab_size=vocabulary, bos_token_id=ids[start],
                        eos_token_id=ids[end], tie_word_embeddings=tied)
    return LlavaNextConfig(
        vision_config=spec["vision"](**spec["vision_settings"]), text_config=text, image_token_index=ids["<image>"],
        **spec["model_settings"],
    )


def write_files(spec, tokenizer, folder):
    """Tokenizer, template, processor_config.json and, in the old spelling, preprocessor_config.json."""
    data = json.loads(tokenizer.to_str())
    start, end = spec["names"]
    names = {"bos_token": start, "eos_token": end, "clean_up_tokenization_spaces": False,
             "model_max_length": spec["text_settings"]["max_position_embeddings"],
             "tokenizer_class": "PreTrainedTokenizerFast"}
    side, patch = spec["vision_settings"]["image_size"], spec["vision_settings"]["patch_size"]
    extra = 1 if spec["vision"] is CLIPVisionConfig else 0
    images = LlavaNextImageProcessorPil(
        **spec["images"], crop_size={"height": side, "width": side},
        image_grid_pinpoints=spec["model_settings"]["image_grid_pinpoints"],
    )
    tiny_tokenizer.dump(folder / "tokenizer.json", data)
    tiny_tokenizer.dump(folder / "tokenizer_config.json", names)
    processor = LlavaNextProcessor(
        images, PreTrainedTokenizerFast.from_pretrained(folder), patch_size=patch, num_additional_image_tokens=extra,
        vision_feature_select_strategy=spec["model_settings"]["vision_feature_select_strategy"],
    )
    processor.save_pretrained(folder)
    tiny_tokenizer.dump(folder / "tokenizer.json", data)  # the files as the hub has them
    tiny_tokenizer.dump(folder / "tokenizer_config.json", names)
    if not spec.get("old_spelling"):
        (folder / "chat_template.jinja").write_text(spec["template"])
        return
    settings = json.loads((folder / "processor_config.json").read_text())
    tiny_tokenizer.dump(folder / "preprocessor_config.json", settings.pop("image_processor"))
    tiny_tokenizer.dump(folder / "processor_config.json", settings)
    tiny_tokenizer.dump(folder / "chat_template.json", {"chat_template": spec["template"]})


def respell(spec, folder):
    """config.json as transformers 4.39 wrote it."""
    config = json.loads((folder / "config.json").read_text())
    text, vision = config["text_config"], config["vision_config"]
    for part in (text, vision):
        part["torch_dtype"] = part.pop("dtype", config["dtype"])
    text["rope_theta"] = text.pop("rope_parameters")["rope_theta"]
    text["rope_scaling"] = None
    del text["head_dim"]
    config.update(torch_dtype=config.pop("dtype"), transformers_version="4.39.0", ignore_index=-100,
                  use_image_newline_parameter=True)
    for key in ("multimodal_projector_bias", "image_seq_length"):
        config.pop(key, None)  # younger than these files
    tiny_tokenizer.dump(folder / "config.json", dict(sorted(config.items())))


# The names that transformers 5.18 writes and those of other versions.
NAMES = {
    "old": {"vision_tower.": "vision_tower.vision_model."},
    "model": {"language_model.lm_head.": "lm_head.", "language_model.model.": "model.language_model.",
              "vision_tower.": "model.vision_tower.vision_model.", "": "model."},
}


def rename(folder, style):
    """The tensors' names as older files, or those written by transformers 4.52 and later, have them."""
    file = folder / "model.safetensors"
    renamed = {}
    for name, tensor in load_file(file).items():
        for found, other in NAMES[style].items():
            if name.startswith(found):
                name = other + name[len(found):]
                break
        renamed[name] = tensor
    if style == "old":  # a buffer that was saved then
        table = renamed["vision_tower.vision_model.embeddings.position_embedding.weight"]
        renamed["vision_tower.vision_model.embeddings.position_ids"] = torch.arange(len(table))[None]
    save_file(renamed, file, metadata={"format": "pt"})


def write_model(spec, data, folder):
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = spec["tokenizer"](data)
    model = LlavaNextForConditionalGeneration(config_for(spec, tokenizer))
    end = spec["names"][1]
    make_models.fill(model, spec["seed"], quiet_ids(tokenizer, end), spec.get("logit_std", 2.0), spec.get("gains"))
    with torch.no_grad():
        model.model.image_newline *= 6  # a vector, which fill() takes for a bias
    model.to(spec["dtype"])
    ids = tokenizer.get_vocab()
    model.generation_config.bos_token_id = ids[spec["names"][0]]
    model.generation_config.eos_token_id = ids[end]
    model.save_pretrained(folder)
    write_files(spec, tokenizer, folder)
    if spec.get("old_spelling"):
        respell(spec, folder)
    if "names_as" in spec:
        rename(folder, spec["names_as"])
    (folder / "model.safetensors").chmod(0o644)


def main():
    parser = argparse.ArgumentParser(description="Writes the tiny LLaVA-NeXT models and their goldens.")
    parser.add_argument("-d", "--data", type=pathlib.Path, help="test data folder")
    parser.add_argument("--only", choices=sorted(MODELS), help="make this model and its goldens only")
    parser.add_argument("--true-size", type=pathlib.Path, metavar="DIR",
                        help="write one directory of Granite Vision 3.2's shape instead")
    parser.add_argument("--text-layers", type=int, default=40, help="of that directory's 40")
    parser.add_argument("--golden-of", type=pathlib.Path, metavar="DIR", help="one golden of a directory instead")
    parser.add_argument("--image", type=pathlib.Path, action="append", default=[])
    parser.add_argument("-p", "--prompt")
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("-t", "--threads", type=int, default=1)
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    if arguments.golden_of:
        oracle = LlavaOracle(arguments.golden_of, arguments.threads)
        question = {"prompt": arguments.prompt, "image_paths": arguments.image}
        print(make_golden.make(oracle, arguments.golden_of.resolve().name, arguments.output, question,
                               arguments.max_new_tokens))
        return
    torch.set_num_threads(1)
    if arguments.true_size:
        write_model(granite_vision(arguments.text_layers), arguments.data, arguments.true_size)
        return
    for name, spec in MODELS.items():
        if arguments.only not in (None, name):
            continue
        folder = arguments.data / "models" / name
        write_model(spec, arguments.data, folder)
        print(f"{name}: {sum(path.stat().st_size for path in folder.iterdir())} bytes")
        oracle = LlavaOracle(folder)
        for golden, (model, prompt, pictures) in GOLDENS.items():
            if model == name:
                paths = [arguments.data / "pictures" / picture for picture in pictures]
                question = {"prompt": prompt, "image_paths": paths}
                print(golden, make_golden.make(oracle, name, arguments.data / "goldens" / golden, question))


if __name__ == "__main__":
    main()
