// A table from model_type to the functions of a model file.
#include "models/registry.h"

#include <array>
#include <string>

#include "galago/error.h"
#include "models/idefics3.h"

namespace galago {
namespace {

struct ModelFile {
  const char* model_type;
  std::unique_ptr<const Frontend> (*make_frontend)(ModelDirectory settings);
  std::unique_ptr<const Engine> (*make_engine)(const Frontend& frontend, const Checkpoint& checkpoint);
};

constexpr std::array<ModelFile, 2> kModels = {{{"idefics3", make_idefics3_frontend, make_idefics3_engine},
                                               {"smolvlm", make_smolvlm_frontend, make_idefics3_engine}}};

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

std::unique_ptr<const Frontend> load_frontend(const std::filesystem::path& directory) {
  ModelDirectory settings = read_model_directory(directory);
  return model_file(settings.model.model_type).make_frontend(std::move(settings));
}

std::unique_ptr<const Engine> load_engine(const Frontend& frontend, const Checkpoint& checkpoint) {
  return model_file(frontend.settings().model.model_type).make_engine(frontend, checkpoint);
}

}  // namespace galago
