// galago inspect: the pipeline of a model with every shape and size, and the memory that a question would
// take; with images, their tile grids and tokens. Only headers and settings are read: no weight is touched.
#include <memory>

#include "commands.h"
#include "console.h"
#include "flags.h"
#include "image/image.h"
#include "inspect/inspect.h"
#include "inspect/memory_plan.h"
#include "kernels/kernels.h"
#include "model_path.h"
#include "models/registry.h"
#include "pictures.h"
#include "runtime/options.h"
#include "runtime/pipeline.h"

namespace galago::cli {
namespace {

struct InspectFlags {
  std::string model;
  std::vector<std::string> images;
  std::string prompt = "Describe the picture.";
  std::filesystem::path chat_template;
  GenerateOptions options;
  WeightDtype dtype = WeightDtype::as_stored;
  KvCacheDtype kv_cache_dtype = KvCacheDtype::f32;
  int threads = 0;
  bool no_mmap = false;
  bool no_split = false;
  bool json = false;
  LoadOptions files;  ///< adapters and eyes
};

struct PlannedImage {
  std::string path;
  ImageSize size;
  ImagePlan plan;
};

PlannedImage plan_image(const Frontend& frontend, const std::string& path, std::optional<bool> split) {
  const PictureBytes picture(path);
  PlannedImage image{
      .path = shown_picture(path), .size = read_image_size(picture.bytes(), picture.name()), .plan = {}};
  image.plan = frontend.plan(image.size, split);
  return image;
}

// What `galago run` would take for these pictures and this question.
struct PlannedMemory {
  MemoryRequest request;
  MemoryPlan plan;
};

PlannedMemory plan_memory(const InspectFlags& flags, const Frontend& frontend, const Checkpoint& checkpoint,
                          const std::vector<PlannedImage>& images, std::optional<bool> split) {
  std::vector<ImageSize> sizes;
  PlannedMemory memory;
  for (const PlannedImage& image : images) {
    sizes.push_back(image.size);
    memory.request.images.push_back(image.plan);
  }
  MemoryRequest& request = memory.request;
  const bool raw = images.empty() && !frontend.has_template();
  request.ids = plan_prompt(frontend, {.prompt = flags.prompt, .raw = raw}, sizes, split).ids;
  request.prompt_tokens = std::ssize(request.ids);
  request.max_new_tokens =
      token_budget(request.prompt_tokens, frontend.config().text.max_position_embeddings,
                   flags.options.max_new_tokens.value_or(frontend.answer_defaults().max_new_tokens));
  request.prefill_chunk = flags.options.prefill_chunk;
  request.cache_dtype = cache_dtype(flags.kv_cache_dtype);
  request.weights = flags.dtype;
  request.mmap = !flags.no_mmap;
  request.threads = frontend.device().threads();
  memory.plan = plan_memory(frontend, checkpoint, request);
  return memory;
}

nlohmann::ordered_json to_json(const PlannedMemory& memory) {
  auto parts = nlohmann::ordered_json::array();
  for (const MemoryPart& part : memory.plan.parts)
    parts.push_back({{"name", part.name}, {"image_bytes", part.image}, {"text_bytes", part.text}});
  return {{"prompt_tokens", memory.request.prompt_tokens},
          {"max_new_tokens", memory.request.max_new_tokens},
          {"parts", parts},
          {"image_bytes", memory.plan.image()},
          {"text_bytes", memory.plan.text()},
          {"peak_bytes", memory.plan.peak()}};
}

std::string to_text(const PlannedMemory& memory) {
  const auto bytes = [](int64_t count) { return count > 0 ? grouped(count) : "-"; };
  std::vector<std::vector<std::string>> rows = {{"memory of one question", "encoding pictures", "answering"}};
  for (const MemoryPart& part : memory.plan.parts)
    if (part.image > 0 || part.text > 0) rows.push_back({part.name, bytes(part.image), bytes(part.text)});
  rows.push_back({"total", bytes(memory.plan.image()), bytes(memory.plan.text())});
  return "\n" + table(rows) + "peak: " + grouped(memory.plan.peak()) + " bytes, for " +
         grouped(memory.request.prompt_tokens) + " prompt tokens and at most " +
         grouped(memory.request.max_new_tokens) + " of the answer\n";
}

/// What is shown of a model whatever is asked.
struct Inspected {
  const Frontend& frontend;
  const Checkpoint& checkpoint;
  const std::vector<ModuleSize>& stations;
  StoredTypes types = stored_types(checkpoint);
};

/// "q4 (39 matrices q8, 35 q4)".
std::string to_text(const StoredTypes& types) {
  std::string text;
  for (const auto& [type, count] : types.matrices)
    text += (text.empty() ? "" : ", ") + std::to_string(count) +
            (!text.empty() ? " "
             : count == 1  ? " matrix "
                           : " matrices ") +
            type;
  return types.name + (types.matrices.size() > 1 ? " (" + text + ")" : "");
}

nlohmann::ordered_json to_json(const Inspected& model, const std::vector<PlannedImage>& images,
                               const PlannedMemory& memory) {
  auto rows = nlohmann::ordered_json::array();
  for (const ModuleSize& s : model.stations)
    rows.push_back({{"name", s.shape.name},
                    {"input", s.shape.input},
                    {"output", s.shape.output},
                    {"tensors", s.tensors},
                    {"parameters", s.parameters},
                    {"bytes", s.bytes}});
  auto pictures = nlohmann::ordered_json::array();
  for (const PlannedImage& i : images)
    pictures.push_back({{"path", i.path},
                        {"width", i.size.width},
                        {"height", i.size.height},
                        {"rows", i.plan.grid.rows},
                        {"cols", i.plan.grid.cols},
                        {"tiles", i.plan.tiles},
                        {"tokens", i.plan.tokens}});
  auto matrices = nlohmann::ordered_json::object();
  for (const auto& [type, count] : model.types.matrices) matrices[type] = count;
  return {{"model", model.frontend.files().path().string()},
          {"model_type", model.frontend.config().model_type},
          {"dtype", model.types.name},
          {"matrices", matrices},
          {"tensor_prefix", model.checkpoint.wrapper()},
          {"notes", model.frontend.files().notes()},
          {"stations", rows},
          {"images", pictures},
          {"memory", to_json(memory)}};
}

std::string to_text(const Inspected& inspected, const std::vector<PlannedImage>& images) {
  const ModelConfig& model = inspected.frontend.config();
  std::string text =
      inspected.frontend.files().path().string() + ": " + model.model_type + ", " +
      (inspected.types.name.empty() ? "" : to_text(inspected.types) + ", ") +
      (model.vision.num_hidden_layers ? std::to_string(model.vision.num_hidden_layers) + " vision layers, "
                                      : std::string()) +
      std::to_string(model.text.num_hidden_layers) + " text layers, context " +
      std::to_string(model.text.max_position_embeddings) + "\n";
  if (const std::string& wrapper = inspected.checkpoint.wrapper(); !wrapper.empty())
    text += "tensor names without their prefix " + wrapper + "\n";
  for (const std::string& note : inspected.frontend.files().notes()) text += note + "\n";
  text += "\n";
  std::vector<std::vector<std::string>> rows = {{"station", "in", "out", "parameters", "bytes"}};
  int64_t parameters = 0;
  int64_t bytes = 0;
  for (const ModuleSize& s : inspected.stations) {
    parameters += s.parameters;
    bytes += s.bytes;
    rows.push_back({s.shape.name, s.shape.input, s.shape.output, s.parameters ? grouped(s.parameters) : "-",
                    s.parameters ? grouped(s.bytes) : "-"});
  }
  rows.push_back({"total", "", "", grouped(parameters), grouped(bytes)});
  text += table(rows);
  for (const PlannedImage& i : images)
    text += "\n" + i.path + ": " + std::to_string(i.size.width) + "x" + std::to_string(i.size.height) +
            ", grid " + std::to_string(i.plan.grid.rows) + "x" + std::to_string(i.plan.grid.cols) + ", " +
            std::to_string(i.plan.tiles) + (i.plan.tiles == 1 ? " tile, " : " tiles, ") +
            std::to_string(i.plan.tokens) + " image tokens\n";
  return text;
}

int run(const InspectFlags& flags) {
  check_options(flags.options);
  check_standard_input(flags.images, {});
  ModelOptions options;
  options.mmproj = flags.files.mmproj;
  options.lora = flags.files.lora;
  options.chat_template = flags.chat_template;
  options.device = kernels::cpu_device(flags.threads);
  const auto frontend = load_frontend(model_path(flags.model), options);
  const Checkpoint checkpoint = frontend->files().checkpoint();
  const auto stations = inspect(*frontend, checkpoint);
  const std::optional<bool> split = flags.no_split ? std::optional(false) : std::nullopt;
  std::vector<PlannedImage> images;
  for (const std::string& path : flags.images) images.push_back(plan_image(*frontend, path, split));
  const PlannedMemory memory = plan_memory(flags, *frontend, checkpoint, images, split);
  if (flags.json)
    print_json(to_json({*frontend, checkpoint, stations}, images, memory));
  else
    print(to_text({*frontend, checkpoint, stations}, images) + to_text(memory));
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show a model's stations, shapes, sizes and memory; touches no weights");
  add_model(*command, flags->model);
  add_texts(*command, "-i,--image", flags->images,
            "Show how this picture would be cut, from its header alone; several may follow")
      ->type_name("FILE");
  command->add_flag("--no-split", flags->no_split, "Plan each picture as one tile");
  command->add_option("-p,--prompt", flags->prompt, "The question whose memory is planned")
      ->capture_default_str();
  add_token_limit(*command, flags->options.max_new_tokens,
                  "Tokens of its answer; -1: up to the end of the context (default: as in run)");
  add_chat_template(*command, flags->chat_template, "As in run");
  add_weight_dtype(*command, flags->dtype, "As in run");
  add_model_files(*command, flags->files);
  command->add_flag("--no-mmap", flags->no_mmap, "As in run");
  command->add_option("--prefill-chunk", flags->options.prefill_chunk, "As in run");
  add_kv_cache_dtype(*command, flags->kv_cache_dtype, "As in run");
  add_threads(*command, flags->threads);
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  galago inspect -m HuggingFaceTB/SmolVLM-256M-Instruct\n"
      "  galago inspect -m HuggingFaceTB/SmolVLM-256M-Instruct photo.jpg -n 512 --dtype q8\n");
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace galago::cli
