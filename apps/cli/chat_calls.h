// Lines of OpenAI's batch API as items: {"custom_id", "method", "url": "/v1/chat/completions", "body"}, read
// by the server's reader and answered in the form of OpenAI's output file. In: lines, a model that is loaded
// before their turn. Out: items whose records repeat: no clock, nothing of chance.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "batch/batch.h"
#include "server/api/models.h"
#include "server/api/options.h"

namespace galago::cli {

class ChatCalls {
 public:
  /// media: the folder of file:// addresses; empty: none. max_tokens: of an answer whose request names none.
  /// timings: in the bodies.
  ChatCalls(const std::filesystem::path& media, std::optional<int64_t> max_tokens, bool timings);

  /// Before the first item's request is made.
  void use(const Model& model, const std::string& name);
  /// For batch::SourceOptions::read_call. Refers to this object.
  batch::Item item(std::string line, const std::string& id, const std::string& where) const;

 private:
  server::ApiOptions api_;
  server::MediaLoader media_;
  server::ServedModel model_;
  bool timings_;
};

}  // namespace galago::cli
