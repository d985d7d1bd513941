// galago export: the vision tower of a model or checkpoint, written as a directory that transformers loads.
#include <memory>
#include <optional>

#include "commands.h"
#include "console.h"
#include "flags.h"
#include "inspect/export_tower.h"
#include "model_path.h"
#include "models/registry.h"

namespace galago::cli {
namespace {

struct ExportFlags {
  std::string output;
  std::string model;
  std::string checkpoint;
  std::string prefix;
  TowerSettings settings;
  bool bucketed = false;
  bool force = false;
  bool json = false;
};

struct Exported {
  ExtractedTower tower;
  TowerSettings settings;
  std::string from;
  int64_t rows_changed = 0;
};

/// A bare checkpoint: a directory, or one file of any kind that holds a model.
Checkpoint open_checkpoint(const std::filesystem::path& path) {
  if (path.extension() == ".safetensors") return Checkpoint::open_file(path);
  return open_model(path)->checkpoint();
}

Exported export_tower(const ExportFlags& flags, StatusLine& status) {
  Exported done{.settings = flags.settings};
  if (flags.bucketed) done.settings.positions = PatchPositions::bucketed;
  const auto prefix = flags.prefix.empty() ? std::nullopt : std::optional(flags.prefix);
  std::shared_ptr<const ModelFiles> files;
  if (flags.checkpoint.empty()) files = open_model(model_path(flags.model));
  const auto vision = files ? std::optional(load_vision_config(files)) : std::nullopt;
  const Checkpoint checkpoint = files ? files->checkpoint() : open_checkpoint(flags.checkpoint);
  done.from = files ? files->path().string() : flags.checkpoint;
  done.tower = extract_vision_tower_from_checkpoint(checkpoint, prefix);
  if (files) done.settings = read_tower_settings(*files, *vision, done.tower);
  status.show("writing " + grouped(std::ssize(done.tower.tensors)) + " tensors");
  done.rows_changed = to_hf_api(checkpoint, done.tower, done.settings, flags.output,
                                {.existing = flags.force ? Existing::replace : Existing::refuse,
                                 .go_on = [] { return !interrupted(); }});
  return done;
}

nlohmann::ordered_json to_json(const Exported& done, const std::string& output) {
  const ExtractedTower& tower = done.tower;
  return {{"from", done.from},
          {"prefix", tower.prefix},
          {"layout", to_string(tower.layout)},
          {"num_hidden_layers", tower.num_hidden_layers},
          {"hidden_size", tower.hidden_size},
          {"intermediate_size", tower.intermediate_size},
          {"num_attention_heads", done.settings.num_attention_heads},
          {"num_channels", tower.num_channels},
          {"patch_size", tower.patch_size},
          {"positions", tower.positions},
          {"pooling_head", tower.pooling_head},
          {"tensors", tower.tensors.size()},
          {"position_rows_changed", done.rows_changed},
          {"output", output}};
}

std::string to_text(const Exported& done, const std::string& output) {
  const ExtractedTower& tower = done.tower;
  const std::string side = std::to_string(tower.grid_side);
  std::string text = done.from + ": a " + to_string(tower.layout) + " tower " +
                     (tower.prefix.empty() ? "without prefix" : "under " + tower.prefix) + ", " +
                     grouped(static_cast<int64_t>(tower.tensors.size())) + " tensors\n";
  text += table({{"layers", grouped(tower.num_hidden_layers)},
                 {"hidden size", grouped(tower.hidden_size)},
                 {"inner size", grouped(tower.intermediate_size)},
                 {"heads", grouped(done.settings.num_attention_heads)},
                 {"patch", std::to_string(tower.patch_size) + " pixels, " +
                               std::to_string(tower.num_channels) + " channels"},
                 {"positions", grouped(tower.positions) + ", " + side + "x" + side},
                 {"pooling head", tower.pooling_head ? "yes" : "no"}});
  if (done.rows_changed)
    text += grouped(done.rows_changed) +
            " rows of the position table moved to where whole tiles take them (docs/vision-adapter.md)\n";
  return text + "written to " + output + "\n";
}

int run(const ExportFlags& flags) {
  catch_interrupt();
  StatusLine status(!flags.json);
  const Exported done = export_tower(flags, status);
  status.clear();
  if (flags.json)
    print_json(to_json(done, flags.output));
  else
    print(to_text(done, flags.output));
  return 0;
}

constexpr const char* kFooter =
    "The tower is looked for under vision_tower, vision, vision_model, visual and model, and without "
    "prefix.\n"
    "With a model, everything else comes from its config.json and preprocessor_config.json. A bare "
    "checkpoint\n"
    "has no config: shapes tell all sizes but the number of heads, so --heads must.\n"
    "\n"
    "Examples:\n"
    "  galago export --vision-tower my-tower -m HuggingFaceTB/SmolVLM-256M-Instruct\n"
    "  galago export --vision-tower my-tower --checkpoint model.safetensors --heads 12 --bucketed-positions\n"
    "  python -c \"from transformers import SiglipVisionModel as M; print(M.from_pretrained('my-tower'))\"\n";

/// What only a bare checkpoint needs.
void add_checkpoint_flags(CLI::App& command, ExportFlags& flags) {
  CLI::Option* checkpoint =
      command
          .add_option("--checkpoint", flags.checkpoint,
                      "A checkpoint without config: a safetensors file or a directory of them")
          ->type_name("PATH")
          ->excludes(command.get_option("--model"));
  CLI::Option* heads =
      command.add_option("--heads", flags.settings.num_attention_heads, "Attention heads of the tower")
          ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
          ->needs(checkpoint);
  checkpoint->needs(heads);
  command.add_option("--image-size", flags.settings.image_size, "Pixels on a side; 0: whole patches")
      ->check(CLI::Range(int64_t{0}, int64_t{65535}))
      ->needs(checkpoint);
  command
      .add_option("--act", flags.settings.hidden_act,
                  "Activation of the MLPs (SigLIP: gelu_pytorch_tanh, CLIP: quick_gelu)")
      ->check(CLI::IsMember({"gelu_pytorch_tanh", "gelu", "quick_gelu", "silu", "relu"}))
      ->capture_default_str()
      ->needs(checkpoint);
  command.add_option("--norm-eps", flags.settings.layer_norm_eps, "eps of the layer norms (CLIP: 1e-5)")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str()
      ->needs(checkpoint);
  command
      .add_flag("--bucketed-positions", flags.bucketed,
                "The tower comes from SmolVLM or Idefics3, which bucket patch positions")
      ->needs(checkpoint);
}

}  // namespace

void add_export(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ExportFlags>();
  CLI::App* command =
      app.add_subcommand("export", "Write a model's vision tower as a directory that transformers loads");
  command->add_option("--vision-tower", flags->output, "The folder to write: new, or empty")
      ->type_name("DIR")
      ->required();
  add_model(*command, flags->model);
  command
      ->add_option("--prefix", flags->prefix,
                   "Where the tower's tensors lie, if not in a usual place or if there are two")
      ->type_name("NAME");
  add_checkpoint_flags(*command, *flags);
  command->add_flag("--force", flags->force, "Replace the files of a folder that is not empty");
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(kFooter);
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace galago::cli
