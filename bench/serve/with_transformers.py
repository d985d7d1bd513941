# The photo questions of scenarios.py by transformers alone, as a batch script asks them: so many side by side, then the
# next ones. In: a model directory; how many, how large, how long. Out: one JSON line with the figures of run.py.
# Usage: python bench/serve/with_transformers.py --model DIR --dtype bfloat16 --questions 8 --together 8 --tokens 800 \
#        --size 1191 1684 --threads 2      (wants torch and transformers)

import argparse
import io
import json
import pathlib
import re
import time

import client
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor


class FirstToken:
    """Notes when the first token of a call comes; never stops it."""

    def __init__(self):
        self.at = None

    def __call__(self, ids, scores, **_):
        self.at = self.at or time.monotonic()
        return torch.zeros(len(ids), dtype=torch.bool)


def main():
    parser = argparse.ArgumentParser(description="Photo questions by transformers.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--questions", type=int, default=1)
    parser.add_argument("--together", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 488))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    processor = AutoProcessor.from_pretrained(arguments.model)
    model = AutoModelForImageTextToText.from_pretrained(arguments.model, dtype=getattr(torch, arguments.dtype)).eval()
    message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is in the picture?"}]}]
    prompt = processor.apply_chat_template(message, add_generation_prompt=True)
    firsts = []
    begin = time.monotonic()
    for start in range(0, arguments.questions, arguments.together):
        seeds = range(start, min(start + arguments.together, arguments.questions))
        images = [[Image.open(io.BytesIO(client.png(*arguments.size, seed))).convert("RGB")] for seed in seeds]
        inputs = processor(text=[prompt] * len(images), images=images, return_tensors="pt").to(model.dtype)
        first = FirstToken()
        with torch.inference_mode():
            model.generate(**inputs, do_sample=False, min_new_tokens=arguments.tokens, max_new_tokens=arguments.tokens, stopping_criteria=[first])
        firsts += [first.at - begin] * len(images)
    seconds = time.monotonic() - begin
    peak = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]
    print(json.dumps({"requests": arguments.questions, "seconds": round(seconds, 2),
                      "tokens_per_second": round(arguments.questions * arguments.tokens / seconds, 1),
                      "requests_per_second": round(arguments.questions / seconds, 4),
                      "first_token_ms": client.spread(firsts), "peak_mib": round(int(peak) / 1024, 1)}))


if __name__ == "__main__":
    main()
