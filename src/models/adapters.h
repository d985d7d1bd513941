// LoRA adapters over a model's files. In: files, adapters and their scales. Out: files whose checkpoint has
// the sums, made as float32 when they are asked for, so that everything behind is one path: formats, panels,
// traces, keys of caches. Reference: peft 0.21, PeftModel with its adapters active.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "formats/model_files.h"
#include "galago/galago.h"
#include "kernels/kernels.h"

namespace galago {

/// "DIR" or "DIR:SCALE". Error{usage} for a scale that is no finite number.
Lora parse_lora(const std::string& text);

/// The same files with adapters in their checkpoints. Adapters are read now; what they do to the checkpoint
/// is checked when it is opened: Error{model_invalid} lists tensors that it lacks or that have another shape.
std::shared_ptr<const ModelFiles> with_adapters(std::shared_ptr<const ModelFiles> files,
                                                const std::vector<Lora>& adapters,
                                                kernels::SharedDevice device);

/// The base model of an adapter's directory: base_model_name_or_path as a directory, or from the hub's cache.
/// Error{not_found} says where it was looked for and how to name it.
std::filesystem::path base_of_adapter(const std::filesystem::path& directory);

}  // namespace galago
