// galago trace writes every station's tensor of one run; galago verify compares a run with one of
// transformers.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "console.h"
#include "ffmpeg/ffmpeg_video.h"
#include "flags.h"
#include "formats/weights.h"
#include "image/image.h"
#include "inspect/trace.h"
#include "inspect/verify.h"
#include "kernels/kernels.h"
#include "model_path.h"
#include "models/registry.h"
#include "pictures.h"
#include "videos.h"

namespace galago::cli {
namespace {

struct TraceFlags {
  std::string model;
  std::vector<std::string> images;
  std::vector<std::string> videos;
  std::optional<double> fps;
  std::string output;
  std::string golden;
  TraceRequest request;
  std::optional<int64_t> max_new_tokens;
  bool no_split = false;
  bool json = false;
  LoadOptions load;
};

struct Loaded {
  std::unique_ptr<const Frontend> frontend;
  Checkpoint checkpoint;
  std::unique_ptr<const Engine> engine;
};

Loaded load(const TraceFlags& flags, int pillow) {
  ModelOptions options = model_options(flags.load);
  options.resizer = pillow_resizer(pillow);
  Loaded loaded;
  loaded.frontend = load_frontend(model_path(flags.model), options);
  loaded.checkpoint = loaded.frontend->files().checkpoint();
  loaded.engine = loaded.frontend->load_engine(loaded.checkpoint);
  warn(unused_warnings(loaded.engine->unused, false, loaded.frontend->files().path().string()));
  return loaded;
}

// Shows how far an image is, and stops after Ctrl-C.
TileProgress tile_progress(StatusLine& status) {
  catch_interrupt();
  return [&status](int64_t done, int64_t total) {
    status.show(done < total ? "encoding tile " + std::to_string(done) + " of " + std::to_string(total)
                             : "running the text model");
    return !interrupted();
  };
}

std::shared_ptr<const VideoSource> video_source(const std::string& path, std::optional<double> fps) {
  std::error_code none;
  if (std::filesystem::is_directory(path, none) || !video_container(path)) return open_video(path, fps);
  return open_ffmpeg_video(path, {.fps = fps, .keep_going = ffmpeg_watch(path)});
}

int run_trace_command(TraceFlags& flags) {
  check_standard_input(flags.images, {});
  for (const std::string& path : flags.images) {
    const PictureBytes picture(path);
    flags.request.images.push_back(decode_image(picture.bytes(), picture.name()));
  }
  check_fps(flags.videos, flags.fps);
  for (const std::string& word : flags.videos)
    flags.request.videos.push_back(video_source(video_path(word).string(), flags.fps));
  if (flags.no_split) flags.request.split = false;
  if (flags.max_new_tokens) flags.request.max_new_tokens = *flags.max_new_tokens;
  if (const auto folder = std::filesystem::path(flags.output).parent_path();
      !folder.empty() && !std::filesystem::is_directory(folder))
    throw Error(ErrorCode::output_io, {.where = flags.output, .got = "no such folder"});
  StatusLine status(true);
  status.show("loading the model");
  const Loaded loaded = load(flags, flags.load.pillow);
  flags.request.progress = tile_progress(status);
  const Trace trace = run_trace(*loaded.frontend, *loaded.engine, flags.request);
  write_trace(flags.output, trace, {{"pillow", std::to_string(flags.load.pillow)}});
  status.clear();
  std::vector<std::vector<std::string>> rows;
  for (const TraceTensor& tensor : trace)
    rows.push_back({tensor.name, to_string(tensor.dtype), to_string(tensor.shape)});
  print(table(rows));
  return 0;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", value);
  return text;
}

std::string bound_text(const StationResult& r) {
  if (r.measure == Measure::exact) return "exact";
  return number(r.limit) + (r.measure == Measure::relative ? " relative" : " absolute");
}

int run_verify_command(const TraceFlags& flags) {
  StatusLine status(!flags.json);
  status.show("loading the model");
  const Loaded loaded = load(flags, golden_pillow(flags.golden));
  const auto results = verify(*loaded.frontend, *loaded.engine, flags.golden, tile_progress(status));
  status.clear();
  bool all_hold = !results.empty();
  auto json = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows = {
      {"station", "shape", "max abs", "max rel", "bound", "result"}};
  for (const StationResult& r : results) {
    all_hold = all_hold && r.holds;
    const bool exact = r.measure == Measure::exact;
    const std::string verdict = r.given ? "given" : r.holds ? "holds" : "FAILS " + r.mismatch;
    rows.push_back({r.station, to_string(r.shape), exact ? "-" : number(r.max_abs),
                    exact ? "-" : number(r.max_rel), r.given ? "-" : bound_text(r), verdict});
    json.push_back({{"station", r.station},
                    {"shape", r.shape},
                    {"max_abs", r.max_abs},
                    {"max_rel", r.max_rel},
                    {"bound", bound_text(r)},
                    {"given", r.given},
                    {"holds", r.holds},
                    {"mismatch", r.mismatch}});
  }
  if (flags.json)
    print_json({{"holds", all_hold}, {"stations", json}});
  else
    print(table(rows));
  return all_hold ? 0 : 1;
}

}  // namespace

void add_trace(CLI::App& app, Action& action) {
  auto flags = std::make_shared<TraceFlags>();
  CLI::App* command =
      app.add_subcommand("trace", "Write every station's tensor of one greedy run as safetensors");
  add_model(*command, flags->model);
  add_texts(*command, "-i,--image", flags->images, std::string(kImageHelp) + "; several may follow")
      ->type_name("FILE");
  add_texts(*command, "--video", flags->videos, "A video, in any form that run takes")->type_name("FILE");
  command->add_option("--fps", flags->fps, kFpsHelp);
  command->add_option("-p,--prompt", flags->request.text.prompt, "The question")->required();
  command->add_option("--system", flags->request.text.system, "A system message");
  command->add_flag("--raw", flags->request.text.raw,
                    "Take the question as it stands, without chat template");
  add_chat_template(*command, flags->load.chat_template, kChatTemplateHelp);
  command->add_flag("--parse-special", flags->request.text.parse_special,
                    "Special tokens in the question are control");
  command->add_flag("--no-split", flags->no_split, "Encode each picture as one tile");
  add_token_limit(*command, flags->max_new_tokens,
                  "Greedy tokens; -1: up to the end of the context (default: 64)");
  command->add_option("-o,--output", flags->output, "The safetensors file to write")
      ->type_name("FILE")
      ->required();
  add_pillow(*command, flags->load.pillow);
  add_threads(*command, flags->load.threads);
  add_model_files(*command, flags->load);
  command->footer(
      "Example:\n"
      "  galago trace -m HuggingFaceTB/SmolVLM-256M-Instruct photo.jpg \"What is this?\" -n 8 -o "
      "trace.safetensors\n");
  command->callback([flags, &action] { action = [flags] { return run_trace_command(*flags); }; });
}

void add_verify(CLI::App& app, Action& action) {
  auto flags = std::make_shared<TraceFlags>();
  CLI::App* command =
      app.add_subcommand("verify", "Compare a run with one made by transformers, station by station");
  add_model(*command, flags->model);
  command->add_option("--golden", flags->golden, "Directory that tools/oracle/make_golden.py wrote")
      ->type_name("DIR")
      ->required();
  add_threads(*command, flags->load.threads);
  add_model_files(*command, flags->load);
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(
      "Pictures are resized as the Pillow does that made the golden (12 where it names none).\n"
      "Exit code 0 only if every station holds its bound, 1 if one does not.\n"
      "\n"
      "Example:\n"
      "  galago verify -m HuggingFaceTB/SmolVLM-256M-Instruct --golden golden\n");
  command->callback([flags, &action] { action = [flags] { return run_verify_command(*flags); }; });
}

}  // namespace galago::cli
