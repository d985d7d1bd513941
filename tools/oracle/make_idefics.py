# The rest of the Idefics3 family: Idefics3-8B, SmolVLM2 with videos, SmolDocling, as tiny checkpoints with goldens.
# In: the test data folder (models/, pictures/ and images/animations/ in it). Out: models/<name>, goldens/<name>,
# and video/*.json: what the reference's video processor samples, writes and resizes. The same bytes on every run.
# Videos need torchvision 0.28.0 and num2words 0.5.14 beside the packages that README.md names.
# Usage: python tools/oracle/make_idefics.py -d tests/data [--only NAME]

import argparse
import io
import json
import pathlib
import zlib

import torchvision_python  # noqa: F401, before transformers
import numpy as np
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from PIL import Image, ImageSequence
from transformers import AutoModelForImageTextToText
from transformers.video_utils import VideoMetadata

import make_models
import tiny_tokenizer
import versions
from make_golden import make
from reference import Oracle, check_versions, document_for, write_golden

# Llama 3's words: contractions, letters, numbers of up to three digits, the rest.
LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|eot_id|>"]
IDEFICS3_TEMPLATE = (
    "<|begin_of_text|>{% for message in messages %}{{message['role'].capitalize()}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
GRANITE_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GRANITE_SPECIALS = ["<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<|pad|>"]
DOCTAGS = ["<doctag>", "</doctag>", "<text>", "</text>", "<picture>", "</picture>", "<otsl>", "</otsl>", "<fcel>",
           "<ecel>", "<nl>", "<page_break>"] + [f"<loc_{n}>" for n in range(0, 501, 25)]
DOCLING_TEMPLATE = (
    "{%- for message in messages -%}{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' -}}"
    "{%- for part in message['content'] -%}{%- if part['type'] == 'text' -%}{{- part['text'] -}}"
    "{%- elif part['type'] == 'image' -%}{{- '<image>' -}}{%- endif -%}{%- endfor -%}{{- '<|end_of_text|>\n' -}}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|start_of_role|>assistant<|end_of_role|>' -}}{%- endif -%}"
)

MODELS = {
    # Idefics3-8B in small: 26x26 patches, unshuffle 2, Llama 3's rotary scaling and tokenizer, every added token at
    # the end of the vocabulary, no tile tags, a template that begins with the text's start token.
    "idefics3_llama3": {
        "seed": 18,
        "vocab": 330,
        "scale": 2,
        "vision": dict(hidden_size=36, intermediate_size=70, num_hidden_layers=2, num_attention_heads=3,
                       image_size=52, patch_size=2),
        "text": dict(hidden_size=48, intermediate_size=100, num_hidden_layers=2, num_attention_heads=6,
                     num_key_value_heads=2, max_position_embeddings=2048,
                     rope_parameters=dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
                                          high_freq_factor=4.0, original_max_position_embeddings=256)),
        "longest_edge": 104,
        "dtype": torch.bfloat16,
        "tokenizer": dict(words=LLAMA3_WORDS, specials=LLAMA3_SPECIALS, bos=True),
        "names": dict(bos="<|begin_of_text|>", eos="<end_of_utterance>", pad="<|finetune_right_pad_id|>"),
        "template": IDEFICS3_TEMPLATE,
    },
    # SmolVLM2-500M in small: grouped heads three to one, settings of videos as the hub has them.
    "smolvlm2_video": {
        "seed": 12,
        "vocab": 360,
        "scale": 4,
        "smolvlm": True,
        "old_spelling": True,
        "tied": True,
        "vision": dict(hidden_size=32, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
                       image_size=64, patch_size=8),
        "text": dict(hidden_size=48, intermediate_size=128, num_hidden_layers=2, num_attention_heads=3,
                     num_key_value_heads=1, max_position_embeddings=2048, rope_theta=100000.0),
        "longest_edge": 256,
        "video_sampling": dict(fps=1, max_frames=8, video_size=dict(longest_edge=64)),
        "dtype": torch.bfloat16,
    },
    # Granite-Docling in small: another tokenizer and template, DocTags among the special tokens.
    "docling": {
        "seed": 14,
        "vocab": 370,
        "scale": 4,
        "tied": True,
        "vision": dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                       image_size=64, patch_size=8),
        "text": dict(hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=6,
                     num_key_value_heads=2, max_position_embeddings=2048, rope_theta=100000.0),
        "longest_edge": 256,
        "dtype": torch.bfloat16,
        "tokenizer": dict(words=GRANITE_WORDS, specials=GRANITE_SPECIALS,
                          added=tiny_tokenizer.IMAGE_TAGS + DOCTAGS, bos=False),
        "names": dict(bos="<|end_of_text|>", eos="<|end_of_text|>", pad="<|pad|>"),
        "template": DOCLING_TEMPLATE,
        "loud": DOCTAGS,
    },
}

# golden: model directory, question, pictures, and where wanted system, options, given pixels
GOLDENS = {
    "idefics3_llama3": (
        "idefics3_llama3", "What's in this image of 1234 stars?", ["shapes_100x80.png"],
        {"options": {"do_image_splitting": False}},
    ),
    "idefics3_llama3_partial": (
        "idefics3_llama3", "Describe it.", ["shapes_37x90.png"],
        {"options": {"do_image_splitting": False}, "given": True},
    ),
    "docling": ("docling", "Convert this page to docling.", ["shapes_300x60.jpg"], {}),
    "smolvlm2_image": (
        "smolvlm2_video", "What is in this image?", ["shapes_100x80.png"], {"options": {"do_image_splitting": False}}
    ),
}
# model, question and pictures of prompts whose ids alone are recorded: tile tags that are special tokens or text
PROMPTS = [
    ("idefics3_llama3", "What's in this image of 1234 stars?", ["shapes_300x60.jpg"]),
    ("idefics3_llama3", "I'LL compare  the\n\n two images, 7 by 123456.", ["shapes_100x80.png", "shapes_37x90.png"]),
    ("idefics3_llama3", "No picture here.", []),
    ("docling", "Convert this page to docling.", ["shapes_100x80.png"]),
    ("docling", "Convert formula to LaTeX: a<loc_125>b", ["shapes_37x90.png", "shapes_300x60.jpg"]),
    ("smolvlm2_video", "Compare the two images.", ["shapes_37x90.png", "shapes_300x60.jpg"]),
]
# golden: question, videos as (file of images/animations or folder of pictures, fps or None), system
VIDEO_GOLDENS = {
    "video_gif": ("What happens in the video?", [("clip.gif", None)], None),
    "video_webp_system": ("Describe it.", [("mixed.webp", None)], "You are a helpful assistant."),
    "two_videos": ("Compare them.", [("lossy.webp", 2.0), ("still.webp", None)], None),
    "video_folder": ("How many frames?", [("frames", 0.5)], None),
}


def build_tokenizer(vocab, words, specials, added=(), bos=False):
    """A byte-level BPE in which every added token comes after the learned ids."""
    added = [*specials, *added, *tiny_tokenizer.MEDIA_TOKENS]
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(words), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab - len(added), show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(tiny_tokenizer.corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in added])
    steps = [processors.ByteLevel(trim_offsets=True)]
    if bos:
        start = specials[0]
        steps.append(processors.TemplateProcessing(
            single=f"{start} $A", pair=f"{start} $A {start}:1 $B:1",
            special_tokens=[(start, tokenizer.token_to_id(start))]))
    tokenizer.post_processor = processors.Sequence(steps)
    if tokenizer.get_vocab_size() != vocab:
        raise SystemExit(f"the corpus gave {tokenizer.get_vocab_size()} ids, {vocab} were asked for")
    return tokenizer


def write_tokenizer(tokenizer, spec, folder):
    names = {f"{key}_token": value for key, value in spec["names"].items()}
    tiny_tokenizer.dump(folder / "tokenizer.json", json.loads(tokenizer.to_str()))
    config = {
        "additional_special_tokens": ["<fake_token_around_image>", "<image>", "<end_of_utterance>"],
        "clean_up_tokenization_spaces": False,
        "model_max_length": 131072,
        "processor_class": "Idefics3Processor",
        "tokenizer_class": "PreTrainedTokenizerFast",
        **names,
    }
    tiny_tokenizer.dump(folder / "tokenizer_config.json", config)
    tiny_tokenizer.dump(folder / "special_tokens_map.json", names)
    tiny_tokenizer.dump(folder / "chat_template.json", {"chat_template": spec["template"]})


def write_model(spec, folder):
    """Writes a model whose tokenizer is its own; the others are made_models.write_model's."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = build_tokenizer(spec["vocab"], **spec["tokenizer"])
    ids = tokenizer.get_vocab()
    names = {key: ids[text] for key, text in spec["names"].items()}
    stand_ins = {"<|im_end|>": names["pad"], **ids}
    config = make_models.config_for(spec, stand_ins)
    config.text_config.bos_token_id, config.text_config.eos_token_id = names["bos"], names["eos"]
    model = AutoModelForImageTextToText.from_config(config)
    loud = [ids[text] for text in spec.get("loud", [])]
    quiet = [number for text, number in ids.items()
             if (text.startswith("<") and number not in loud and number != names["eos"])
             or (len(text) == 1 and not text.isascii() and text != "\u0120")]
    make_models.fill(model, spec["seed"], quiet)
    if loud:
        with torch.no_grad():
            model.model.text_model.embed_tokens.weight[loud] *= 1.2
    model.to(spec["dtype"])
    for key, value in names.items():
        setattr(model.generation_config, f"{key}_token_id", value)
    model.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
    write_tokenizer(tokenizer, spec, folder)
    make_models.write_processor(spec, folder)


def add_video_settings(spec, folder):
    """preprocessor_config.json and tokenizer_config.json as SmolVLM2 has them on the hub."""
    path = folder / "preprocessor_config.json"
    tiny_tokenizer.dump(path, {**json.loads(path.read_text()), "video_sampling": spec["video_sampling"]})
    path = folder / "tokenizer_config.json"
    config = {**json.loads(path.read_text()), "processor_class": "SmolVLMProcessor"}
    config.update(image_token="<image>", fake_image_token="<fake_token_around_image>",
                  global_image_token="<global-img>", end_of_utterance_token="<end_of_utterance>")
    tiny_tokenizer.dump(path, config)


def write_prompts(data):
    """prompts.json: the ids of PROMPTS."""
    rows = []
    for model, prompt, pictures in PROMPTS:
        oracle = Oracle(data / "models" / model)
        *_, inputs, _ = oracle.prepare(prompt, [data / "pictures" / picture for picture in pictures])
        rows.append({"model": model, "prompt": prompt, "pictures": pictures, "ids": inputs["input_ids"][0].tolist()})
    write_rows(data / "text" / "idefics3_prompts.json", rows)


# Videos ------------------------------------------------------------------------------------------------------------


def read_video(path, fps):
    """Frames [n, H, W, 3] and what is known of them, as galago reads them."""
    if path.is_dir():
        frames = [Image.open(file).convert("RGB") for file in sorted(path.iterdir())]
        length = None
    else:
        frames, length = [], 0
        for frame in ImageSequence.Iterator(Image.open(path)):
            frames.append(frame.convert("RGB"))
            length += int(frame.info.get("duration", 0)) or 100
    count = len(frames)
    duration = count / fps if fps else length / 1000
    fps = fps or count / duration
    return np.stack([np.array(frame) for frame in frames]), VideoMetadata(count, fps=fps, duration=duration)


def video_golden(oracle, data, name, question, videos, system, max_new_tokens=64):
    """One question about videos, through SmolVLMProcessor with the PIL image processor."""
    from transformers import AutoVideoProcessor
    from transformers.models.smolvlm.processing_smolvlm import DEFAULT_CHAT_TEMPLATE, SmolVLMProcessor

    output = data / "goldens" / name
    paths = [data / "images" / "animations" / file for file, _ in videos]
    processor = SmolVLMProcessor(
        oracle.processor.image_processor, oracle.processor.tokenizer, AutoVideoProcessor.from_pretrained(oracle.folder),
        image_seq_len=oracle.processor.image_seq_len, chat_template=DEFAULT_CHAT_TEMPLATE,
    )
    messages = [{"role": "user", "content": [{"type": "video"} for _ in videos] + [{"type": "text", "text": question}]}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
    rendered = processor.apply_chat_template(messages, add_generation_prompt=True)
    arrays, metadata = zip(*(read_video(path, fps) for path, (_, fps) in zip(paths, videos)))
    settings = processor.video_processor

    def prepare(**more):
        return processor(text=[rendered], videos=[list(arrays)], return_tensors="pt", do_sample_frames=True,
                         video_metadata=[VideoMetadata(**dict(m)) for m in metadata], fps=settings.fps,
                         num_frames=settings.num_frames, **more)

    inputs = prepare()
    bytes_only = prepare(do_rescale=False, do_normalize=False)["pixel_values"]
    if bytes_only.dtype != torch.uint8:
        raise SystemExit(f"expected uint8 frames before rescaling, got {bytes_only.dtype}")
    if not 0 < inputs["pixel_values"].abs().max() <= 1:
        raise SystemExit("expected pixels normalised to -1..1")
    real = (inputs["pixel_values"] != 0).any(dim=(2, 3, 4))  # shorter videos are padded with frames of zeros
    expanded = oracle.processor.tokenizer.decode(inputs["input_ids"][0], clean_up_tokenization_spaces=False)
    tensors, facts = oracle.record(inputs, max_new_tokens)
    for key in ("pixel_values", "pixel_attention_mask"):
        tensors[key] = inputs[key][real]
    tensors["pixel_attention_mask"] = tensors["pixel_attention_mask"].to(torch.uint8)
    tensors["pixel_values_u8"] = bytes_only[real]
    document = document_for("smolvlm2_video", {"prompt": question, "system": system, "images": []},
                            (messages, rendered, expanded), facts, max_new_tokens)
    document["videos"] = [{"path": f"../../images/animations/{file}", **({"fps": fps} if fps else {})}
                          for file, fps in videos]
    write_golden(output, tensors, document, keep_pixels=name == "video_webp_system")
    print(name, f"L={len(tensors['input_ids'])} N={len(tensors['pixel_values'])} n={len(tensors['generated_ids'])}",
          f"distinct={len(set(tensors['generated_ids'].tolist()))} min_margin={facts['min_margin']:.5f}")


def write_clips(folder):
    """clip.gif: 12 frames over 6 seconds; frames/: four pictures."""
    frames = []
    for step in range(12):
        frame = Image.new("RGB", (60, 44), (30 + 15 * step, 90, 200 - 12 * step))
        frame.paste((250, 40 + 15 * step, 30), (step * 4, step * 2, step * 4 + 15, step * 2 + 12))
        frames.append(frame)
    frames[0].save(folder / "clip.gif", save_all=True, append_images=frames[1:], duration=[300, 700] * 6)
    (folder / "frames").mkdir(exist_ok=True)
    for step in range(4):
        frames[step * 3].resize((90, 33)).save(folder / "frames" / f"frame_{step}.png")


def sampling_rows(processor):
    """Indices for many lengths, rates and settings."""
    rows = []
    for frames in (1, 2, 5, 10, 30, 31, 100, 299, 900, 5000, 86400):
        for rate in (0.5, 1.0, 2.0, 10.0, 23.976, 25.0, 29.97, 30.0, 60.0):
            for fps, most in ((1, 64), (1, 8), (2, 16), (0.5, 4), (0, 4), (10, 1)):
                metadata = VideoMetadata(frames, fps=rate, duration=frames / rate)
                indices = processor.sample_frames(metadata, num_frames=most, fps=fps)
                rows.append([frames, rate, fps, most, zlib.crc32(json.dumps(indices.tolist()).encode())])
    return rows


def resize_rows():
    """CRC-32 of torch's resize of the picture of image_goldens.py, for every filter."""
    from image_goldens import synthetic
    from torchvision.transforms.v2 import functional

    modes = {name: getattr(functional.InterpolationMode, name.upper()) for name in ("lanczos", "bicubic", "bilinear")}
    rows = []
    for size in ((60, 40), (80, 100), (300, 512), (700, 20), (5, 3), (9, 1), (33, 33), (640, 360)):
        tensor = torch.from_numpy(np.array(synthetic(*size))).permute(2, 0, 1).contiguous()[None]
        for target in ((23, 17), (64, 64), (200, 99), (9, 7), (size[0], 9), (9, size[1]), (2, 150)):
            for name, mode in modes.items():
                out = functional.resize(tensor, (target[1], target[0]), interpolation=mode, antialias=True)
                rows.append([*size, *target, name, zlib.crc32(out[0].permute(1, 2, 0).contiguous().numpy().tobytes())])
    return rows


def tile_rows(processor):
    """CRC-32 of a frame after both resizes, for sizes and settings; and of its floats."""
    from image_goldens import synthetic

    rows = []
    for size in ((60, 44), (44, 60), (1, 50), (333, 99), (64, 64), (500, 3)):
        frame = torch.from_numpy(np.array(synthetic(*size))).permute(2, 0, 1)[None].contiguous()
        for edge, side in ((64, 64), (256, 64), (2048, 128), (100, 52), (9000, 32)):
            if edge > 2000 and size != (60, 44):
                continue
            processor.max_image_size = {"longest_edge": side}  # the reference takes no other for a single call
            for mean, std in (([0.5] * 3, [0.5] * 3), ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])):
                options = dict(size={"longest_edge": edge}, return_tensors="pt", do_sample_frames=False)
                planes = processor([frame], do_rescale=False, do_normalize=False, **options)["pixel_values"]
                floats = processor([frame], image_mean=mean, image_std=std, **options)["pixel_values"]
                rows.append([*size, edge, side, mean, std, zlib.crc32(planes.numpy().tobytes()),
                             zlib.crc32(floats.numpy().tobytes())])
    return rows


def word_rows():
    from datetime import timedelta

    from num2words import num2words

    numbers = [*range(0, 130), 199, 200, 201, 999, 1000, 1001, 1021, 1100, 1234, 4096, 10000, 20020, 99999, 100001,
               234567, 999999]
    seconds = [0, 1, 59, 60, 61, 3599, 3600, 3661, 36000, 86399, 86400, 90061, 172800, 999999]
    return {"numbers": [[n, num2words(n)] for n in numbers], "durations": [[s, str(timedelta(seconds=s))] for s in seconds]}


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def write_video_tables(data, folder):
    from transformers import AutoVideoProcessor

    processor = AutoVideoProcessor.from_pretrained(folder)
    write_rows(data / "video" / "sampling.json", sampling_rows(processor))
    write_rows(data / "video" / "resize.json", resize_rows())
    write_rows(data / "video" / "tiles.json", tile_rows(processor))
    (data / "video" / "words.json").write_text(json.dumps(word_rows(), indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-d", "--data", type=pathlib.Path, required=True, help="test data folder")
    parser.add_argument("--only", help="make this model or golden, 'prompts' or 'tables' only")
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    check_versions()
    torch.set_num_threads(1)
    data, wanted = arguments.data, lambda name: arguments.only in (None, name)
    for name, spec in MODELS.items():
        folder = data / "models" / name
        if not wanted(name):
            continue
        if "tokenizer" in spec:
            write_model(spec, folder)
        else:
            make_models.write_model(name, spec, folder)
            add_video_settings(spec, folder)
        print(f"{name}: {sum(path.stat().st_size for path in folder.iterdir())} bytes")
    for name, (model, prompt, pictures, extra) in GOLDENS.items():
        if wanted(name):
            from make_goldens import padded_tiles

            oracle = Oracle(data / "models" / model)
            question = {"prompt": prompt, "image_paths": [data / "pictures" / p for p in pictures], **extra}
            side = oracle.model.config.vision_config.image_size
            given = padded_tiles(question["image_paths"], side) if question.pop("given", False) else None
            print(name, make(oracle, model, data / "goldens" / name, question, given=given))
    if wanted("prompts"):
        write_prompts(data)
    if any(wanted(name) for name in (*VIDEO_GOLDENS, "tables")):
        write_clips(data / "images" / "animations")
    if wanted("tables"):
        write_video_tables(data, data / "models" / "smolvlm2_video")
    for name, (question, videos, system) in VIDEO_GOLDENS.items():
        if wanted(name):
            video_golden(Oracle(data / "models" / "smolvlm2_video"), data, name, question, videos, system)


if __name__ == "__main__":
    main()
