// Which model file runs a checkpoint: the only place where model_type is looked at.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "io/config.h"
#include "io/model_files.h"
#include "models/dual_encoder.h"
#include "models/frontend.h"
#include "models/weight_formats.h"

namespace galago {

/// The files of the model at a path. Error{not_found}.
std::shared_ptr<const ModelFiles> open_model(const std::filesystem::path& path);

/// Reads a model's settings, tokenizer and template; no weights. They are read later, as `numbers`
/// says. chat_template: a file with one in place of the model's own; empty: none. Pictures are resized as
/// `resizer` does. Error{model_unsupported} lists what is supported, Error{usage} for other numbers.
std::unique_ptr<const Frontend> load_frontend(const std::filesystem::path& path,
                                              const NumberOptions& numbers = {},
                                              const std::filesystem::path& chat_template = {},
                                              Resizer resizer = Resizer::pillow13);
/// The tower's settings of any model, or of a tower that stands alone. Error{model_unsupported} as
/// load_frontend; a model without a tower has num_hidden_layers 0.
VisionConfig load_vision_config(const std::shared_ptr<const ModelFiles>& files);
/// Reads a model of two towers, its weights too. Error{model_unsupported} for one that answers questions.
std::unique_ptr<const DualEncoder> load_dual_encoder(const std::filesystem::path& path,
                                                     const NumberOptions& numbers = {},
                                                     Resizer resizer = Resizer::pillow13);

/// Loads a model of any kind, its weights too, and lets it go: all of its faults show, and its checkpoint's
/// converter sees every matrix of weights.
void load_once(const std::shared_ptr<const ModelFiles>& files);

}  // namespace galago
