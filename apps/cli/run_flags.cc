// See the header.
#include "run_flags.h"

#include "console.h"
#include "flags.h"

namespace galago::cli {
namespace {

void add_question(CLI::App& command, RunFlags& flags) {
  const char* group = "Question";
  add_texts(command, "-i,--image", flags.images, std::string(kImageHelp) + "; several may follow")
      ->group(group)
      ->type_name("FILE");
  add_texts(
      command, "--video", flags.videos,
      "An MP4, MOV, WebM, MKV or AVI file (read by an installed ffmpeg), an animated GIF or WebP file, or "
      "a folder of pictures in the order of their names (with --fps); may be given several times")
      ->group(group)
      ->type_name("FILE");
  command.add_option("--fps", flags.fps, kFpsHelp)->group(group);
  add_texts(
      command, "-p,--prompt", flags.prompts,
      "The question, or - to read it from standard input; several are answered together, each about all "
      "the pictures. Without this flag the last word of the line is the question")
      ->group(group)
      ->type_name("TEXT");
  add_texts(command, "-f,--file", flags.prompt_files,
            "A question from a file, without the line end that closes it; after those of -p")
      ->group(group)
      ->type_name("FILE");
  command
      .add_option(
          "--messages", flags.messages,
          "A conversation from a JSON file, - for standard input: messages as transformers and the OpenAI "
          "API write them, with pictures as files or data: URIs, the question last")
      ->group(group)
      ->type_name("FILE");
  auto* system = command.add_option("--system", flags.request.system, "A system message before the question")
                     ->group(group)
                     ->type_name("TEXT");
  command
      .add_flag("--raw", flags.request.raw,
                "Continue the text of -p as it stands: no chat template is written around it")
      ->group(group)
      ->excludes(system);
  add_chat_template(command, flags.load.chat_template, std::string(kChatTemplateHelp) + " (not of videos)")
      ->group(group);
  command
      .add_flag("--parse-special", flags.request.parse_special,
                "Treat special tokens in the question as control tokens instead of text")
      ->group(group);
  auto* no_split =
      command.add_flag("--no-split", flags.no_split, "Encode each picture as one tile: faster, coarser")
          ->group(group);
  command
      .add_flag("--split", flags.split, "Cut pictures into tiles even if the model's settings say otherwise")
      ->group(group)
      ->excludes(no_split);
}

void add_sampling(CLI::App& command, GenerateOptions& options) {
  const char* group = "Answer";
  add_token_limit(
      command, options.max_new_tokens,
      "Stop after this many tokens; -1: at the end of the context (default: 256, for a model that "
      "writes DocTags 8192)")
      ->group(group);
  command.add_option("--temp", options.temperature, "Temperature; 0 always takes the likeliest token")
      ->group(group)
      ->capture_default_str();
  command.add_option("--top-k", options.top_k, "Sample among the k likeliest tokens; 0: all")->group(group);
  command
      .add_option("--top-p", options.top_p,
                  "Sample among the likeliest tokens that together reach this probability")
      ->group(group);
  command.add_option("--min-p", options.min_p, "Drop tokens less likely than this times the likeliest")
      ->group(group);
  command
      .add_option("--repetition-penalty", options.repetition_penalty,
                  "Above 1: say the same thing less often")
      ->group(group);
  add_seed(command, options.seed, "The same seed gives the same answer; -1: another one each time")
      ->group(group);
  add_texts(command, "--stop", options.stop, "End the answer before this text; may be given several times")
      ->group(group)
      ->type_name("TEXT");
  CLI::Option* keep = command
                          .add_flag_function(
                              "--keep-special", [&options](int64_t) { options.keep_special = true; },
                              "Show special tokens in the answer, the end token too (default: none, but the "
                              "DocTags of a model "
                              "that writes them)")
                          ->group(group);
  command
      .add_flag_function(
          "--skip-special", [&options](int64_t) { options.keep_special = false; },
          "Show no special tokens, not even DocTags")
      ->group(group)
      ->excludes(keep);
}

void add_cache(CLI::App& command, ImageCacheOptions& cache) {
  const char* group = "Image cache";
  auto* directory =
      command
          .add_option("--image-cache-dir", cache.directory,
                      "Keep what the tower made of each picture in this folder, for the next run")
          ->group(group)
          ->type_name("DIR");
  command
      .add_option("--image-cache-size", cache.directory_bytes,
                  "Bytes that the folder may take, e.g. 500MB or 2GB (default: 1GB, 1024 MB)")
      ->group(group)
      ->needs(directory)
      ->transform(CLI::AsSizeValue(false));
}

void add_output(CLI::App& command, RunFlags& flags) {
  const char* group = "Output";
  command.add_flag("--json", flags.json, "Print one JSON object instead of streaming text")->group(group);
  command
      .add_flag(
          "--stats", flags.stats,
          "Print tile grids, sampled frames, cache hits, the seed and the time of every stage to stderr")
      ->group(group);
  command
      .add_flag("--show-image", flags.show_image,
                "Print the picture too, in colour when stdout is a terminal")
      ->group(group);
}

}  // namespace

void add_run_flags(CLI::App& command, RunFlags& flags) {
  add_model(command, flags.model);
  add_question(command, flags);
  add_sampling(command, flags.request.options);
  add_output(command, flags);
  add_numbers(command, flags.load);
  add_strict(command, flags.load);
  add_model_files(command, flags.load);
  command
      .add_option("--prefill-chunk", flags.request.options.prefill_chunk,
                  "Prompt tokens that go through the decoder at once; 0: 512")
      ->group(kSpeedGroup)
      ->capture_default_str();
  add_kv_cache_dtype(command, flags.load.kv_cache_dtype,
                     "What is kept of each position: f32, or f16 in half the memory")
      ->group(kSpeedGroup);
  add_cache(command, flags.load.image_cache);
  command.footer(
      "Examples:\n"
      "  galago run photo.jpg \"What is in the picture?\"\n"
      "  galago run -m SmolVLM-256M-Instruct -i page.png -p \"What is the title?\" --stats\n"
      "  galago run -m DIR -i a.png b.png -p \"What differs?\" --temp 0.7 --top-p 0.9 --seed -1\n"
      "  galago run -i photo.jpg -p \"What is it?\" -p \"Which colours are there?\"\n"
      "  galago run -m granite-docling-258M page.png \"Convert this page to docling.\" > page.dt\n"
      "  galago run -m SmolLM2-135M-Instruct -p \"What is a galago?\" -n -1\n"
      "  galago run -m Llama-2-7b-hf --raw -p \"The galago is a small\" -n 32\n"
      "  galago run -m SmolVLM2-500M-Video-Instruct --video clip.gif -p \"What happens?\"\n"
      "  curl -sL URL | galago run -i - -p \"Read the text.\" --json\n");
}

}  // namespace galago::cli
