// Prefill and decode. In: a CausalModel and a request. Out: a Generation.
// The last chosen token is never run through the model: nobody would read its logits.
#include "generate/generate.h"

#include <algorithm>
#include <string>

#include "core/clock.h"
#include "galago/error.h"
#include "generate/options.h"

namespace galago {
namespace {

void check_rows(const CausalModel& model, const GenerateRequest& request) {
  const Shape expected = {static_cast<int64_t>(request.ids.size()), model.hidden_size()};
  const Shape got = {request.rows.rows, request.rows.cols};
  if (got != expected) {
    throw Error(ErrorCode::internal, {"prompt rows", to_string(got), to_string(expected), ""});
  }
}

// The logits [V] of the last row; chunks bound the scratch memory and change nothing else.
std::span<const float> prefill(CausalModel& model, ConstMatrix rows, int64_t chunk) {
  if (chunk == 0) chunk = rows.rows;
  std::span<const float> logits;
  for (int64_t begin = 0; begin < rows.rows; begin += chunk) {
    logits = model.forward(rows.slice_rows(begin, std::min(chunk, rows.rows - begin)));
  }
  return logits;
}

}  // namespace

Generation generate(CausalModel& model, const GenerateRequest& request, TokenText& text) {
  const GenerateOptions& options = request.options;
  check_options(options);
  const auto prompt_tokens = static_cast<int64_t>(request.ids.size());
  const int64_t budget = token_budget(prompt_tokens, model.context_length(), options.max_new_tokens);
  check_rows(model, request);

  Sampler sampler(options, model.vocab_size(), request.rules);
  sampler.observe(request.ids);
  AnswerBuilder answer({request.end_ids, options.stop, &request.on_piece, options.keep_special}, text);
  Tensor row({1, model.hidden_size()});

  const Clock clock;
  model.begin(prompt_tokens + budget - 1);
  std::span<const float> logits = prefill(model, request.rows, options.prefill_chunk);
  Timings timings;
  timings.prefill_ms = clock.ms();
  for (int64_t step = 1;; ++step) {
    const int32_t id = sampler.next(logits);
    if (step == 1) timings.first_token_ms = clock.ms();
    if (!answer.push(id) || step == budget) break;
    sampler.observe({&id, 1});
    model.embed({&id, 1}, row.matrix());
    logits = model.forward(row.matrix());
  }
  timings.decode_ms = clock.ms() - timings.first_token_ms;

  Generation result = answer.finish();
  const auto decoded = static_cast<double>(result.token_ids.size() - 1);  // the first came with the prefill
  if (timings.decode_ms > 0) timings.tokens_per_second = decoded * 1000 / timings.decode_ms;
  result.timings = timings;
  result.usage.prompt_tokens = prompt_tokens;
  result.usage.image_tokens = request.image_tokens;
  return result;
}

}  // namespace galago
