// Which model file runs a checkpoint: the only place where model_type is looked at.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "formats/config/config.h"
#include "formats/model_files.h"
#include "models/dual_encoder.h"
#include "models/frontend.h"
#include "models/tuning.h"
#include "models/weight_formats.h"

namespace galago {

/// Which files make a model, and how its numbers are kept.
struct ModelOptions {
  NumberOptions numbers;
  std::filesystem::path mmproj;              ///< as LoadOptions::mmproj
  std::vector<Lora> lora;                    ///< as LoadOptions::lora
  std::filesystem::path chat_template = {};  ///< as LoadOptions::chat_template
  Resizer resizer = Resizer::pillow13;       ///< what pictures are resized as
  kernels::SharedDevice device = {};         ///< what the model runs on; null: every processor
};
/// What LoadOptions say of them, with a device of the model's own that goes the ways which are fastest here.
/// Error{usage} for a number of threads that cannot be, and as tuning_is_on.
inline ModelOptions model_options(const LoadOptions& load) {
  return {.numbers = numbers_of(load),
          .mmproj = load.mmproj,
          .lora = load.lora,
          .chat_template = load.chat_template,
          .resizer = pillow_resizer(load.pillow),
          .device = tuned_device(load.threads)};
}

/// The files of the model at a path, with its adapters; a directory that holds an adapter alone means its
/// base model with it. The options' numbers and template are not looked at. Error{not_found}, Error{usage}
/// for a vision file of a model that is no GGUF, and the errors of GgufFiles, base_of_adapter and
/// with_adapters.
std::shared_ptr<const ModelFiles> open_model(const std::filesystem::path& path,
                                             const ModelOptions& options = {});

/// Reads a model's settings, tokenizer and template; no weights. They are read later, as the options
/// say. Error{model_unsupported} lists what is supported.
std::unique_ptr<const Frontend> load_frontend(const std::filesystem::path& path,
                                              const ModelOptions& options = {});
/// The tower's settings of any model, or of a tower that stands alone. Error{model_unsupported} as
/// load_frontend; a model without a tower has num_hidden_layers 0.
VisionConfig load_vision_config(const std::shared_ptr<const ModelFiles>& files);
/// Reads a model of two towers, its weights too. Error{model_unsupported} for one that answers questions.
std::unique_ptr<const DualEncoder> load_dual_encoder(const std::filesystem::path& path,
                                                     const ModelOptions& options = {});

/// Whether the model at a path embeds pictures and texts (load_dual_encoder) rather than answers
/// (load_frontend). The errors of open_model, and of a config.json without model_type.
bool is_dual_encoder(const std::filesystem::path& path, const ModelOptions& options = {});

/// Loads a model of any kind, its weights too, and lets it go: all of its faults show, and its checkpoint's
/// converter sees every matrix of weights.
void load_once(const std::shared_ptr<const ModelFiles>& files, const kernels::SharedDevice& device);

}  // namespace galago
