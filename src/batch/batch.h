// Very many questions, of which none is lost: a run that can be killed at any moment and goes on where it
// was. In: a model, a source of items, what to ask. Out: a file with one record for each item, in their
// order. docs/batch.md teaches it, docs/decisions/0026-journal.md says why it is done so.
//
//   auto source = galago::batch::open_source({"photos"}, {});
//   galago::batch::Options options;
//   options.request.prompt = "What is in the picture?";
//   options.output = "answers.jsonl";
//   galago::batch::Summary summary = galago::batch::run(model, *source, options);
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "galago/galago.h"

namespace galago::batch {

/// One question. Nothing of it is opened before its turn.
struct Item {
  std::string id;  ///< as its record says it; need not be the only one of its name
  /// All that shapes its answer, but for the contents of files that it names: a resumed run compares it.
  /// Empty: the id.
  std::string identity;
  /// Of items that an earlier run may have seen as one item which failed, pages of a file that could not be
  /// opened then: the identity of that one, and how many they are. They take its place. Empty: none.
  std::string instead_of;
  int64_t siblings = 1;
  /// Makes the request from that of the run, pictures opened. Called once, on a thread of the run's own,
  /// beside others. An Error is the item's record; of any other exception it says "internal".
  std::function<Request(const Request& base)> request;
  /// The request that is asked once more in the place of an answer; nothing: the answer counts. Called for
  /// every answer of the item, on the thread that runs. An Error is the item's record.
  std::function<std::optional<Request>(const Answer& answer)> again;
  /// The item's record, one line of JSON, in place of answer_record() and error_record(); may be empty.
  std::function<std::string(const Answer& answer)> answer_line;
  std::function<std::string(const Error& error)> error_line;
};

/// Items in an order that is the same each time. Used by one thread at a time, not always the same.
class Source {
 public:
  virtual ~Source() = default;
  /// None at the end. An Error ends the run, which can be resumed: what is wrong with one item belongs to its
  /// request(). Cancelled, as also from request(), ends it as Callbacks::stop does.
  virtual std::optional<Item> next() = 0;
  /// How many there are in all, if that is known; asked until it is, also while others take items.
  virtual std::optional<int64_t> total() const { return std::nullopt; }
};

/// Where records go once all items are done, in the items' order.
class Sink {
 public:
  virtual ~Sink() = default;
  /// One line of JSON, without its end.
  virtual void write(const std::string& record) = 0;
  /// The output gets its name, and is on the disk when this returns.
  virtual void commit() = 0;
};

struct Options {
  Request request;  ///< what every item begins with; its callbacks are not called
  /// A JSON object of what else shapes the answers: describe(LoadOptions), and what the caller adds.
  std::string settings;
  /// NAME.tar, a folder (a name that ends with "/", or a folder that is there), or a file of JSON lines. The
  /// journal stands beside it, NAME.journal.
  std::filesystem::path output;
  int64_t workers = 8;        ///< requests in work at a time, SchedulerOptions::max_sequences
  int64_t max_memory = 0;     ///< bytes, SchedulerOptions::max_memory
  int64_t limit = 0;          ///< items in all; 0: every one of the source
  int readers = 0;            ///< threads that open pictures ahead; 0: by the processors
  bool timings = false;       ///< in records, which never repeat then
  bool restart = false;       ///< what an earlier run left is thrown away
  bool retry_errors = false;  ///< items whose records are errors are answered again, where there is a journal
  bool keep_journal = false;  ///< when the run is over
  int64_t sync_records = 64;  ///< records that a power failure may cost, at most
  double sync_seconds = 1;    ///< and the time between two writes to the disk
};

/// How far a run is.
struct Progress {
  int64_t done = 0;     ///< records, those of earlier runs included
  int64_t failed = 0;   ///< of this run's, that are errors
  int64_t resumed = 0;  ///< records that were there when it began
  std::optional<int64_t> total;
  int64_t tokens = 0;  ///< that were answered by this run
  double seconds = 0;  ///< since it began
};

/// Called on the thread that runs, 20 times a second or when something happens.
struct Callbacks {
  std::function<bool()> stop;  ///< true: end as soon as possible, so that the run can be resumed
  std::function<void(const Progress&)> progress;
  /// In place of what Options::output names, which then only names the journal.
  std::function<std::unique_ptr<Sink>()> sink;
};

struct Summary {
  int64_t done = 0;     ///< records
  int64_t failed = 0;   ///< of them, that are errors: those of earlier runs included
  int64_t resumed = 0;  ///< records that were there when it began
  int64_t tokens = 0;   ///< that were answered by this run
  double seconds = 0;
  bool stopped = false;  ///< by Callbacks::stop: there is a journal and no output
};

/// Answers all items of the source; exactly one record of each is written, whatever happened to earlier runs
/// with the same output. Errors: usage when an earlier run was another one (its model, its options, its
/// items), or its output is there; overloaded when another process is at it; output_io, after which it can be
/// resumed, as after the errors of the source, resource and model_changed.
Summary run(const Model& model, Source& source, const Options& options, const Callbacks& callbacks = {});

/// How a model was loaded, as far as that shapes answers, for Options::settings: a JSON object.
std::string describe(const LoadOptions& load);

/// {"id", "text", "finish_reason", "usage", ...}, one line.
std::string answer_record(const std::string& id, const Answer& answer, bool timings);
/// {"id", "error": {"code", "message", ...}}, one line.
std::string error_record(const std::string& id, const Error& error);

}  // namespace galago::batch
