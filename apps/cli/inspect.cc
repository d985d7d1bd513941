// galago inspect: the pipeline of a model with every shape and size; with an image, its tile grid and tokens.
// Only headers and settings are read: no weight is touched.
#include <memory>

#include "commands.h"
#include "console.h"
#include "image/image.h"
#include "io/files.h"
#include "models/inspect.h"
#include "models/registry.h"

namespace galago::cli {
namespace {

struct InspectFlags {
  std::string model;
  std::vector<std::string> images;
  bool no_split = false;
  bool json = false;
};

struct PlannedImage {
  std::string path;
  ImageSize size;
  ImagePlan plan;
};

PlannedImage plan_image(const Frontend& frontend, const std::string& path, std::optional<bool> split) {
  const MappedFile file(path);
  PlannedImage image{.path = path, .size = read_image_size(file.bytes(), path), .plan = {}};
  image.plan = frontend.plan(image.size, split);
  return image;
}

nlohmann::ordered_json to_json(const Frontend& frontend, const std::vector<StationSize>& stations,
                               const std::vector<PlannedImage>& images) {
  auto rows = nlohmann::ordered_json::array();
  for (const StationSize& s : stations)
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
  return {{"model", frontend.files().path().string()},
          {"model_type", frontend.config().model_type},
          {"dtype", frontend.config().dtype},
          {"stations", rows},
          {"images", pictures}};
}

std::string to_text(const Frontend& frontend, const std::vector<StationSize>& stations,
                    const std::vector<PlannedImage>& images) {
  const ModelConfig& model = frontend.config();
  std::string text =
      frontend.files().path().string() + ": " + model.model_type + ", " +
      (model.dtype.empty() ? "" : model.dtype + ", ") +
      (model.vision.num_hidden_layers ? std::to_string(model.vision.num_hidden_layers) + " vision layers, "
                                      : std::string()) +
      std::to_string(model.text.num_hidden_layers) + " text layers, context " +
      std::to_string(model.text.max_position_embeddings) + "\n\n";
  std::vector<std::vector<std::string>> rows = {{"station", "in", "out", "parameters", "bytes"}};
  int64_t parameters = 0;
  int64_t bytes = 0;
  for (const StationSize& s : stations) {
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
  const auto frontend =
      load_frontend(flags.model.empty() ? demo_model() : std::filesystem::path(flags.model));
  const Checkpoint checkpoint = frontend->files().outline();
  const auto stations = inspect(*frontend, checkpoint);
  const std::optional<bool> split = flags.no_split ? std::optional(false) : std::nullopt;
  std::vector<PlannedImage> images;
  for (const std::string& path : flags.images) images.push_back(plan_image(*frontend, path, split));
  if (flags.json)
    print_json(to_json(*frontend, stations, images));
  else
    print(to_text(*frontend, stations, images));
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show a model's stations, shapes and sizes; touches no weights");
  command->add_option("-m,--model", flags->model, "Model directory, or GGUF file (default: the demo model)");
  command
      ->add_option("-i,--image", flags->images, "Show how this picture would be cut, from its header alone")
      ->allow_extra_args(false);
  command->add_flag("--no-split", flags->no_split, "Plan each picture as one tile");
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace galago::cli
