// The models of a server, by name. In: directories. Out: loaded models, each once however many names it has.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "galago/embedding.h"
#include "galago/galago.h"
#include "galago/scheduler.h"
#include "server/api/options.h"

namespace galago::server {

/// One model at work: it answers (chat) or embeds.
struct ServedModel {
  std::vector<std::string> names;
  std::string path;         ///< canonical
  std::string fingerprint;  ///< "galago-VERSION-" and 16 digits of a digest: the same for the same files
  int64_t created = 0;      ///< seconds since 1970, of loading
  std::optional<Model> chat;
  std::unique_ptr<Scheduler> scheduler;  ///< of chat
  std::optional<EmbeddingModel> embedding;
  SchedulerOptions limits;
  int64_t tile_side = 0;  ///< of chat, pixels
  std::vector<std::string> warnings;

  const std::string& name() const { return names.front(); }
};

/// Fills in what a loaded model tells of itself.
void set_chat(ServedModel& served, const Model& chat);

/// Loads them all; what has the same path is loaded once. Errors of loading.
std::vector<std::unique_ptr<ServedModel>> load_models(const std::vector<ModelSource>& sources);

}  // namespace galago::server
