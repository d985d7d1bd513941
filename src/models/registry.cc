// A table from model_type to the functions of a model file.
#include "models/registry.h"

#include <array>
#include <string>
#include <utility>

#include "galago/error.h"
#include "io/config.h"
#include "models/gguf_files.h"
#include "models/idefics3.h"
#include "models/llava_next.h"
#include "models/text_model.h"

namespace galago {
namespace {

struct ModelFile {
  const char* model_type;
  std::unique_ptr<const Frontend> (*make_frontend)(std::shared_ptr<const ModelFiles> files);
};

constexpr std::array<ModelFile, 6> kModels = {{{"idefics3", make_idefics3_frontend},
                                               {"smolvlm", make_smolvlm_frontend},
                                               {"llava_next", make_llava_next_frontend},
                                               {"llama", make_text_frontend},
                                               {"mistral", make_text_frontend},
                                               {"granite", make_text_frontend}}};

const ModelFile& model_file(const std::string& model_type) {
  std::string known;
  for (const ModelFile& file : kModels) {
    if (model_type == file.model_type) return file;
    known += (known.empty() ? "" : ", ") + std::string(file.model_type);
  }
  throw Error(ErrorCode::model_unsupported,
              {.where = "config.json: model_type", .got = model_type, .expected = "one of " + known});
}

}  // namespace

std::shared_ptr<const ModelFiles> open_model(const std::filesystem::path& path) {
  if (is_gguf_model(path)) return std::make_shared<GgufFiles>(path);
  return std::make_shared<DirectoryFiles>(path);
}

std::unique_ptr<const Frontend> load_frontend(const std::filesystem::path& path) {
  std::shared_ptr<const ModelFiles> files = open_model(path);
  const std::string model_type = read_model_type(*files);
  return model_file(model_type).make_frontend(std::move(files));
}

}  // namespace galago
