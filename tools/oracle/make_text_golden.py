# Makes one golden of a text model: runs transformers on a model directory and a question, and writes what it saw.
# In: -m a Hugging Face directory of a text model, -p the question (or, with --raw, a text to continue). Out: a folder
# with golden.json and trace.safetensors, which `galago verify -m DIR --golden FOLDER` compares with its own run.
# Fixed: float32, eager attention, CPU, one thread, greedy decoding. Reference: transformers 5.18.0 AutoModelForCausalLM.
# Usage: python tools/oracle/make_text_golden.py -m DIR -p "What is a galago?" -o GOLDEN [--raw] [--system TEXT]
#        [--max-new-tokens 64] [-t THREADS]

import argparse
import os
import pathlib

import torch
import versions
from transformers import AutoModelForCausalLM, AutoTokenizer

from reference import check_versions, document_for, generated_logprobs, write_golden


class TextOracle:
    """A text model's directory loaded as the reference."""

    def __init__(self, folder, threads=1, dtype=torch.float32):
        check_versions()
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True)
        folder = os.fspath(folder)
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, attn_implementation="eager", local_files_only=True
        ).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def prepare(self, prompt, system=None, raw=False):
        """-> messages, rendered text, decoded ids, ids [1, L]. raw, or no template: the text with the tokenizer's own
        start token; else the template's text as it is."""
        messages = [{"role": "user", "content": prompt}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        if raw or not self.tokenizer.chat_template:
            rendered = prompt
            ids = self.tokenizer(prompt, return_tensors="pt")["input_ids"]
        else:
            rendered = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            ids = self.tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
            )["input_ids"]
        return messages, rendered, self._text(ids[0], False), ids

    def logits(self, ids):
        """Logits [L, V] of a prompt, in the model's own arithmetic."""
        with torch.no_grad():
            return self.model(input_ids=ids).logits[0]

    def record(self, ids, max_new_tokens):
        """Prefill and greedy generation -> (tensors, text facts)."""
        seen = {}

        def keep(module, args, out):
            seen["inputs_embeds"] = out[0].clone()

        hook = self.model.get_input_embeddings().register_forward_hook(keep)
        seen["logits"] = self.logits(ids).float()
        hook.remove()
        with torch.no_grad():
            result = self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=max_new_tokens,
                return_dict_in_generate=True,
                output_logits=True,
            )
        generated = result.sequences[0, ids.shape[1]:]
        best = [torch.topk(step[0].float(), 2).values for step in result.logits]
        facts = {
            "generated_text": self._text(generated, True),
            "generated_text_with_special": self._text(generated, False),
            "min_margin": min(float(two[0] - two[1]) for two in best),
            "stopped_at_eos": len(generated) < max_new_tokens,
        }
        tensors = {"input_ids": ids[0], "generated_ids": generated, **generated_logprobs(result.logits, generated)}
        return {**seen, **tensors}, facts

    def _text(self, ids, skip_special):
        return self.tokenizer.decode(ids, skip_special_tokens=skip_special, clean_up_tokenization_spaces=False)


def make(oracle, name, output, question, max_new_tokens=64):
    """Runs one question on a loaded oracle and writes its golden -> a line of facts.

    question: prompt, and where wanted system and raw.
    """
    raw = question.get("raw", False)
    *texts, ids = oracle.prepare(question["prompt"], question.get("system"), raw)
    tensors, facts = oracle.record(ids, max_new_tokens)
    document = document_for(name, dict(question, images=[]), texts, facts, max_new_tokens)
    if raw:
        document["raw"] = True
    write_golden(output, tensors, document)
    return (
        f"L={ids.shape[1]} n={len(tensors['generated_ids'])} distinct={len(set(tensors['generated_ids'].tolist()))}"
        f" min_margin={facts['min_margin']:.5f}"
    )


def main():
    parser = argparse.ArgumentParser(description="Makes one golden of a text model with transformers.")
    parser.add_argument("-m", "--model", type=pathlib.Path, required=True, help="Hugging Face model directory")
    parser.add_argument("-p", "--prompt", required=True)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="golden folder")
    parser.add_argument("--raw", action="store_true", help="no chat template")
    parser.add_argument("--system", help="system message")
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("-t", "--threads", type=int, default=1)
    versions.add_arguments(parser)
    arguments = parser.parse_args()
    question = {"prompt": arguments.prompt, "system": arguments.system, "raw": arguments.raw}
    oracle = TextOracle(arguments.model, arguments.threads)
    print(make(oracle, arguments.model.resolve().name, arguments.output, question, arguments.max_new_tokens))


if __name__ == "__main__":
    main()
