// See the header. The last chosen token of an answer is never run through the model: nobody would read its
// logits.
#include "runtime/batch.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/clock.h"
#include "galago/error.h"
#include "runtime/options.h"

namespace galago {

/// One that is being answered. Stays where it was made: the answer refers to the request.
struct BatchGenerator::Running {
  Running(CausalModel& model, Waiting&& waiting)
      : id(waiting.id),
        item(std::move(waiting.item)),
        budget(waiting.budget),
        positions(waiting.positions),
        bytes(model.sequence_bytes(waiting.positions)),
        sampler(item.request.options, model.vocab_size(), item.request.rules),
        answer({.end_ids = item.request.end_ids,
                .stop = item.request.options.stop,
                .on_piece = &item.request.on_piece,
                .keep_end = item.request.options.keep_special.value_or(false)},
               *item.text) {
    GenerateRequest& request = item.request;
    if (item.prepare) item.prepare(request);
    const Shape expected = {std::ssize(request.ids), model.hidden_size()};
    const Shape got = {request.rows.rows, request.rows.cols};
    if (got != expected)
      throw Error(ErrorCode::internal, {"prompt rows", to_string(got), to_string(expected), ""});
    sampler.observe(request.ids);
    clock = Clock();
  }

  void open(CausalModel& model) {
    const GenerateRequest& request = item.request;
    sequence = model.open({request.ids, request.content}, positions);
    read = sequence->cached;
  }

  Generation finish() {
    if (tokens > 0) timings.decode_ms = clock.ms() - timings.first_token_ms;
    const auto decoded = static_cast<double>(tokens - 1);  // the first came with the prompt
    if (timings.decode_ms > 0) timings.tokens_per_second = decoded * 1000 / timings.decode_ms;
    Generation out = answer.finish();
    out.timings = timings;
    out.usage.prompt_tokens = std::ssize(item.request.ids);
    out.usage.image_tokens = item.request.image_tokens;
    out.usage.cached_tokens = sequence ? sequence->cached : 0;
    return out;
  }

  bool prompt_read() const { return read == std::ssize(item.request.ids); }

  int64_t id;
  BatchItem item;
  int64_t budget;
  int64_t positions;
  int64_t bytes;  // of its cache
  Sampler sampler;
  AnswerBuilder answer;
  Clock clock;  // since it was let in
  Timings timings;
  std::optional<OpenSequence> sequence;  // from its first rows on
  int64_t read = 0;                      // rows of the prompt
  int64_t tokens = 0;                    // chosen so far
  int32_t next = 0;                      // the last of them
  bool cancelled = false;
  bool ended = false;
};

BatchGenerator::BatchGenerator(CausalModel& model, const BatchLimits& limits)
    : model_(model), limits_(limits) {
  if (limits.sequences < 1)
    throw Error(ErrorCode::usage, {"sequences of a batch", std::to_string(limits.sequences), "at least 1"});
  if (limits.cache_bytes < 0)
    throw Error(ErrorCode::usage,
                {"cache bytes of a batch", std::to_string(limits.cache_bytes), "0 (no limit) or more"});
}

BatchGenerator::~BatchGenerator() {
  for (const auto& one : running_)
    if (one->sequence && !one->ended) model_.close(one->sequence->number);
}

int64_t BatchGenerator::add(BatchItem item) {
  const GenerateRequest& request = item.request;
  check_options(request.options);
  const int64_t length = std::ssize(request.ids);
  const int64_t budget = token_budget(length, model_.context_length(), new_tokens(request.options));
  const int64_t positions = length + budget - 1;
  const int64_t bytes = model_.sequence_bytes(positions);
  if (limits_.cache_bytes > 0 && bytes > limits_.cache_bytes)
    throw Error(ErrorCode::input_too_large,
                {"keys and values of prompt and answer", std::to_string(bytes) + " bytes",
                 "at most " + std::to_string(limits_.cache_bytes), "ask for fewer new tokens"});
  waiting_.push_back({.id = next_id_, .item = std::move(item), .budget = budget, .positions = positions});
  return next_id_++;
}

bool BatchGenerator::cancel(int64_t id) {
  for (Waiting& one : waiting_)
    if (one.id == id) return one.cancelled = true;
  for (const auto& one : running_)
    if (one->id == id && !one->ended) return one->cancelled = true;
  return false;
}

std::vector<BatchEnd> BatchGenerator::step() {
  end_cancelled();
  let_in();
  read_prompts();
  decode();
  return std::exchange(ended_, {});
}

void BatchGenerator::end_cancelled() {
  std::erase_if(waiting_, [this](const Waiting& one) {
    if (one.cancelled)
      ended_.push_back({.id = one.id, .generation = {.finish_reason = FinishReason::cancelled}});
    return one.cancelled;
  });
  for (const auto& one : running_)
    if (one->cancelled) {
      one->answer.cancel();
      end(*one, nullptr);
    }
  sweep();
}

bool BatchGenerator::has_room(const Waiting& first) const {
  if (running() >= limits_.sequences) return false;
  return limits_.cache_bytes == 0 ||
         open_bytes_ + model_.sequence_bytes(first.positions) <= limits_.cache_bytes;
}

void BatchGenerator::let_in() {
  while (!waiting_.empty() && has_room(waiting_.front())) {
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    const int64_t id = first.id;
    try {
      running_.push_back(std::make_unique<Running>(model_, std::move(first)));
      open_bytes_ += running_.back()->bytes;
    } catch (...) {
      ended_.push_back({.id = id, .error = std::current_exception()});
    }
  }
}

void BatchGenerator::read_prompts() {
  for (const auto& one : running_) {
    if (one->prompt_read()) continue;
    try {
      read_some(*one);
    } catch (...) {
      end(*one, std::current_exception());
    }
  }
  sweep();
}

// The next rows of a prompt. It opens with its first ones, when those before it are there to begin with;
// chunks bound the scratch memory and change nothing but the last digits.
void BatchGenerator::read_some(Running& one) {
  GenerateRequest& request = one.item.request;
  if (!one.sequence) one.open(model_);
  const int64_t left = request.rows.rows - one.read, chunk = request.options.prefill_chunk;
  const int64_t count = chunk == 0 ? left : std::min(chunk, left);
  const Clock clock;
  const auto logits = model_.prefill(one.sequence->number, request.rows.slice_rows(one.read, count));
  one.timings.prefill_ms += clock.ms();
  one.read += count;
  if (!one.prompt_read()) return;
  request.rows = {};
  one.item.prepare = nullptr;
  take(one, logits);
}

void BatchGenerator::decode() {
  deciding_.clear();
  next_.clear();
  for (const auto& one : running_)
    if (one->prompt_read()) {
      deciding_.push_back(one.get());
      next_.push_back({.sequence = one->sequence->number, .id = one->next});
    }
  if (next_.empty()) return;
  try {
    const ConstMatrix logits = model_.decode(next_);
    for (size_t i = 0; i < deciding_.size(); ++i)
      take(*deciding_[i], {logits.row(static_cast<int64_t>(i)), static_cast<size_t>(logits.cols)});
  } catch (...) {  // the call was everybody's
    for (Running* one : deciding_) end(*one, std::current_exception());
  }
  sweep();
}

void BatchGenerator::take(Running& one, std::span<const float> logits) {
  try {
    choose(one, logits);
  } catch (...) {
    end(one, std::current_exception());
  }
}

void BatchGenerator::choose(Running& one, std::span<const float> logits) {
  one.next = one.sampler.next(logits);
  if (++one.tokens == 1) one.timings.first_token_ms = one.clock.ms();
  if (!one.answer.push(one.next) || one.tokens == one.budget)
    end(one, nullptr);
  else
    one.sampler.observe({&one.next, 1});
}

void BatchGenerator::end(Running& one, std::exception_ptr error) {
  if (one.ended) return;
  one.ended = true;
  if (one.sequence) model_.close(one.sequence->number);
  open_bytes_ -= one.bytes;
  BatchEnd end{.id = one.id, .generation = {}, .error = error};
  try {
    if (!error) end.generation = one.finish();
  } catch (...) {  // of the callback that is given the last text
    end.error = std::current_exception();
  }
  ended_.push_back(std::move(end));
}

void BatchGenerator::sweep() {
  std::erase_if(running_, [](const auto& one) { return one->ended; });
}

}  // namespace galago
