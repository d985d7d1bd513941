// What a request says of how its answer is chosen and where it ends, in the words of OpenAI, llama-server and
// vLLM.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "server/api/fields.h"
#include "server/api/models.h"
#include "server/api/options.h"

namespace galago::server {

/// A whole request for an answer, as it is sent to the scheduler.
struct AnswerCall {
  const ServedModel* model = nullptr;
  std::string model_name;  ///< as the client said it, or the model's own
  Request request;
  int64_t n = 1;
  bool stream = false;
  bool include_usage = false;  ///< a last chunk with the counts
  bool progress = false;       ///< chunks that tell how far the pictures are
  bool timings_per_token = false;
  bool echo = false;    ///< the prompt stands before the answer
  bool silent = false;  ///< 0 tokens were asked for: the prompt is read, the first token is thrown away
  /// The answer is the arguments of this function; "*": a call of one of several; empty: a text.
  std::string tool;

  /// End tokens that are not in the answer's text.
  std::vector<int32_t> unseen_ids() const;
};

/// Reads them into call.request.options, n, stream. ApiError.
void read_generation(const Fields& body, const ApiOptions& api, AnswerCall& call);

}  // namespace galago::server
