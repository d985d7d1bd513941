// The run: what is done is read from the journal, the rest is answered and added to it, and when all is
// there, the output is written.
#include "batch/batch.h"

#include <chrono>
#include <deque>

#include "batch/flights.h"
#include "batch/journal.h"
#include "batch/manifest.h"
#include "batch/output.h"
#include "core/cancelled.h"

namespace galago::batch {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

uint64_t identity_of(const Item& item) {
  return short_digest(item.identity.empty() ? item.id : item.identity);
}

// Whether it says something of the item, not of the machine or the model.
bool belongs_to_item(ErrorCode code) {
  switch (code) {
    case ErrorCode::resource:
    case ErrorCode::model_changed:
    case ErrorCode::model_invalid:
    case ErrorCode::output_io:
    case ErrorCode::unavailable:
      return false;
    default:
      return true;
  }
}

// What goes to the journal of an item that failed; throws what ends the run.
Error item_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    if (!belongs_to_item(known.code())) throw;
    return known;
  } catch (const Cancelled&) {
    throw;
  } catch (const std::exception& other) {
    return {ErrorCode::internal, {.where = "the item", .got = other.what()}};
  } catch (...) {
    return {ErrorCode::internal, {.where = "the item", .got = "an exception of no known kind"}};
  }
}

class Run {
 public:
  Run(const Model& model, Source& source, const Options& options, const Callbacks& callbacks)
      : model_(model),
        source_(source),
        options_(options),
        callbacks_(callbacks),
        journal_(open_journal(manifest(model, options), options)) {
    look_for_total();
  }

  Summary operator()() {
    const bool stopped = !resume_and_answer();
    journal_.sync();
    if (!stopped) finish();
    return {.done = progress_.done,
            .failed = failed_before_ + progress_.failed,
            .resumed = progress_.resumed,
            .tokens = progress_.tokens,
            .seconds = seconds_since(begun_),
            .stopped = stopped};
  }

 private:
  bool resume_and_answer();
  bool resume();
  bool answer();
  void finish();
  void add(const Ended& ended);
  std::optional<Placed> take();
  std::optional<Placed> from_source();
  bool became_several(const Placed& placed);
  void look_for_total();
  void tell();
  bool stop() const { return callbacks_.stop && callbacks_.stop(); }

  const Model& model_;
  Source& source_;
  const Options& options_;
  const Callbacks& callbacks_;
  Journal journal_;
  std::deque<Placed> missing_;  // among those that the journal has
  int64_t next_ = 0;            // of the source
  Progress progress_;
  int64_t failed_before_ = 0;
  int64_t unsynced_ = 0;
  Clock::time_point synced_ = Clock::now();
  const Clock::time_point begun_ = Clock::now();
};

std::optional<Placed> Run::from_source() {
  if (options_.limit > 0 && next_ >= options_.limit) return {};
  auto item = source_.next();
  if (!item) return {};
  return Placed{.index = next_++, .item = std::move(*item)};
}

// False when it was told to stop; a source that asks may have been told first, and says so by Cancelled.
bool Run::resume_and_answer() {
  try {
    return resume() && answer();
  } catch (const Cancelled&) {
    return false;
  }
}

// The items that earlier runs have seen: they are as they were, or nothing is done. False when it was told to
// stop.
bool Run::resume() {
  const auto refuse = [&](int64_t index, const std::string& got) {
    throw Error(ErrorCode::usage,
                {.where = "item " + std::to_string(index + 1),
                 .got = got,
                 .expected = "the same items in the same order as when the run began",
                 .hint = "put the input back as it was, or --restart throws away what is done"});
  };
  const auto seen = [this] {
    return options_.limit > 0 ? std::min(options_.limit, journal_.items()) : journal_.items();
  };
  while (next_ < seen()) {
    if (next_ % 1024 == 0 && stop()) return false;
    auto placed = from_source();
    if (!placed) refuse(next_, "the end of the input");
    if (became_several(*placed)) journal_.widen(placed->index, placed->item.siblings);
    if (!journal_.has(placed->index)) {
      missing_.push_back(std::move(*placed));
      continue;
    }
    if (journal_.identity(placed->index) != identity_of(placed->item))
      refuse(placed->index, "another one than before: " + placed->item.id);
    if (options_.retry_errors && journal_.failed(placed->index)) {
      missing_.push_back(std::move(*placed));
      continue;
    }
    ++progress_.resumed;
    failed_before_ += journal_.failed(placed->index);
  }
  progress_.done = progress_.resumed;
  return true;
}

// What failed as one item then is there now: what was wrong has been mended.
bool Run::became_several(const Placed& placed) {
  const auto& [index, item] = placed;
  return !item.instead_of.empty() && journal_.has(index) && journal_.failed(index) &&
         journal_.identity(index) == short_digest(item.instead_of) &&
         identity_of(item) != journal_.identity(index);
}

void Run::look_for_total() {
  if (progress_.total) return;
  progress_.total = source_.total();
  if (options_.limit > 0 && progress_.total) progress_.total = std::min(*progress_.total, options_.limit);
}

std::optional<Placed> Run::take() {
  if (missing_.empty()) return from_source();
  Placed placed = std::move(missing_.front());
  missing_.pop_front();
  return placed;
}

void Run::tell() {
  look_for_total();
  progress_.seconds = seconds_since(begun_);
  if (callbacks_.progress) callbacks_.progress(progress_);
}

void Run::add(const Ended& ended) {
  const Item& item = ended.placed.item;
  Journal::Entry entry{.index = ended.placed.index, .identity = identity_of(item), .failed = false};
  if (ended.error) {
    const Error error = item_error(ended.error);
    entry.failed = true;
    entry.record = item.error_line ? item.error_line(error) : error_record(item.id, error);
    ++progress_.failed;
  } else {
    entry.record = item.answer_line ? item.answer_line(ended.answer)
                                    : answer_record(item.id, ended.answer, options_.timings);
    progress_.tokens += ended.answer.usage.completion_tokens;
  }
  // What a caller's function makes must not look like lines of the journal's own.
  if (entry.record.empty() || entry.record.find('\n') != std::string::npos) {
    entry.record = error_record(item.id, Error(ErrorCode::internal, {.where = "the record",
                                                                     .got = "no line, or several",
                                                                     .expected = "one line of JSON"}));
    progress_.failed += !entry.failed;
    entry.failed = true;
  }
  journal_.add(entry);
  ++progress_.done;
  ++unsynced_;
}

// False when it was told to stop.
bool Run::answer() {
  Flights flights(model_, options_, [this] { return take(); });
  tell();
  for (;;) {
    const std::vector<Ended> all = flights.wait();
    for (const Ended& ended : all) add(ended);
    if (unsynced_ >= options_.sync_records ||
        (unsynced_ > 0 && seconds_since(synced_) >= options_.sync_seconds)) {
      journal_.sync();
      unsynced_ = 0;
      synced_ = Clock::now();
    }
    tell();
    if (all.empty() && flights.over()) return true;
    if (stop()) return false;
  }
}

void Run::finish() {
  const auto sink = callbacks_.sink ? callbacks_.sink() : make_sink(options_.output);
  const int64_t items = options_.limit > 0 ? std::min(options_.limit, journal_.items()) : journal_.items();
  for (int64_t i = 0; i < items; ++i) sink->write(journal_.record(i));
  sink->commit();
  // Records behind a limit are still wanted.
  if (!options_.keep_journal && items == journal_.items()) journal_.remove();
}

}  // namespace

Summary run(const Model& model, Source& source, const Options& options, const Callbacks& callbacks) {
  check_output(options.output);
  if (!callbacks.sink) check_form(options.output);
  // What is wrong with the options themselves is told before anything is written.
  Request probe = options.request;
  if (probe.prompt.empty() && !probe.raw) probe.prompt = "?";
  model.count_tokens(probe);
  return Run(model, source, options, callbacks)();
}

}  // namespace galago::batch
