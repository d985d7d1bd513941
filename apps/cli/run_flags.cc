// See the header.
#include "run_flags.h"

#include "console.h"
#include "flags.h"

namespace galago::cli {
namespace {

constexpr int64_t kMostAnswers = 128;  // of Model::ask_n

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
  add_question_reading(command, flags.load, flags.request, group);
  add_splitting(command, flags.no_split, flags.split, group);
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

void add_question_reading(CLI::App& command, LoadOptions& load, Request& request, const std::string& group) {
  add_chat_template(command, load.chat_template, std::string(kChatTemplateHelp) + " (not of videos)")
      ->group(group);
  command
      .add_flag("--parse-special", request.parse_special,
                "Treat special tokens in the question as control tokens instead of text")
      ->group(group);
}

void add_splitting(CLI::App& command, bool& no_split, bool& split, const std::string& group) {
  auto* one_tile =
      command.add_flag("--no-split", no_split, "Encode each picture as one tile: faster, coarser")
          ->group(group);
  command.add_flag("--split", split, "Cut pictures into tiles even if the model's settings say otherwise")
      ->group(group)
      ->excludes(one_tile);
}

void add_loading(CLI::App& command, LoadOptions& load, GenerateOptions& options) {
  add_numbers(command, load);
  add_strict(command, load);
  add_model_files(command, load);
  command
      .add_option("--prefill-chunk", options.prefill_chunk,
                  "Prompt tokens that go through the decoder at once; 0: 512")
      ->group(kSpeedGroup)
      ->capture_default_str();
  add_kv_cache_dtype(command, load.kv_cache_dtype,
                     "What is kept of each position: f32, or f16 in half the memory")
      ->group(kSpeedGroup);
  add_cache(command, load.image_cache);
}

void add_run_flags(CLI::App& command, RunFlags& flags) {
  add_model(command, flags.model);
  add_question(command, flags);
  add_answer_flags(command, flags.request.options, flags.answer);
  command
      .add_option("--answers", flags.answers,
                  "Give N answers to the question, which is read once; with --temp they differ")
      ->group("Answer")
      ->check(CLI::Range(int64_t{1}, kMostAnswers));
  add_output(command, flags);
  add_loading(command, flags.load, flags.request.options);
  command.footer(
      "Examples:\n"
      "  galago run photo.jpg \"What is in the picture?\"\n"
      "  galago run -m HuggingFaceTB/SmolVLM-256M-Instruct -i page.png -p \"What is the title?\" --stats\n"
      "  galago run -m DIR -i a.png b.png -p \"What differs?\" --temp 0.7 --top-p 0.9 --seed -1\n"
      "  galago run -i photo.jpg -p \"What is it?\" -p \"Which colours are there?\"\n"
      "  galago run -m ibm-granite/granite-docling-258M page.png \"Convert this page to docling.\" > "
      "page.dt\n"
      "  galago run -m SmolLM2-135M-Instruct -p \"What is a galago?\" -n -1\n"
      "  galago run -m Llama-2-7b-hf --raw -p \"The galago is a small\" -n 32\n"
      "  galago run receipt.jpg \"What was paid?\" --json-schema receipt.schema.json\n"
      "  galago run photo.jpg \"Is there a dog?\" --choices yes,no --logprobs 5\n"
      "  galago run -m SmolVLM2-500M-Video-Instruct --video clip.gif -p \"What happens?\"\n"
      "  curl -sL URL | galago run -i - -p \"Read the text.\" --json\n");
}

}  // namespace galago::cli
