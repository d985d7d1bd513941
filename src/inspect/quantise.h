// A model directory with its weights in another format, which loads by itself: mapped, with nothing made of
// it. In: a model directory and a WeightDtype. Out: a directory with the same small files and one
// model.safetensors.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/weight.h"
#include "models/weight_formats.h"

namespace galago {

/// What was written.
struct QuantisedModel {
  std::map<WeightFormat, int64_t> matrices;  ///< by format, those that stayed as they were included
  int64_t moved = 0;                         ///< those that keep their format and went into panels
  int64_t bytes_before = 0;                  ///< of tensors
  int64_t bytes_after = 0;
};

/// Tensors written so far and in all; false stops.
using QuantiseProgress = std::function<bool(int64_t done, int64_t total)>;

/// Writes `to`, a new or empty folder, which appears whole or not at all. Every file of `from` that is no
/// weights is copied, folders are not. Errors: those of loading the model, Error{model_unsupported} for GGUF,
/// Error{output_io}; Cancelled when on_progress says so.
/// Adapters are merged.
QuantisedModel quantise_model(const std::filesystem::path& from, const std::filesystem::path& to,
                              WeightDtype dtype, const QuantiseProgress& on_progress = {},
                              const std::vector<Lora>& lora = {});

}  // namespace galago
