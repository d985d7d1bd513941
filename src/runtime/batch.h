// Several answers at once. In: requests, at any time. Out: their answers, in the order in which they end.
// A step reads a piece of the prompt of each that has joined, then one token for all of them in one pass over
// the weights. What one is told does not depend on who else is there
// (with kept beginnings of prompts: but for rounding).
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/generate.h"

namespace galago {

/// How much is worked on at once; what is more waits for its turn.
struct BatchLimits {
  int64_t sequences = 8;    ///< at least 1
  int64_t cache_bytes = 0;  ///< of all open sequences; 0: no limit
};

/// One that joins a batch. What the request and `text` refer to must live until it has ended.
struct BatchItem {
  GenerateRequest request;
  TokenText* text = nullptr;
  /// Called when its turn comes, to add the rows and their content where they are not there yet. What it
  /// holds is let go once they are read.
  std::function<void(GenerateRequest&)> prepare{};
};

/// How one ended: with a generation, or with what it threw.
struct BatchEnd {
  int64_t id = 0;
  Generation generation;
  std::exception_ptr error;
};

/// Not thread-safe; callbacks of requests may call add and cancel.
class BatchGenerator {
 public:
  /// `model` must outlive it. Error{usage} for limits out of their range.
  BatchGenerator(CausalModel& model, const BatchLimits& limits);
  /// Closes what is still open.
  ~BatchGenerator();
  BatchGenerator(const BatchGenerator&) = delete;
  BatchGenerator& operator=(const BatchGenerator&) = delete;

  /// Checks options and lengths, then queues it; returns its id. Error{usage}, Error{input_invalid} for an
  /// empty prompt, Error{input_too_large} for one that leaves no room in the context or needs more than
  /// cache_bytes alone.
  int64_t add(BatchItem item);
  /// Ends one in the next step, with what it has so far; false when it has ended already.
  bool cancel(int64_t id);
  /// Lets in who finds room, reads prompts (each options.prefill_chunk rows, or all), decodes one token for
  /// each; returns those that ended. What one throws, ends it alone.
  std::vector<BatchEnd> step();

  int64_t running() const { return std::ssize(running_); }
  int64_t waiting() const { return std::ssize(waiting_); }

 private:
  /// One that waits for its turn.
  struct Waiting {
    int64_t id = 0;
    BatchItem item;
    int64_t budget = 0;     // tokens that it may get
    int64_t positions = 0;  // that its cache needs
    bool cancelled = false;
  };
  struct Running;

  bool has_room(const Waiting& first) const;
  void end_cancelled();
  void let_in();
  void read_prompts();
  void read_some(Running& one);
  void decode();
  void take(Running& one, std::span<const float> logits);
  void choose(Running& one, std::span<const float> logits);
  void end(Running& one, std::exception_ptr error);
  void sweep();

  CausalModel& model_;
  BatchLimits limits_;
  int64_t next_id_ = 0;
  int64_t open_bytes_ = 0;
  std::deque<Waiting> waiting_;
  std::vector<std::unique_ptr<Running>> running_;  // in the order in which they joined
  std::vector<Running*> deciding_;                 // those that decode in this step
  std::vector<NextToken> next_;                    // their tokens
  std::vector<BatchEnd> ended_;
};

}  // namespace galago
