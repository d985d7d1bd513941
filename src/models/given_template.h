// A model's files with a chat template of the user's in place of their own. In: files, a Jinja or JSON file.
// Out: the same files.
#pragma once

#include <filesystem>
#include <memory>

#include "formats/model_files.h"

namespace galago {

/// Of a JSON object its chat_template counts. Error{model_invalid} when it has none; Error{not_found} when
/// there is no such file, Error{input_too_large} over limits::kConfigBytes.
std::shared_ptr<const ModelFiles> with_template(std::shared_ptr<const ModelFiles> files,
                                                const std::filesystem::path& chat_template);

}  // namespace galago
