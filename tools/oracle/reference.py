# Runs transformers on one model directory and records every station of the run: the oracle itself.
# In: a Hugging Face directory, picture files, a question. Out: a folder with golden.json and trace.safetensors.
# Fixed for every golden: PIL image processor, float32, eager attention, CPU, one thread, greedy decoding.
# Reference: transformers 5.18.0, models/idefics3 and models/smolvlm. Tensor names and shapes: README.md.

import json
import os

import numpy as np
import PIL
import torch
import transformers
import versions
from safetensors.torch import save_file
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
from transformers.image_utils import load_image
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

PIXELS_LIMIT = 200_000  # bytes of float pixels kept in a trace unless asked for


def check_versions():
    """Stops when other packages run than were asked for: a golden must say what made it."""
    versions.check("transformers", "torch", "pillow")


def generated_logprobs(logits, generated):
    """Of each generated token [n], and of the 20 likeliest at its place [n, 20], largest first: log_softmax in double
    precision of the logits that the model gave."""
    rows = torch.log_softmax(torch.stack([step[0] for step in logits]).double(), dim=-1)
    own = rows.gather(1, generated[:, None])[:, 0]
    return {"generated_logprobs": own.float(), "generated_top_logprobs": torch.topk(rows, 20).values.float()}


class Oracle:
    """A model directory loaded as the reference: float32 model, processor on the PIL path."""

    def __init__(self, folder, threads=1):
        check_versions()
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True)
        self.folder = os.fspath(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(
            self.folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
        ).eval()
        self.processor = self._load_processor()

    def _load_processor(self):
        # The processor class of both families writes the same text for pictures. SmolVLMProcessor is not used
        # because it also wants a video processor and num2words, which pictures do not need.
        kwargs, _ = Idefics3Processor.get_processor_dict(self.folder)
        images = AutoImageProcessor.from_pretrained(self.folder, backend="pil")
        if not type(images).__name__.endswith("Pil"):
            raise SystemExit(f"expected the PIL image processor, got {type(images).__name__}")
        # What AutoTokenizer makes of the directory counts, also where the class that tokenizer_config.json names
        # builds its own pre-tokenizer instead of the one in tokenizer.json (GPT2Tokenizer does).
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        template = kwargs.get("chat_template") or tokenizer.chat_template
        return Idefics3Processor(
            images, tokenizer, image_seq_len=kwargs.get("image_seq_len", 169), chat_template=template
        )

    def prepare(self, prompt, image_paths, system=None, options=None):
        """Question and pictures -> what the processor gives, with the texts on the way. Images come first."""
        content = [{"type": "image"} for _ in image_paths] + [{"type": "text", "text": prompt}]
        messages = [{"role": "user", "content": content}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
        rendered = self.processor.apply_chat_template(messages, add_generation_prompt=True)
        images = [load_image(os.fspath(path)) for path in image_paths]
        nested = [images] if images else None
        # As apply_chat_template(tokenize=True) does: a start token that the template wrote is not added again.
        bos = self.processor.tokenizer.bos_token
        inputs = self.processor(
            text=rendered, images=nested, return_tensors="pt",
            add_special_tokens=bos is None or not rendered.startswith(bos), **(options or {}),
        )
        expanded = self.processor.tokenizer.decode(
            inputs["input_ids"][0], skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        bytes_only = None
        if images:
            bytes_only = self.processor.image_processor(
                nested, return_tensors="np", do_rescale=False, do_normalize=False, **(options or {})
            )["pixel_values"][0]
            if bytes_only.dtype != np.uint8:
                raise SystemExit(f"expected uint8 tiles before rescaling, got {bytes_only.dtype}")
        return messages, rendered, expanded, inputs, bytes_only

    def record(self, inputs, max_new_tokens):
        """Runs the prefill once with hooks and the greedy generation once -> (tensors, text facts)."""
        tensors = self._prefill(inputs)
        with torch.no_grad():
            result = self.model.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=max_new_tokens,
                return_dict_in_generate=True,
                output_logits=True,
            )
        length = inputs["input_ids"].shape[1]
        generated = result.sequences[0, length:]
        margins = []
        for step in result.logits:
            best = torch.topk(step[0].float(), 2).values
            margins.append(float(best[0] - best[1]))
        tensors["generated_ids"] = generated
        tensors |= generated_logprobs(result.logits, generated)
        decode = self.processor.tokenizer.decode
        facts = {
            "generated_text": decode(generated, skip_special_tokens=True, clean_up_tokenization_spaces=False),
            "generated_text_with_special": decode(
                generated, skip_special_tokens=False, clean_up_tokenization_spaces=False
            ),
            "min_margin": min(margins),
            "stopped_at_eos": len(generated) < max_new_tokens,
        }
        return tensors, facts

    def _prefill(self, inputs):
        seen = {}
        core = self.model.model

        def keep(name, pick):
            def hook(module, args, kwargs, output):
                seen[name] = pick(args, kwargs, output).detach().clone()

            return hook

        hooks = [
            core.text_model.register_forward_hook(
                keep("inputs_embeds", lambda args, kwargs, out: kwargs["inputs_embeds"][0]), with_kwargs=True
            ),
            core.vision_model.register_forward_hook(
                keep("vision_last_hidden_state", lambda args, kwargs, out: out.last_hidden_state), with_kwargs=True
            ),
            core.vision_model.embeddings.position_embedding.register_forward_hook(
                keep("vision_position_ids", lambda args, kwargs, out: args[0]), with_kwargs=True
            ),
            core.connector.register_forward_hook(
                keep("connector_output", lambda args, kwargs, out: out), with_kwargs=True
            ),
        ]
        with torch.no_grad():
            seen["logits"] = self.model(**inputs).logits[0].float()
        for hook in hooks:
            hook.remove()
        seen["input_ids"] = inputs["input_ids"][0]
        if "pixel_values" in inputs:
            image_token = self.model.config.image_token_id
            seen["image_rows"] = seen["inputs_embeds"][seen["input_ids"] == image_token]
            seen["pixel_values"] = inputs["pixel_values"][0]
            if "pixel_attention_mask" in inputs:
                seen["pixel_attention_mask"] = inputs["pixel_attention_mask"][0].to(torch.uint8)
        return seen


def write_golden(folder, tensors, document, keep_pixels=None):
    """Writes trace.safetensors and golden.json. Float pixels stay when small, or as keep_pixels says."""
    os.makedirs(folder, exist_ok=True)
    tensors = dict(tensors)
    if "pixel_values" in tensors:
        size = tensors["pixel_values"].numel() * 4
        keep = size <= PIXELS_LIMIT if keep_pixels is None else keep_pixels
        if not keep and "pixel_values_u8" in tensors:
            del tensors["pixel_values"]
    save_file({name: value.contiguous() for name, value in sorted(tensors.items())},
              os.path.join(folder, "trace.safetensors"))
    with open(os.path.join(folder, "golden.json"), "w") as out:
        json.dump(document, out, indent=2, ensure_ascii=False)
        out.write("\n")


def document_for(name, question, texts, facts, max_new_tokens):
    """The content of golden.json. question: prompt, system, images, options; texts: messages, rendered, expanded."""
    return {
        "model": name,
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "pillow": PIL.__version__,
        "prompt": question["prompt"],
        "system": question.get("system"),
        "messages": texts[0],
        "images": question["images"],
        "options": question.get("options") or {},
        "rendered_prompt": texts[1],
        "expanded_prompt": texts[2],
        "max_new_tokens": max_new_tokens,
        **facts,
    }
