// See the header.
#include "server/api/models.h"

#include <algorithm>
#include <ctime>

#include "models/registry.h"
#include "runtime/image_key.h"
#include "runtime/model_state.h"

namespace galago::server {
namespace {

std::string fingerprint_of(const Model::State& state) {
  const Digest sample = model_fingerprint(*state.frontend, state.frontend->files().checkpoint());
  return std::string("galago-") + version() + "-" + to_hex(sample).substr(0, 16);
}

std::unique_ptr<ServedModel> load(const ModelSource& source, std::string path) {
  auto served = std::make_unique<ServedModel>();
  served->names = source.names;
  served->path = std::move(path);
  served->created = static_cast<int64_t>(std::time(nullptr));
  served->limits = source.load.scheduler;
  if (is_dual_encoder(source.path, {.mmproj = source.load.mmproj, .lora = source.load.lora})) {
    served->embedding = EmbeddingModel::load(source.path, source.load);
    served->fingerprint = std::string("galago-") + version();
    served->warnings = served->embedding->warnings();
    return served;
  }
  set_chat(*served, Model::load(source.path, source.load));
  served->scheduler = std::make_unique<Scheduler>(*served->chat, source.load.scheduler);
  return served;
}

}  // namespace

void set_chat(ServedModel& served, const Model& chat) {
  served.chat = chat;
  served.warnings = chat.warnings();
  served.fingerprint = fingerprint_of(*chat.state());
  served.tile_side = chat.state()->frontend->tile_shape().side;
}

std::vector<std::unique_ptr<ServedModel>> load_models(const std::vector<ModelSource>& sources) {
  std::vector<std::unique_ptr<ServedModel>> models;
  for (const ModelSource& source : sources) {
    std::error_code error;
    std::string path = std::filesystem::canonical(source.path, error).string();
    if (error) path = source.path.string();
    const auto known =
        std::find_if(models.begin(), models.end(), [&](const auto& one) { return one->path == path; });
    if (known == models.end())
      models.push_back(load(source, std::move(path)));
    else
      (*known)->names.insert((*known)->names.end(), source.names.begin(), source.names.end());
  }
  return models;
}

}  // namespace galago::server
