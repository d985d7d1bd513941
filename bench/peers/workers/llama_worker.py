# llama.cpp behind the protocol of compare.py, through llama-cpp-python's bindings of its C interface.
# In: a GGUF text model and perhaps its image part. Out: times of one tile, a whole picture, prefill and decode.
# "tune" tries batch sizes and flash attention and keeps what is fastest here: peers run at their best.

import argparse
import ctypes
import sys

import protocol

OUT = protocol.take_over_stdout()  # before the bindings are imported: they print

import llama_cpp  # noqa: E402
from llama_cpp import mtmd_cpp  # noqa: E402

WARNINGS = (3, 4)  # ggml's log levels of warnings and errors: to standard error, the rest nowhere
QUIET = llama_cpp.llama_log_callback(lambda level, text, data: level in WARNINGS and sys.stderr.buffer.write(text) and None)
SETTINGS = [(ubatch, flash) for flash in (1, 0) for ubatch in (512, 2048)]

LOOKS = 2  # at each setting, of which the first one warms up


class Llama:
    def __init__(self, arguments):
        self.arguments = arguments
        self.context = self.vision = None
        llama_cpp.llama_log_set(QUIET, ctypes.c_void_p(0))
        mtmd_cpp.mtmd_helper_log_set(QUIET, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(arguments.text.encode(), self.model_parameters())
        if not self.model:
            raise RuntimeError(f"cannot load {arguments.text}")
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.flash, self.ubatch = 1, 512
        self.open(self.ubatch, self.flash)
        if arguments.mmproj:
            self.open_vision(self.flash)

    def model_parameters(self):
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 0
        parameters.use_extra_bufts = not self.arguments.no_extra_buffers
        return parameters

    def open(self, ubatch, flash):
        """A new context; the old one goes."""
        if self.context:
            llama_cpp.llama_free(self.context)
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = 4096
        parameters.n_batch = 2048
        parameters.n_ubatch = ubatch
        parameters.n_threads = parameters.n_threads_batch = self.arguments.threads
        parameters.flash_attn_type = flash
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        if not self.context:
            raise RuntimeError("cannot make a context")

    def open_vision(self, flash):
        if self.vision:
            mtmd_cpp.mtmd_free(self.vision)
        parameters = mtmd_cpp.mtmd_context_params_default()
        parameters.use_gpu = False
        parameters.print_timings = False
        parameters.n_threads = self.arguments.threads
        parameters.flash_attn_type = flash
        parameters.warmup = False
        self.vision = mtmd_cpp.mtmd_init_from_file(self.arguments.mmproj.encode(), self.model, parameters)
        if not self.vision:
            raise RuntimeError(f"cannot load {self.arguments.mmproj}")

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def decode(self, ids):
        tokens = (llama_cpp.llama_token * len(ids))(*ids)  # the batch only points to them
        batch = llama_cpp.llama_batch_get_one(tokens, len(ids))
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        if not llama_cpp.llama_get_logits_ith(self.context, -1):
            raise RuntimeError("no logits")

    def some_ids(self, count):
        return [index * 7919 % (self.vocabulary - 200) for index in range(count)]

    def prefill(self, request):
        self.clear()
        ms, _ = protocol.milliseconds(lambda: self.decode(self.some_ids(request["context"])))
        return {"ms": ms}

    def decode_steps(self, request):
        """Milliseconds of one token after `context`, the mean of `steps`."""
        self.clear()
        self.decode(self.some_ids(request["context"]))
        ids = self.some_ids(request["steps"])
        ms, _ = protocol.milliseconds(lambda: [self.decode([token]) for token in ids])
        return {"ms": ms / len(ids)}

    def chunks(self, request):
        """A picture's file as chunks of text and images."""
        bitmap = mtmd_cpp.mtmd_helper_bitmap_init_from_file(self.vision, request["image"].encode(), False)
        if not bitmap:
            raise RuntimeError(f"cannot read {request['image']}")
        marker = mtmd_cpp.mtmd_default_marker().decode()
        prompt = f"<|im_start|>User:{marker}{request['prompt']}<end_of_utterance>\nAssistant:".encode()
        text = mtmd_cpp.mtmd_input_text(text=prompt, text_len=len(prompt), add_special=False, parse_special=True)
        chunks = mtmd_cpp.mtmd_input_chunks_init()
        bitmaps = (mtmd_cpp.mtmd_bitmap_p_ctypes * 1)(bitmap)
        failed = mtmd_cpp.mtmd_tokenize(self.vision, chunks, ctypes.byref(text), bitmaps, 1)
        mtmd_cpp.mtmd_bitmap_free(bitmap)
        if failed:
            raise RuntimeError(f"mtmd_tokenize: {failed}")
        return chunks

    def tile(self, request):
        chunks = self.chunks(request)
        all_chunks = [mtmd_cpp.mtmd_input_chunks_get(chunks, i) for i in range(mtmd_cpp.mtmd_input_chunks_size(chunks))]
        images = [chunk for chunk in all_chunks if mtmd_cpp.mtmd_input_chunk_get_type(chunk) == 1]
        if mtmd_cpp.mtmd_input_chunk_get_n_tokens(images[0]) != request["rows"]:
            raise RuntimeError("the first image chunk is not one tile")
        ms, failed = protocol.milliseconds(lambda: mtmd_cpp.mtmd_encode_chunk(self.vision, images[0]))
        mtmd_cpp.mtmd_input_chunks_free(chunks)
        if failed:
            raise RuntimeError("mtmd_encode_chunk failed")
        return {"ms": ms, "tiles": len(images)}

    def photo(self, request):
        """From a picture's file to the first token's logits."""
        self.clear()

        def answer():
            chunks = self.chunks(request)
            past = llama_cpp.llama_pos(0)
            if mtmd_cpp.mtmd_helper_eval_chunks(self.vision, self.context, chunks, 0, 0, 2048, True, ctypes.byref(past)):
                raise RuntimeError("mtmd_helper_eval_chunks failed")
            logits = llama_cpp.llama_get_logits_ith(self.context, -1)
            best = max(range(self.vocabulary), key=logits.__getitem__)
            mtmd_cpp.mtmd_input_chunks_free(chunks)
            return past.value, best

        ms, (positions, _) = protocol.milliseconds(answer)
        return {"ms": ms, "prompt_tokens": positions}

    def tune(self, request):
        """Opens contexts with the fastest of SETTINGS, for text and for tiles, as far as the tasks to come need them."""
        settings, tried = {}, {}
        if {"prefill", "photo"} & set(request["tasks"]):
            times = {}
            for ubatch, flash in SETTINGS:
                self.open(ubatch, flash)
                times[(ubatch, flash)] = min(self.prefill(request)["ms"] for _ in range(LOOKS))
            self.ubatch, self.flash = min(times, key=times.get)
            self.open(self.ubatch, self.flash)
            tried["prefill_ms"] = {f"ubatch {ubatch}, flash {flash}": ms for (ubatch, flash), ms in times.items()}
        settings |= {"ubatch": self.ubatch, "flash_attention": self.flash}
        if self.vision and {"tile", "photo"} & set(request["tasks"]):
            times = {}
            for flash in (1, 0):
                self.open_vision(flash)
                times[flash] = min(self.tile(request)["ms"] for _ in range(LOOKS))
            settings["tower_flash_attention"] = min(times, key=times.get)
            self.open_vision(settings["tower_flash_attention"])
            tried["tile_ms"] = {f"flash {flash}": ms for flash, ms in times.items()}
        ran = ", ".join(f"{key} {value}" for key, value in settings.items())
        return {"settings": settings, "tried": tried, "ran": f"{ran}; {', '.join(instructions())}"}


def instructions():
    """What this build of llama.cpp uses of the processor, by its own words: "CPU : AVX2 = 1 | ..." """
    words = llama_cpp.llama_print_system_info().decode().partition(":")[2].split("|")
    return [word.split("=")[0].strip() for word in words if word.strip().endswith("= 1")]


def main():
    parser = argparse.ArgumentParser(description="llama.cpp behind bench/peers/compare.py.")
    parser.add_argument("--text", required=True, help="GGUF of the text model")
    parser.add_argument("--mmproj", help="GGUF of its image part")
    parser.add_argument("--no-extra-buffers", action="store_true", help="no weights in a layout of their own")
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()

    def load():
        llama = Llama(arguments)
        system = llama_cpp.llama_print_system_info().decode().strip()
        asked = "the file's format; the fastest of ubatch 512 and 2048 with and without flash attention"
        facts = {"version": llama_cpp.__version__, "system": system, "asked": asked}
        tasks = {"prefill": llama.prefill, "decode": llama.decode_steps, "tune": llama.tune}
        return facts, tasks | ({"tile": llama.tile, "photo": llama.photo} if llama.vision else {})

    protocol.serve(OUT, load)


if __name__ == "__main__":
    main()
