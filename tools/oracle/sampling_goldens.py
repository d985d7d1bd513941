# Makes the sampling goldens: which tokens transformers' logits processors leave, and how likely each is.
# In: nothing (the cases are listed here; random ones have fixed seeds). Out: tests/data/generate/sampling.json,
# read by tests/unit/runtime. The processors are picked and ordered by GenerationMixin._get_logits_processor.
# Usage: python tools/oracle/sampling_goldens.py -o tests/data/generate/sampling.json

import argparse
import json
import pathlib

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

INF = float("inf")
PLAIN = [1.0, 3.0, -2.0, 0.5, 2.5, -0.25, 3.0, 0.0]
RAMP = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
HOLES = [-INF, 2.0, -INF, 1.0, 0.0, -INF, 1.5, -INF]
FLAT = [0.25] * 8


def random_logits(seed, size, scale):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(size, generator=generator) * scale).tolist()


def cases():
    """-> (name, logits, seen ids, options)"""
    yield "plain", PLAIN, [], {"temperature": 1.0}
    yield "cool", PLAIN, [], {"temperature": 0.5}
    yield "hot", PLAIN, [], {"temperature": 3.0}
    yield "very cool", PLAIN, [], {"temperature": 0.01}
    yield "temperature 0.7", RAMP, [], {"temperature": 0.7}
    for k in (1, 2, 3, 7, 8, 9, 1000):
        yield f"top_k {k}", RAMP, [], {"temperature": 1.0, "top_k": k}
    yield "top_k 1 with a tie", PLAIN, [], {"temperature": 1.0, "top_k": 1}
    yield "top_k on equal scores", FLAT, [], {"temperature": 1.0, "top_k": 3}
    yield "top_k reaches into -inf", HOLES, [], {"temperature": 1.0, "top_k": 6}
    yield "top_k among holes", HOLES, [], {"temperature": 1.0, "top_k": 2}
    for p in (0.0, 0.001, 0.3, 0.5, 0.63, 0.9, 0.95, 0.99, 0.9999, 1.0):
        yield f"top_p {p}", RAMP, [], {"temperature": 1.0, "top_p": p}
    yield "top_p 0 with a tie", PLAIN, [], {"temperature": 1.0, "top_p": 0.0}
    yield "top_p within a tie", PLAIN, [], {"temperature": 1.0, "top_p": 0.3}
    yield "top_p on equal scores, exact border", FLAT, [], {"temperature": 1.0, "top_p": 0.5}
    yield "top_p on equal scores, inside", FLAT, [], {"temperature": 1.0, "top_p": 0.45}
    yield "top_p among holes", HOLES, [], {"temperature": 1.0, "top_p": 0.8}
    yield "top_p with one token", [-INF, 4.0, -INF], [], {"temperature": 1.0, "top_p": 0.1}
    for p in (0.0, 0.01, 0.1, 0.3, 0.5, 1.0):
        yield f"min_p {p}", RAMP, [], {"temperature": 1.0, "min_p": p}
    yield "min_p 1 with a tie", PLAIN, [], {"temperature": 1.0, "min_p": 1.0}
    yield "min_p among holes", HOLES, [], {"temperature": 1.0, "min_p": 0.4}
    yield "penalty", PLAIN, [1, 2, 5], {"temperature": 1.0, "repetition_penalty": 1.2}
    yield "penalty counts an id once", PLAIN, [1, 1, 1, 2, 2], {"temperature": 1.0, "repetition_penalty": 1.5}
    yield "penalty below 1 rewards", PLAIN, [0, 2], {"temperature": 1.0, "repetition_penalty": 0.7}
    yield "penalty of every id", PLAIN, list(range(8)), {"temperature": 1.0, "repetition_penalty": 2.0}
    yield "penalty of an id beyond the scores", PLAIN, [3, 8, 99], {"temperature": 1.0, "repetition_penalty": 1.3}
    yield "penalty of a hole", HOLES, [0, 1, 2], {"temperature": 1.0, "repetition_penalty": 1.3}
    yield "penalty and greedy", PLAIN, [1, 6], {"repetition_penalty": 1.3}
    yield "greedy takes the first of equals", PLAIN, [], {}
    yield "greedy on equal scores", FLAT, [], {}
    yield "greedy with a small penalty", RAMP, [7], {"repetition_penalty": 1.05}
    yield "greedy with a large penalty", RAMP, [7, 6], {"repetition_penalty": 5.0}
    yield "temperature then top_p", RAMP, [], {"temperature": 2.0, "top_p": 0.7}
    yield "top_k then top_p", RAMP, [], {"temperature": 1.0, "top_k": 3, "top_p": 0.6}
    yield "top_p then min_p", RAMP, [], {"temperature": 1.5, "top_p": 0.95, "min_p": 0.25}
    everything = {"temperature": 0.8, "top_k": 20, "top_p": 0.92, "min_p": 0.03, "repetition_penalty": 1.1}
    for seed in range(6):
        yield f"everything, seed {seed}", random_logits(seed, 64, 1 + seed), [1, 5, 9, 63], everything
    yield "wide", random_logits(100, 256, 2.0), [0, 255], {"temperature": 1.3, "top_p": 0.85, "top_k": 100}


def processor_cases():
    """-> (name, logits, ids, options, how many of the ids are the prompt, end tokens)"""
    drawn = {"temperature": 1.0}
    ids = [3, 1, 2, 3, 1, 2, 7, 3, 1]
    for size in (1, 2, 3, 4, 9, 10):
        yield f"no_repeat_ngram_size {size}", RAMP, ids, {**drawn, "no_repeat_ngram_size": size}, 4, []
    yield "no_repeat_ngram_size of a short text", RAMP, [3], {**drawn, "no_repeat_ngram_size": 2}, 1, []
    yield "bad word of one token", RAMP, ids, {**drawn, "bad_words_ids": [[7], [6]]}, 4, [6]
    yield "bad word that is begun", RAMP, ids, {**drawn, "bad_words_ids": [[3, 1, 6], [1, 2], [2, 5]]}, 4, []
    yield "bad word longer than the text", RAMP, [3], {**drawn, "bad_words_ids": [[3, 3, 6], [3, 5]]}, 1, []
    yield "min_length not reached", RAMP, ids, {**drawn, "min_length": 10}, 4, [7, 6]
    yield "min_length reached", RAMP, ids, {**drawn, "min_length": 9}, 4, [7, 6]
    yield "min_new_tokens not reached", RAMP, ids, {**drawn, "min_new_tokens": 6}, 4, [7]
    yield "min_new_tokens reached", RAMP, ids, {**drawn, "min_new_tokens": 5}, 4, [7]
    yield "suppress_tokens", RAMP, ids, {**drawn, "suppress_tokens": [7, 0]}, 4, []
    yield "begin_suppress_tokens at the beginning", RAMP, ids, {**drawn, "begin_suppress_tokens": [7, 6]}, 9, []
    yield "begin_suppress_tokens later", RAMP, ids, {**drawn, "begin_suppress_tokens": [7, 6]}, 8, []
    biases = [[[7], -3.5], [[3, 1, 2], 4.0], [[1, 2], 1.5], [[2, 0], 9.0], [[0], 2.0]]
    yield "sequence_bias", RAMP, ids, {**drawn, "sequence_bias": biases}, 4, []
    early = {**drawn, "sequence_bias": [[[1], -4.0]], "repetition_penalty": 1.5}
    yield "sequence_bias before the penalty", PLAIN, ids, early, 4, []
    for start in (3, 5, 1):
        decay = {**drawn, "exponential_decay_length_penalty": (start, 1.3)}
        yield f"exponential decay from {start}", PLAIN, ids, decay, 4, [2, 5]
    for p in (0.05, 0.2, 0.5, 0.8, 0.95, 0.999):
        yield f"typical_p {p}", RAMP, [], {**drawn, "typical_p": p}, 0, []
        yield f"typical_p {p} of many", random_logits(7, 128, 2.0), [], {**drawn, "typical_p": p}, 0, []
    yield "typical_p among holes", HOLES, [], {**drawn, "typical_p": 0.6}, 0, []
    yield "typical_p on equal scores", FLAT, [], {**drawn, "typical_p": 0.4}, 0, []
    for cut in (0.0005, 0.01, 0.2, 0.9):
        yield f"epsilon_cutoff {cut}", RAMP, [], {**drawn, "epsilon_cutoff": cut}, 0, []
        yield f"eta_cutoff {cut}", RAMP, [], {**drawn, "eta_cutoff": cut}, 0, []
        yield f"eta_cutoff {cut} of many", random_logits(8, 128, 3.0), [], {**drawn, "eta_cutoff": cut}, 0, []
    yield "eta_cutoff among holes", HOLES, [], {**drawn, "eta_cutoff": 0.3}, 0, []
    everything = {"temperature": 0.7, "top_k": 40, "top_p": 0.97, "min_p": 0.01, "typical_p": 0.9, "epsilon_cutoff": 0.003,
                  "eta_cutoff": 0.004, "repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "bad_words_ids": [[5], [1, 9]],
                  "suppress_tokens": [11], "begin_suppress_tokens": [12], "min_new_tokens": 30,
                  "sequence_bias": [[[20], 2.5], [[9, 21], -2.0]]}
    for seed in range(6):
        yield (f"every processor, seed {seed}", random_logits(20 + seed, 64, 1 + seed / 2),
               [1, 5, 9, 63, 5, 9, 4, 1], everything, 8 - seed, [0, 30])


def answer(model, logits, seen, options, prompt, end):
    """-> what the processors leave of the scores [V], float32"""
    sampling = {"do_sample": True} if "temperature" in options else {}
    config = GenerationConfig(**{"top_k": 0, **options, **sampling})
    config._eos_token_tensor = torch.tensor(end, dtype=torch.long) if end else None
    ids = torch.tensor([seen], dtype=torch.long)
    processors = model._get_logits_processor(generation_config=config, input_ids_seq_length=prompt)
    return processors(ids, torch.tensor([logits], dtype=torch.float32))[0]


def written(values):
    return [value if value not in (INF, -INF) else str(value) for value in values]


def main():
    parser = argparse.ArgumentParser(description="Makes the sampling goldens.")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=8, **sizes))
    lines = []
    plain = [(*case, len(case[2]), []) for case in cases()]
    for name, logits, seen, options, prompt, end in [*plain, *processor_cases()]:
        logits = torch.tensor(logits, dtype=torch.float32).tolist()
        scores = answer(model, logits, seen, options, prompt, end)
        case = {"name": name, "logits": written(logits), "seen": seen, "options": options}
        case |= {"prompt": prompt, "end": end} if prompt != len(seen) or end else {}
        if "temperature" in options:
            probabilities = scores.double().softmax(-1).tolist()
            case["keep"] = [i for i, score in enumerate(scores.tolist()) if score != -INF]
            case["probabilities"] = [probabilities[i] for i in case["keep"]]
        else:
            case["token"] = int(scores.argmax())
        lines.append(json.dumps(case))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(lines)} cases -> {output}")


if __name__ == "__main__":
    main()
