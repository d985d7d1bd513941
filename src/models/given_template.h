// A model's files with a chat template of the user's in place of their own. In: files, a Jinja file. Out: the
// same files.
#pragma once

#include <filesystem>
#include <memory>

#include "formats/model_files.h"

namespace galago {

/// Error{not_found} when there is no such file, Error{input_too_large} over limits::kTemplateBytes.
std::shared_ptr<const ModelFiles> with_template(std::shared_ptr<const ModelFiles> files,
                                                const std::filesystem::path& chat_template);

}  // namespace galago
