// A table from model_type to the functions of a model file.
#include "models/registry.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "core/limits.h"
#include "formats/config/config.h"
#include "formats/config/config_fields.h"
#include "formats/json.h"
#include "formats/lora_adapter.h"
#include "galago/error.h"
#include "models/adapters.h"
#include "models/gguf/files.h"
#include "models/given_template.h"
#include "models/idefics3.h"
#include "models/llava_next.h"
#include "models/siglip.h"
#include "models/text_model.h"
#include "models/weight_formats.h"

namespace galago {
namespace {

struct ModelFile {
  const char* model_type;
  std::unique_ptr<const Frontend> (*make_frontend)(std::shared_ptr<const ModelFiles> files, Resizer resizer,
                                                   kernels::SharedDevice device);
};

constexpr std::array<ModelFile, 6> kModels = {{{"idefics3", make_idefics3_frontend},
                                               {"smolvlm", make_smolvlm_frontend},
                                               {"llava_next", make_llava_next_frontend},
                                               {"llama", make_text_frontend},
                                               {"mistral", make_text_frontend},
                                               {"granite", make_text_frontend}}};

struct EncoderFile {
  const char* model_type;
  const char* vision_type;  // of a vision_config that names none
  std::unique_ptr<const DualEncoder> (*make)(std::shared_ptr<const ModelFiles> files, Resizer resizer,
                                             kernels::SharedDevice device);
};

// SigLIP2's files for pictures of one size say "siglip" too.
constexpr std::array<EncoderFile, 2> kDualEncoders = {
    {{"siglip", "siglip_vision_model", make_siglip}, {"siglip2", "siglip2_vision_model", make_siglip2}}};

const ModelFile& model_file(const std::string& model_type) {
  std::string known;
  for (const EncoderFile& file : kDualEncoders)
    if (model_type == file.model_type)
      throw Error(ErrorCode::model_unsupported, {.where = "config.json: model_type",
                                                 .got = model_type + ", which answers no questions",
                                                 .expected = "a model with a text decoder",
                                                 .hint = "galago embed and galago classify run this model"});
  for (const ModelFile& file : kModels) {
    if (model_type == file.model_type) return file;
    known += (known.empty() ? "" : ", ") + std::string(file.model_type);
  }
  throw Error(ErrorCode::model_unsupported,
              {.where = "config.json: model_type", .got = model_type, .expected = "one of " + known});
}

const EncoderFile& encoder_file(const std::string& model_type) {
  std::string known;
  for (const EncoderFile& file : kDualEncoders) {
    if (model_type == file.model_type) return file;
    known += (known.empty() ? "" : ", ") + std::string(file.model_type);
  }
  throw Error(ErrorCode::model_unsupported, {.where = "config.json: model_type",
                                             .got = model_type,
                                             .expected = known + ", a model that embeds pictures and texts",
                                             .hint = "a model that answers questions is for galago run"});
}

kernels::SharedDevice device_of(const ModelOptions& options) {
  return options.device ? options.device : tuned_device();
}

}  // namespace

std::shared_ptr<const ModelFiles> open_model(const std::filesystem::path& path, const ModelOptions& options) {
  if (is_lora_adapter(path)) {
    const std::filesystem::path base = base_of_adapter(path);
    if (is_lora_adapter(base))
      throw Error(ErrorCode::model_invalid, {.where = path.string(),
                                             .got = "an adapter over the adapter " + base.string(),
                                             .expected = "a base model",
                                             .hint = "name the base with -m and each adapter with --lora"});
    ModelOptions with = options;
    with.lora.insert(with.lora.begin(), {.directory = path});
    return open_model(base, with);
  }
  if (is_gguf_model(path))
    return with_adapters(std::make_shared<GgufFiles>(path, options.mmproj), options.lora, device_of(options));
  if (!options.mmproj.empty())
    throw Error(ErrorCode::usage, {.where = "mmproj",
                                   .got = options.mmproj.string() + " beside " + path.string(),
                                   .expected = "a GGUF model: other directories hold their towers"});
  return with_adapters(std::make_shared<DirectoryFiles>(path), options.lora, device_of(options));
}

std::unique_ptr<const Frontend> load_frontend(const std::filesystem::path& path, const ModelOptions& asked) {
  ModelOptions options = asked;
  options.device = device_of(asked);
  std::shared_ptr<const ModelFiles> files = open_model(path, options);
  if (!options.chat_template.empty()) files = with_template(std::move(files), options.chat_template);
  files = with_numbers(std::move(files), options.numbers, options.device);
  const std::string model_type = read_model_type(*files);
  return model_file(model_type).make_frontend(std::move(files), options.resizer, options.device);
}

bool is_dual_encoder(const std::filesystem::path& path, const ModelOptions& options) {
  const std::string model_type = read_model_type(*open_model(path, options));
  return std::any_of(std::begin(kDualEncoders), std::end(kDualEncoders),
                     [&](const EncoderFile& file) { return model_type == file.model_type; });
}

VisionConfig load_vision_config(const std::shared_ptr<const ModelFiles>& files) {
  const std::string model_type = read_model_type(*files);
  const std::string where = files->where("config.json");
  const Json document = parse_json(files->read("config.json", limits::kConfigBytes), where);
  const JsonField root(document, where);
  if (is_tower_class(model_type)) return read_tower_config(root, model_type);
  const Json absent = Json::object();
  for (const EncoderFile& file : kDualEncoders)
    if (model_type == file.model_type)
      return read_tower_config(
          root.find("vision_config").value_or(JsonField(absent, where + ": vision_config")),
          file.vision_type);
  const ModelFile& file = model_file(model_type);
  if (file.make_frontend == make_text_frontend)
    throw Error(ErrorCode::model_unsupported, {.where = where + ": model_type",
                                               .got = model_type + ", a text model",
                                               .expected = "a model with a vision tower"});
  return file.make_frontend(files, Resizer::pillow13, kernels::cpu_device())->config().vision;
}

void load_once(const std::shared_ptr<const ModelFiles>& files, const kernels::SharedDevice& device) {
  const std::string model_type = read_model_type(*files);
  for (const EncoderFile& file : kDualEncoders)
    if (model_type == file.model_type) {
      file.make(files, Resizer::pillow13, device);
      return;
    }
  const Checkpoint checkpoint = files->checkpoint();
  model_file(model_type).make_frontend(files, Resizer::pillow13, device)->load_engine(checkpoint);
}

std::unique_ptr<const DualEncoder> load_dual_encoder(const std::filesystem::path& path,
                                                     const ModelOptions& asked) {
  ModelOptions options = asked;
  options.device = device_of(asked);
  std::shared_ptr<const ModelFiles> files =
      with_numbers(open_model(path, options), options.numbers, options.device);
  const std::string model_type = read_model_type(*files);
  return encoder_file(model_type).make(std::move(files), options.resizer, options.device);
}

}  // namespace galago
