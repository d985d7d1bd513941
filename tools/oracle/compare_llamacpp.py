# Runs the same questions through galago and llama.cpp on one GGUF file, and reports where the answers part.
# In: the `galago` program, a text model's GGUF file. Out: on stdout a table; with -o a JSON document. For each question:
# are the prompt's ids the same, how many greedy tokens agree, and at the first that does not, llama.cpp's two best
# logits. The engines' noise is measured on the same prompts: the largest difference of a logit at any position.
# --plain OUT first writes the model's weights as F32 (what `gguf` makes of its blocks), without a comparison: there
# llama.cpp does not round activations to 8 bits.
# Needs llama-cpp-python 0.3.36, numpy, jinja2, safetensors and gguf 0.19.0.
# Usage: compare_llamacpp.py --galago PROGRAM -m FILE.gguf [-n 64] [-t 2] [-o report.json] | -m FILE --plain OUT.gguf

import argparse
import ctypes
import json
import pathlib
import subprocess
import tempfile

import gguf
import numpy as np

PROMPTS = [
    "What is the capital of France?",
    "Name three colours of the rainbow.",
    "Write a short poem about the sea.",
    "Explain photosynthesis to a child.",
    "What is 17 + 25?",
    "List the planets of the solar system, from the sun outwards.",
    "Translate to French: The cat sleeps on the red chair.",
    "Why is the sky blue?",
    "Write a Python function that reverses a list.",
    "Who wrote 'Romeo and Juliet'?",
    "Give me a recipe for pancakes with 2 eggs, 250 ml of milk and 125 g of flour.",
    "Summarise in one sentence: The quick brown fox jumps over the lazy dog, and the dog does not care.",
    "What comes next: 1, 1, 2, 3, 5, 8, ...?",
    "Was ist die Hauptstadt von Österreich?",
    "¿Cuántos días tiene un año bisiesto?",
    "日本の首都はどこですか。",
    "Is this sentence positive or negative? \"I've never been so bored in my life!!!\"",
    "Write a polite e-mail to cancel an appointment on 2024-05-17 at 10:30.",
    "def fib(n):\n    if n < 2:\n        return n\n",
    "Tell me a joke about a programmer and a light bulb 💡.",
    "What is the difference between a virus and a bacterium?",
    "   Indented   text\twith tabs\n\nand empty lines: what is it about?",
    "Answer with yes or no: Can penguins fly?",
    "Convert 100 degrees Fahrenheit to Celsius, and show each step.",
]


def write_plain(source, target):
    """The same file with every tensor as F32."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
            continue
        sub = field.types[-1] if len(field.types) > 1 else None
        writer.add_key_value(key, field.contents(), field.types[0], sub_type=sub)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Peer:
    """llama.cpp with a float32 cache, no flash attention, greedy."""

    def __init__(self, path, threads):
        import llama_cpp
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self.api = llama_cpp
        self.llama = llama_cpp.Llama(str(path), n_ctx=1024, n_batch=1024, n_ubatch=1024, n_threads=threads,
                                     n_threads_batch=threads, type_k=0, type_v=0, flash_attn=False, logits_all=True,
                                     verbose=False)
        meta = self.llama.metadata
        token = lambda key: self.llama.detokenize([int(meta[key])], special=True).decode()
        self.formatter = Jinja2ChatFormatter(
            meta["tokenizer.chat_template"], eos_token=token("tokenizer.ggml.eos_token_id"),
            bos_token=token("tokenizer.ggml.bos_token_id"), add_generation_prompt=True)
        self.ends = {int(meta["tokenizer.ggml.eos_token_id"])}

    def ids(self, prompt):
        text = self.formatter(messages=[{"role": "user", "content": prompt}]).prompt
        return self.llama.tokenize(text.encode(), add_bos=False, special=True)

    def logits(self, ids):
        """All positions of a fresh run, [L, V]."""
        self.llama.reset()
        self.llama._ctx.kv_cache_clear()
        self.llama.eval(ids)
        return np.array(self.llama.scores[: len(ids)])

    def step(self, id):
        self.llama.eval([id])
        return np.array(self.llama.scores[self.llama.n_tokens - 1])


def ask_galago(program, model, prompt, tokens, threads):
    command = [program, "run", "-m", model, "-p", prompt, "-n", str(tokens), "-t", str(threads), "--json"]
    answer = subprocess.run(command, capture_output=True, check=True)
    return json.loads(answer.stdout)


def galago_logits(program, model, prompt):
    """The prefill's logits [L, V] out of a trace."""
    from safetensors.numpy import load_file

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "trace.safetensors"
        command = [program, "trace", "-m", model, "-p", prompt, "-n", "1", "-o", str(path)]
        subprocess.run(command, capture_output=True, check=True)
        return load_file(path)["logits"]


def compare(peer, arguments, prompt):
    mine = ask_galago(arguments.galago, arguments.model, prompt, arguments.tokens, arguments.threads)
    ids = peer.ids(prompt)
    row = {"prompt": prompt, "ids": len(ids), "same_ids": ids == mine["prompt_token_ids"], "text": mine["text"]}
    if not row["same_ids"]:
        return row | {"peer_ids": ids, "our_ids": mine["prompt_token_ids"]}
    logits = peer.logits(ids)
    ours = galago_logits(arguments.galago, arguments.model, prompt)
    difference = np.abs(ours - logits)
    row["noise_max"] = float(difference.max())
    row["noise_rms"] = float(np.sqrt(np.mean(np.square(ours - logits))))
    row["same_best"] = int((ours.argmax(-1) == logits.argmax(-1)).sum())
    agree, margins = 0, []
    last = logits[-1]
    for our in mine["token_ids"]:
        best, second = np.argsort(last)[-2:][::-1]
        margin = float(last[best] - last[second])
        if our != int(best):
            row["parts_at"] = agree
            row["margin"] = margin
            row["peer_best"], row["ours"] = peer.llama.detokenize([int(best)]).decode(errors="replace"), our
            row["ours_is_second"] = our == int(second)
            row["ours_below_best"] = float(last[best] - last[our])
            break
        margins.append(margin)
        agree += 1
        if int(best) in peer.ends:
            break
        last = peer.step(int(best))
    return row | {"agree": agree, "of": len(mine["token_ids"]), "least_margin": min(margins, default=None)}


def main():
    parser = argparse.ArgumentParser(description="Compares galago with llama.cpp on a GGUF file.")
    parser.add_argument("--galago", help="the program")
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("-n", "--tokens", type=int, default=64)
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("--plain", help="write the weights as F32 here, and stop")
    parser.add_argument("--limit", type=int, default=len(PROMPTS), help="questions")
    arguments = parser.parse_args()
    if arguments.plain:
        write_plain(arguments.model, arguments.plain)
        return
    peer = Peer(arguments.model, arguments.threads)
    rows = []
    for prompt in PROMPTS[: arguments.limit]:
        row = compare(peer, arguments, prompt)
        rows.append(row)
        end = f"parts, margin {row['margin']:.4f}" if "parts_at" in row else "same"
        print(f"ids {row['ids']:4d} {'same' if row['same_ids'] else 'DIFFER'}  tokens {row.get('agree')}/{row.get('of')}"
              f" {end}  noise {row.get('noise_max', 0):.2e} rms {row.get('noise_rms', 0):.2e}  {prompt[:40]!r}",
              flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(rows, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
