// Several requests of one model: planned where they are added, answered where step() is called.
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "core/cancelled.h"
#include "core/limits.h"
#include "runtime/answering.h"
#include "runtime/batch.h"
#include "runtime/guarded.h"
#include "runtime/sequence.h"

namespace galago {
namespace {

void check(const BatchOptions& options) {
  const auto require = [](bool holds, const char* where, int64_t got, const std::string& expected) {
    if (!holds)
      throw Error(ErrorCode::usage, {.where = where, .got = std::to_string(got), .expected = expected});
  };
  require(options.max_sequences >= 1 && options.max_sequences <= limits::kBatchSequences, "max_sequences",
          options.max_sequences, "from 1 to " + std::to_string(limits::kBatchSequences));
  require(options.max_waiting >= 0, "max_waiting", options.max_waiting, "0 or more");
  require(options.max_cache_bytes >= 0, "max_cache_bytes", options.max_cache_bytes, "0 (no limit) or more");
}

}  // namespace

struct Batch::State {
  State(std::shared_ptr<const Model::State> loaded, const BatchOptions& asked)
      : model(std::move(loaded)),
        options(asked),
        sequences(model->engine->decoder(), model->cache_dtype(), model->prefixes.get()),
        generator(sequences, {.sequences = asked.max_sequences, .cache_bytes = asked.max_cache_bytes}) {}

  /// One request; stays where it was made.
  struct Job {
    Job(int64_t number, const std::shared_ptr<const Model::State>& state, Request request)
        : id(number),
          asked(state, std::move(request)),
          text(state->frontend->tokenizer(), asked.keep_special()) {}
    BatchItem item();
    Outcome outcome(BatchEnd end);

    int64_t id;
    Answering asked;
    TokenizerText text;
  };

  void let_in(std::unique_ptr<Job> job, std::vector<Outcome>& outcomes);
  void cancel(int64_t id);

  const std::shared_ptr<const Model::State> model;
  const BatchOptions options;
  // The thread in step() alone:
  DecoderSequences sequences;
  BatchGenerator generator;
  std::map<int64_t, std::unique_ptr<Job>> jobs;  // by the generator's ids
  // Any thread, behind the mutex:
  std::mutex mutex;
  std::vector<std::unique_ptr<Job>> added;
  std::vector<int64_t> cancelled;
  std::set<int64_t> unfinished;
  int64_t next_id = 0;
};

BatchItem Batch::State::Job::item() {
  const auto rows = std::make_shared<Tensor>();  // goes with the function, once they are read
  return {.request = asked.prompt(), .text = &text, .prepare = [this, rows](GenerateRequest& request) {
            *rows = asked.rows();
            request.rows = std::as_const(*rows).matrix();
            request.content = asked.content();
          }};
}

Outcome Batch::State::Job::outcome(BatchEnd end) {
  Outcome outcome{.id = id, .answer = {}, .error = nullptr};
  try {
    if (end.error) guarded([&] { std::rethrow_exception(end.error); });
    outcome.answer = asked.finish(std::move(end.generation));
  } catch (const Cancelled&) {
    outcome.answer = asked.cancelled();
  } catch (...) {
    outcome.error = std::current_exception();
  }
  return outcome;
}

void Batch::State::let_in(std::unique_ptr<Job> job, std::vector<Outcome>& outcomes) {
  try {
    const int64_t number = generator.add(job->item());
    jobs.emplace(number, std::move(job));
  } catch (...) {
    outcomes.push_back(job->outcome({.id = 0, .generation = {}, .error = std::current_exception()}));
  }
}

void Batch::State::cancel(int64_t id) {
  for (const auto& [number, job] : jobs)
    if (job->id == id) generator.cancel(number);
}

Batch::Batch(const Model& model, const BatchOptions& options) {
  check(options);
  guarded([&] { state_ = std::make_unique<State>(model.state_, options); });
}

Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;

int64_t Batch::add(Request request) {
  return guarded([&] {
    State& state = *state_;
    auto job = std::make_unique<State::Job>(0, state.model, std::move(request));
    const std::lock_guard lock(state.mutex);
    if (std::ssize(state.unfinished) >= state.options.max_sequences + state.options.max_waiting)
      throw Error(ErrorCode::overloaded,
                  {.where = "batch",
                   .got = std::to_string(state.unfinished.size()) + " requests that have not ended",
                   .expected = "less than " + std::to_string(state.options.max_sequences) + " together and " +
                               std::to_string(state.options.max_waiting) + " waiting",
                   .hint = "try again later"});
    job->id = state.next_id++;
    state.unfinished.insert(job->id);
    state.added.push_back(std::move(job));
    return state.next_id - 1;
  });
}

bool Batch::cancel(int64_t id) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->unfinished.contains(id)) return false;
  state_->cancelled.push_back(id);
  return true;
}

std::vector<Outcome> Batch::step() {
  return guarded([&] {
    State& state = *state_;
    std::vector<std::unique_ptr<State::Job>> added;
    std::vector<int64_t> cancelled;
    {
      const std::lock_guard lock(state.mutex);
      added.swap(state.added);
      cancelled.swap(state.cancelled);
    }
    std::vector<Outcome> outcomes;
    for (auto& job : added) state.let_in(std::move(job), outcomes);
    for (const int64_t id : cancelled) state.cancel(id);
    for (BatchEnd& end : state.generator.step()) {
      const auto node = state.jobs.extract(end.id);
      outcomes.push_back(node.mapped()->outcome(std::move(end)));
    }
    const std::lock_guard lock(state.mutex);
    for (const Outcome& outcome : outcomes) state.unfinished.erase(outcome.id);
    return outcomes;
  });
}

int64_t Batch::size() const {
  const std::lock_guard lock(state_->mutex);
  return std::ssize(state_->unfinished);
}

std::vector<Outcome> Model::ask_all(std::span<const Request> requests, const BatchOptions& options) const {
  BatchOptions all = options;
  all.max_waiting = std::ssize(requests);
  Batch batch(*this, all);
  std::vector<Outcome> outcomes(requests.size());
  std::map<int64_t, size_t> places;
  for (size_t i = 0; i < requests.size(); ++i) try {
      places[batch.add(requests[i])] = i;
    } catch (const Error&) {
      outcomes[i].error = std::current_exception();
    }
  while (batch.size() > 0)
    for (Outcome& outcome : batch.step()) outcomes[places.at(outcome.id)] = std::move(outcome);
  for (size_t i = 0; i < outcomes.size(); ++i) outcomes[i].id = static_cast<int64_t>(i);
  return outcomes;
}

}  // namespace galago
