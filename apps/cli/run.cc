// galago run: one question, about pictures or without; the answer streams to stdout.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "console.h"
#include "core/process_memory.h"
#include "galago/ffmpeg.h"

namespace galago::cli {
namespace {

struct RunFlags {
  std::string model;
  std::vector<std::string> images;
  std::vector<std::string> videos;
  std::optional<double> fps;
  std::vector<std::string> prompts;
  LoadOptions load;
  Request request;  // of the first prompt
  bool no_split = false;
  bool split = false;
  bool json = false;
  bool stats = false;
  bool show_image = false;
};

nlohmann::ordered_json image_json(const std::string& path, const ImageInfo& info) {
  return {{"path", path},      {"width", info.width}, {"height", info.height}, {"rows", info.rows},
          {"cols", info.cols}, {"tiles", info.tiles}, {"tokens", info.tokens}};
}

nlohmann::ordered_json video_json(const std::string& path, const VideoInfo& info) {
  return {{"path", path},    {"width", info.width},     {"height", info.height},   {"frames", info.frames},
          {"fps", info.fps}, {"seconds", info.seconds}, {"sampled", info.sampled}, {"tokens", info.tokens}};
}

nlohmann::ordered_json cache_json(const CacheCounts& cache) {
  return {{"memory_hits", cache.memory_hits},
          {"directory_hits", cache.directory_hits},
          {"misses", cache.misses},
          {"unsaved", cache.unsaved},
          {"tiles_encoded", cache.tiles_encoded},
          {"tiles_repeated", cache.tiles_repeated}};
}

nlohmann::ordered_json answer_json(const RunFlags& flags, const Answer& answer) {
  auto images = nlohmann::ordered_json::array();
  for (size_t i = 0; i < answer.images.size(); ++i)
    images.push_back(image_json(flags.images[i], answer.images[i]));
  auto videos = nlohmann::ordered_json::array();
  for (size_t i = 0; i < answer.videos.size(); ++i)
    videos.push_back(video_json(flags.videos[i], answer.videos[i]));
  const Timings& t = answer.timings;
  return {{"text", answer.text},
          {"token_ids", answer.token_ids},
          {"prompt_token_ids", answer.prompt_token_ids},
          {"finish_reason", to_string(answer.finish_reason)},
          {"images", images},
          {"videos", videos},
          {"usage",
           {{"prompt_tokens", answer.usage.prompt_tokens},
            {"image_tokens", answer.usage.image_tokens},
            {"completion_tokens", answer.usage.completion_tokens},
            {"cached_tokens", answer.usage.cached_tokens}}},
          {"cache", cache_json(answer.cache)},
          {"timings",
           {{"load_ms", t.load_ms},
            {"decode_image_ms", t.decode_image_ms},
            {"preprocess_ms", t.preprocess_ms},
            {"vision_ms", t.vision_ms},
            {"connector_ms", t.connector_ms},
            {"prefill_ms", t.prefill_ms},
            {"first_token_ms", t.first_token_ms},
            {"decode_ms", t.decode_ms},
            {"tokens_per_second", t.tokens_per_second}}},
          {"peak_memory_bytes", peak_memory()}};
}

std::string fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

// Which pictures were not encoded, and which tiles; nothing for a request without pictures.
std::string cache_text(const CacheCounts& c) {
  const auto count = [](int64_t number, const char* what) { return std::to_string(number) + what; };
  const int64_t hits = c.memory_hits + c.directory_hits;
  if (hits + c.misses == 0) return "";
  return "image cache: " + count(hits, hits == 1 ? " hit, " : " hits, ") +
         count(c.misses, c.misses == 1 ? " miss" : " misses") +
         (c.unsaved ? ", " + count(c.unsaved, " could not be saved") : "") +
         "; tiles: " + count(c.tiles_encoded, " encoded, ") + count(c.tiles_repeated, " repeated\n");
}

std::string stats_text(const Answer& answer) {
  const Timings& t = answer.timings;
  std::string text;
  for (const ImageInfo& i : answer.images)
    text += "image " + std::to_string(i.width) + "x" + std::to_string(i.height) + ": " +
            (i.rows ? std::to_string(i.rows) + "x" + std::to_string(i.cols) + " tiles + the whole image"
                    : std::string("one tile")) +
            ", " + std::to_string(i.tokens) + " tokens\n";
  for (const VideoInfo& v : answer.videos)
    text += "video " + std::to_string(v.width) + "x" + std::to_string(v.height) + ": " +
            std::to_string(v.sampled.size()) + " of " + std::to_string(v.frames) + " frames, " +
            fixed(v.seconds) + " s, " + std::to_string(v.tokens) + " tokens\n";
  text += cache_text(answer.cache);
  text +=
      table({{"load", fixed(t.load_ms) + " ms"},
             {"decode image", fixed(t.decode_image_ms) + " ms"},
             {"preprocess", fixed(t.preprocess_ms) + " ms"},
             {"vision tower", fixed(t.vision_ms) + " ms"},
             {"connector", fixed(t.connector_ms) + " ms"},
             {"prefill", fixed(t.prefill_ms) + " ms", std::to_string(answer.usage.prompt_tokens) + " tokens"},
             {"first token", fixed(t.first_token_ms) + " ms"},
             {"decode", fixed(t.decode_ms) + " ms",
              std::to_string(answer.usage.completion_tokens) + " tokens, " + fixed(t.tokens_per_second) +
                  " tokens/s"},
             {"peak memory", fixed(static_cast<double>(peak_memory()) / 1e6) + " MB"}});
  return text;
}

void show_picture(const RunFlags& flags, const std::string& path, const Image& image) {
  if (!flags.show_image) return;
  const std::string line =
      path + ": " + std::to_string(image.width()) + "x" + std::to_string(image.height()) + "\n";
  if (isatty(STDOUT_FILENO)) print_raw(render_image(image, 56));
  print(line);
}

// Several questions about the same pictures, answered together and printed in their order. The first error is
// thrown once the others' answers are out.
// Files that only ffmpeg reads are given to it: whoever names one here asks for that.
Video video_of(const std::string& path, std::optional<double> fps) {
  if (!Video::needs_ffmpeg(path)) return Video::open(path, fps);
  FfmpegOptions options;
  options.fps = fps;
  options.keep_going = [] { return !interrupted(); };
  return Video::open_with_ffmpeg(path, options);
}

int run_all(const RunFlags& flags, const Model& model, StatusLine& status) {
  std::vector<Request> requests(flags.prompts.size(), flags.request);
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].prompt = prompt_text(flags.prompts[i]);
    requests[i].on_text = [](const StreamPiece&) { return !interrupted(); };
  }
  const std::vector<Outcome> outcomes = model.ask_all(requests);
  status.clear();
  bool cancelled = false;
  for (const Outcome& outcome : outcomes) {
    if (outcome.error) continue;
    const Answer& answer = outcome.answer;
    const std::string& prompt = requests[static_cast<size_t>(outcome.id)].prompt;
    if (flags.json) {
      auto json = answer_json(flags, answer);
      json["prompt"] = prompt;
      print_json(json);
    } else {
      print("> " + prompt + "\n" + answer.text + "\n\n");
    }
    if (flags.stats) std::fputs(stats_text(answer).c_str(), stderr);
    cancelled |= answer.finish_reason == FinishReason::cancelled;
  }
  for (const Outcome& outcome : outcomes) outcome.value();
  return cancelled ? kInterruptedExit : 0;
}

int run(RunFlags& flags) {
  if (flags.no_split) flags.request.split_images = false;
  if (flags.split) flags.request.split_images = true;
  const auto from_stdin = std::count(flags.images.begin(), flags.images.end(), "-") +
                          std::count(flags.prompts.begin(), flags.prompts.end(), "-");
  if (from_stdin > 1)
    throw Error(ErrorCode::usage, {.where = "standard input (-)",
                                   .got = "asked for " + std::to_string(from_stdin) + " times",
                                   .expected = "at most once"});
  const bool several = flags.prompts.size() > 1;
  if (!several) flags.request.prompt = prompt_text(flags.prompts[0]);
  for (const std::string& path : flags.images) {
    flags.request.images.push_back(open_image(path));
    if (!flags.json) show_picture(flags, path, flags.request.images.back());
  }
  catch_interrupt();
  for (const std::string& path : flags.videos) flags.request.videos.push_back(video_of(path, flags.fps));
  flags.load.low_memory = !several;                       // one question, then the process ends
  if (!several) flags.load.image_cache.memory_bytes = 0;  // nothing would ask again
  StatusLine status(!flags.json);
  status.show("loading the model");
  const Model model = [&] {
    const Loading loading;
    return Model::load(flags.model.empty() ? demo_model() : std::filesystem::path(flags.model), flags.load);
  }();
  status.clear();
  warn(model.warnings());
  flags.request.on_progress = [&](const Progress& p) {
    status.show(p.tiles_done < p.tiles_total
                    ? "encoding tile " + std::to_string(p.tiles_done) + " of " + std::to_string(p.tiles_total)
                    : "reading " + std::to_string(p.prompt_tokens) + " prompt tokens");
    return !interrupted();
  };
  if (several) return run_all(flags, model, status);
  flags.request.on_text = [&](const StreamPiece& piece) {
    status.clear();
    if (!flags.json && !piece.text.empty()) print(piece.text);
    return !interrupted();
  };
  status.show("reading the prompt");
  const Answer answer = model.ask(flags.request);
  status.clear();
  if (flags.json)
    print_json(answer_json(flags, answer));
  else
    print("\n");
  if (flags.stats) std::fputs(stats_text(answer).c_str(), stderr);
  return answer.finish_reason == FinishReason::cancelled ? kInterruptedExit : 0;
}

void add_cache(CLI::App& command, ImageCacheOptions& cache) {
  const char* group = "Image cache";
  auto* directory =
      command
          .add_option("--image-cache-dir", cache.directory,
                      "Keep what the tower made of each picture in this folder, for the next run")
          ->group(group);
  command
      .add_option("--image-cache-size", cache.directory_bytes,
                  "Bytes that the folder may take, e.g. 500MB or 2GB (default: 1GB, 1024 MB)")
      ->group(group)
      ->needs(directory)
      ->transform(CLI::AsSizeValue(false));
}

void add_sampling(CLI::App& command, GenerateOptions& options) {
  const char* group = "Answer";
  command.add_option("-n,--max-new-tokens", options.max_new_tokens, "Stop after this many tokens")
      ->group(group)
      ->capture_default_str();
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
  command.add_option("--seed", options.seed, "The same seed gives the same answer")
      ->group(group)
      ->capture_default_str();
  command.add_option("--stop", options.stop, "End the answer before this text; may be given several times")
      ->group(group)
      ->allow_extra_args(false);
  command
      .add_flag("--keep-special", options.keep_special, "Show special tokens in the answer, such as DocTags")
      ->group(group);
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = app.add_subcommand("run", "Answer a question, about pictures or without");
  command->add_option("-m,--model", flags->model,
                      "Model directory, or GGUF file (default: the demo model that ships with galago)");
  command
      ->add_option("-i,--image", flags->images,
                   "A JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC or AVIF file, or - for standard input; may be "
                   "given several times")
      ->allow_extra_args(false);
  command
      ->add_option(
          "--video", flags->videos,
          "An MP4, MOV, WebM, MKV or AVI file (read by an installed ffmpeg), an animated GIF or WebP "
          "file, or a folder of pictures in the order of their names (with --fps); may be given "
          "several times")
      ->allow_extra_args(false);
  command->add_option("--fps", flags->fps,
                      "Frames per second of the videos: needed for folders, otherwise as the file says");
  command
      ->add_option("-p,--prompt", flags->prompts,
                   "The question, or - to read it from standard input; several are answered together, each "
                   "about all the pictures")
      ->allow_extra_args(false)
      ->required();
  auto* system =
      command->add_option("--system", flags->request.system, "A system message before the question");
  command
      ->add_flag("--raw", flags->request.raw,
                 "Continue the text of -p as it stands: no chat template is written around it")
      ->excludes(system);
  command->add_option("--chat-template", flags->load.chat_template,
                      "A Jinja file in place of the model's own chat template (not of videos)");
  command->add_flag("--parse-special", flags->request.parse_special,
                    "Treat special tokens in the question as control tokens instead of text");
  auto* no_split =
      command->add_flag("--no-split", flags->no_split, "Encode each picture as one tile: faster, coarser");
  command
      ->add_flag("--split", flags->split,
                 "Cut pictures into tiles even if the model's settings say otherwise")
      ->excludes(no_split);
  add_sampling(*command, flags->request.options);
  add_cache(*command, flags->load.image_cache);
  add_numbers(*command, flags->load);
  add_strict(*command, flags->load);
  command
      ->add_option(
          "--prefill-chunk", flags->request.options.prefill_chunk,
          "Prompt tokens that go through the decoder at once; 0: all, the fastest, with the most memory")
      ->capture_default_str();
  command
      ->add_option("--kv-cache-dtype", flags->load.kv_cache_dtype,
                   "What is kept of each position: f32, or f16 in half the memory")
      ->capture_default_str();
  command->add_flag("--json", flags->json, "Print one JSON object instead of streaming text");
  command->add_flag("--stats", flags->stats,
                    "Print tile grids, sampled frames, cache hits and the time of every stage to stderr");
  command->add_flag("--show-image", flags->show_image,
                    "Print the picture too, in colour when stdout is a terminal");
  command->footer(
      "Examples:\n"
      "  galago run --image photo.jpg -p \"What is in the picture?\"\n"
      "  galago run -i photo.jpg -p \"What is it?\" -p \"Which colours are there?\"\n"
      "  galago run -m SmolLM2-135M-Instruct -p \"What is a galago?\"\n"
      "  galago run -m Llama-2-7b-hf --raw -p \"The galago is a small\" -n 32\n"
      "  galago run -m DIR -i a.png -i b.png -p \"What differs?\" --temp 0.7 --top-p 0.9 --seed 1\n"
      "  galago run -m SmolVLM2-500M-Video-Instruct --video clip.gif -p \"What happens?\"\n"
      "  curl -s URL | galago run -i - -p \"Read the text.\" --json\n");
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace galago::cli
