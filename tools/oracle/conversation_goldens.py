# Prompts of generated conversations, as transformers' apply_chat_template writes and tokenizes them.
# In: the tiny checkpoints of tests/data/models. Out: tests/data/text/conversations.json: for each the model, the
# messages (a picture is its width and height), what else the template gets ("whole": the template WHOLE), and the ids as runs [id, count], or
# "error" where the template refuses the conversation.
# Usage: python3 tools/oracle/conversation_goldens.py   Reference: transformers 5.18 ProcessorMixin.apply_chat_template,
# PreTrainedTokenizerBase.apply_chat_template, render_jinja_template.

import json
import pathlib
import random
import warnings

import versions
from jinja2 import TemplateError
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor

DATA = pathlib.Path(__file__).resolve().parents[2] / "tests" / "data"
SEEN = {"smolvlm_tiles": Idefics3Processor, "idefics3_llama3": Idefics3Processor, "idefics3_mistral": Idefics3Processor,
        "docling": Idefics3Processor, "smolvlm2_video": Idefics3Processor, "llava_granite": LlavaNextProcessor,
        "llava_mistral": LlavaNextProcessor, "llava_clip": LlavaNextProcessor}
TEXT = ["text_smollm2", "text_llama2", "text_llama3", "text_mistral", "text_granite"]
EACH = 20

TEXTS = ["What is in the picture?", "a", " two  spaces ", "Zwei Katzen sitzen auf der Mauer.", "Qu'y a-t-il \u00e0 gauche ?",
         "\u8fd9\u662f\u4ec0\u4e48\uff1f", "\u0427\u0442\u043e \u044d\u0442\u043e?", "\u3053\u308c\u306f\u4f55\u3067\u3059\u304b\u3002",
         "\u0645\u0627 \u0647\u0630\u0627\u061f", "line one\nline two\n", "1 + 1 = 2", "{{ not a template }}", "caf\u00e9 \U0001f431",
         "And the other one?", "Yes.", "It shows a red square and 3 circles."]
SIZES = [(20, 20), (64, 64), (100, 80), (40, 90), (33, 17)]
TOOLS = [{"type": "function", "function": {"name": "zoom", "description": "Looks closer \u2013 'now'.", "parameters": {
    "type": "object", "properties": {"x": {"type": "number"}, "a": {"type": "integer", "enum": [1, 2]}}, "required": ["x"]}}}]
CALL = {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "zoom", "arguments": {"x": 1.5, "a": 2}}}]}

# Written for the goldens: a template that shows its whole context.
WHOLE = (
    "{{ bos_token }}[{{ unk_token }}|{{ pad_token }}|{{ style }}|{{ documents }}]\n"
    "{%- if tools %}{% for tool in tools %}{{ tool | tojson }}\n{{ tool }}{% endfor %}{% endif %}"
    "{%- for message in messages %}<{{ message.role }}>{{ message.name }}"
    "{%- for call in message.tool_calls %}[{{ call.function.name }} {{ call.function.arguments | tojson }}]{% endfor %}"
    "{%- if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{{ part.text if part.type == 'text' else '<image>' }}{% endfor %}{% endif %}</>\n{% endfor %}"
    "{%- if add_generation_prompt %}<assistant>{% endif %}"
)


def processor_of(name):
    folder = DATA / "models" / name
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if name not in SEEN:
        return tokenizer
    kind = SEEN[name]
    values, _ = kind.get_processor_dict(folder)
    values = {key: values[key] for key in ("image_seq_len", "patch_size", "vision_feature_select_strategy", "image_token",
                                           "num_additional_image_tokens") if key in values}
    images = AutoImageProcessor.from_pretrained(folder, backend="pil")
    template = kind.get_processor_dict(folder)[0].get("chat_template") or tokenizer.chat_template
    return kind(images, tokenizer, chat_template=template, **values)


def parts_of(draw, pictures):
    parts = [{"type": "text", "text": draw.choice(TEXTS)} for _ in range(draw.randint(1, 2))]
    for _ in range(pictures):
        parts.insert(draw.randint(0, len(parts)), {"type": "image", "size": draw.choice(SIZES)})
    return parts


def conversation(draw, seen):
    """1 to 8 turns, up to 6 pictures."""
    messages, left = [], draw.choice([0, 1, 1, 2, 3, 6]) if seen else 0
    if draw.random() < 0.3:
        messages.append({"role": "system", "content": parts_of(draw, 0)})
    for turn in range(draw.randint(1, 8)):
        role = "assistant" if turn % 2 else "user"
        pictures = min(left, draw.randint(0, 3)) if role == "user" else 0
        left -= pictures
        messages.append({"role": role, "content": parts_of(draw, pictures)})
    return messages


def case(draw, name):
    made = {"model": name, "messages": conversation(draw, name in SEEN), "add_generation_prompt": draw.random() < 0.7}
    if draw.random() < 0.25:
        made["add_generation_prompt"] = False
        made["continue_final_message"] = True
    if draw.random() < 0.4:
        made["whole"] = True
        made["arguments"] = {"style": draw.choice(["plain", 3, None, [1, "b"], {"z": True, "a": 1.0}])}
        if draw.random() < 0.6:
            made["tools"] = TOOLS
        if draw.random() < 0.5:
            made["messages"][-1]["fields"] = dict(CALL, name="bo\u00df")
    return made


def for_reference(messages, seen):
    """The messages as the reference takes them: parts with pictures, or texts joined for a text model."""
    out = []
    for message in messages:
        entry = {"role": message["role"], **message.get("fields", {})}
        if seen:
            entry["content"] = [dict(part, image=Image.new("RGB", tuple(part["size"]))) if part["type"] == "image"
                                else dict(part) for part in message["content"]]
            for part in entry["content"]:
                part.pop("size", None)
        else:
            entry["content"] = "".join(part["text"] for part in message["content"])
        out.append(entry)
    return out


def ids_of(processor, made):
    seen = made["model"] in SEEN
    settings = {"add_generation_prompt": made["add_generation_prompt"], "tools": made.get("tools"),
                "continue_final_message": made.get("continue_final_message", False), **made.get("arguments", {})}
    if made.get("whole"):
        settings["chat_template"] = WHOLE
    if seen:  # LLaVA-NeXT's processor does not say so; its model then does
        text = processor.apply_chat_template(for_reference(made["messages"], seen), **settings)
        pictures = sum(part["type"] == "image" for message in made["messages"] for part in message["content"])
        if text.count(processor.image_token) != pictures:
            raise ValueError("pictures behind the text that is continued")
    out = processor.apply_chat_template(for_reference(made["messages"], seen), tokenize=True, return_dict=True, **settings)
    ids = out["input_ids"]
    return list(map(int, ids[0] if isinstance(ids[0], list) or getattr(ids, "ndim", 1) == 2 else ids))


def runs(ids):
    out = []
    for one in ids:
        if out and out[-1][0] == one:
            out[-1][1] += 1
        else:
            out.append([one, 1])
    return [one if count == 1 else [one, count] for one, count in out]


def main():
    versions.check("transformers", "tokenizers", "pillow")
    warnings.filterwarnings("ignore")
    draw = random.Random(15)
    cases, refused = [], 0
    for name in [*SEEN, *TEXT]:
        processor = processor_of(name)
        for _ in range(EACH):
            made = case(draw, name)
            try:
                made["ids"] = runs(ids_of(processor, made))
            except (TemplateError, ValueError) as error:
                made["error"] = str(error).split("!")[0][:80]
                refused += 1
            cases.append(made)
    path = DATA / "text" / "conversations.json"
    lines = ",\n".join(json.dumps(made, ensure_ascii=False, separators=(",", ":")) for made in cases)
    path.write_text(f'{{"whole":{json.dumps(WHOLE)},\n"cases":[\n{lines}\n]}}\n')
    print(f"{len(cases)} conversations, {refused} refused, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
