// Which model file runs a checkpoint: the only place where model_type is looked at.
#pragma once

#include <filesystem>
#include <memory>

#include "io/safetensors.h"
#include "models/engine.h"
#include "models/frontend.h"

namespace galago {

/// Reads a directory's settings, tokenizer and template; no weights. Error{model_unsupported} lists what is
/// supported.
std::unique_ptr<const Frontend> load_frontend(const std::filesystem::path& directory);

/// Binds the weights. The checkpoint's maps must outlive the engine.
std::unique_ptr<const Engine> load_engine(const Frontend& frontend, const Checkpoint& checkpoint);

}  // namespace galago
