# transformers on torch behind the protocol of compare.py.
# In: a Hugging Face directory, float32 or bfloat16 arithmetic. Out: times of one tile, a whole picture, prefill, decode.

import argparse

import protocol

OUT = protocol.take_over_stdout()  # before libraries are imported: some print

import torch  # noqa: E402
import transformers  # noqa: E402
from PIL import Image  # noqa: E402
from transformers import AutoModelForImageTextToText, AutoProcessor, DynamicCache  # noqa: E402


class Torch:
    def __init__(self, arguments):
        torch.set_num_threads(arguments.threads)
        torch.set_grad_enabled(False)
        dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[arguments.dtype]
        self.processor = AutoProcessor.from_pretrained(arguments.model)
        self.model = AutoModelForImageTextToText.from_pretrained(arguments.model, dtype=dtype, attn_implementation="sdpa")
        self.model.eval()
        vision = self.model.config.vision_config
        side = vision.image_size // vision.patch_size
        self.pixels = torch.randn(1, 3, vision.image_size, vision.image_size).to(dtype)
        self.mask = torch.ones(1, side, side, dtype=torch.bool)

    def some_ids(self, count):
        vocabulary = self.model.config.text_config.vocab_size
        return torch.tensor([[index * 7919 % (vocabulary - 200) for index in range(count)]])

    def tile(self, request):
        tower = self.model.model.vision_model
        run = lambda: tower(pixel_values=self.pixels, patch_attention_mask=self.mask)  # noqa: E731
        return {"ms": protocol.milliseconds(run)[0]}

    def rows(self, ids, cache):
        """Hidden rows of the text model and the logits of the last, as generate() asks for them."""
        hidden = self.model.model.text_model(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state
        return self.model.lm_head(hidden[:, -1:])

    def prefill(self, request):
        ids = self.some_ids(request["context"])
        return {"ms": protocol.milliseconds(lambda: self.rows(ids, DynamicCache()))[0]}

    def decode(self, request):
        """Milliseconds of one token after `context`, the mean of `steps`."""
        cache = DynamicCache()
        self.rows(self.some_ids(request["context"]), cache)
        ids = self.some_ids(request["steps"])
        ms, _ = protocol.milliseconds(lambda: [self.rows(ids[:, i : i + 1], cache) for i in range(request["steps"])])
        return {"ms": ms / request["steps"]}

    def photo(self, request):
        """From a picture's file to the first token."""

        def answer():
            content = [{"type": "image"}, {"type": "text", "text": request["prompt"]}]
            text = self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
            with Image.open(request["image"]) as image:
                inputs = self.processor(text=text, images=[[image.convert("RGB")]], return_tensors="pt")
            inputs["pixel_values"] = inputs["pixel_values"].to(self.pixels.dtype)
            self.model.generate(**inputs, max_new_tokens=1, do_sample=False)
            return inputs["input_ids"].shape[1]

        ms, tokens = protocol.milliseconds(answer)
        return {"ms": ms, "prompt_tokens": tokens}


def main():
    parser = argparse.ArgumentParser(description="transformers behind bench/peers/compare.py.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", choices=["f32", "bf16"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()

    def load():
        torch_model = Torch(arguments)
        tasks = {"tile": torch_model.tile, "photo": torch_model.photo, "prefill": torch_model.prefill,
                 "decode": torch_model.decode}
        onednn = ", bfloat16 in oneDNN" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else ""
        facts = {"version": f"transformers {transformers.__version__}, torch {torch.__version__}",
                 "asked": f"{torch_model.pixels.dtype}, attention by scaled_dot_product_attention".replace("torch.", ""),
                 "ran": f"kernels of {torch.backends.cpu.get_cpu_capability()}{onednn if arguments.dtype == 'bf16' else ''}"}
        return facts, tasks

    protocol.serve(OUT, load)


if __name__ == "__main__":
    main()
