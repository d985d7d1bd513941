// How answers are written: each route of generation has one. In: pieces and answers of one request. Out:
// events of a stream, or one JSON document.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "galago/galago.h"
#include "server/api/api_error.h"
#include "server/api/generation_fields.h"

namespace galago::server {

/// Of one request; called by one thread at a time. What it returns is sent as it stands; empty: nothing.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  /// Before all others.
  virtual std::string begin() { return {}; }
  virtual std::string progress(const Progress&) { return {}; }
  /// A piece of answer `index`.
  virtual std::string piece(int64_t index, const StreamPiece& piece) = 0;
  /// Answer `index` is over.
  virtual std::string end(int64_t index, const Answer& answer) = 0;
  /// All are over.
  virtual std::string finish(std::span<const Answer> answers) = 0;
  /// In the place of finish(), when something went wrong.
  virtual std::string fail(const ApiError& error);

  /// The document of a request that is not streamed.
  virtual OrderedJson whole(std::span<const Answer> answers) = 0;
};

/// POST /v1/chat/completions.
std::unique_ptr<AnswerWriter> chat_writer(const AnswerCall& call);
/// POST /v1/completions; `prompts` answers of call.n each, in their order.
std::unique_ptr<AnswerWriter> completion_writer(const AnswerCall& call);
/// POST /completion, llama-server's own; calls: one for each prompt, at least one.
std::unique_ptr<AnswerWriter> native_writer(std::span<const AnswerCall> calls);
/// POST /v1/responses.
std::unique_ptr<AnswerWriter> responses_writer(const AnswerCall& call, const OrderedJson& asked);

}  // namespace galago::server
