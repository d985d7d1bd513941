// Items on their way: taken from the source, opened and handed to the scheduler by threads of their own, so
// that the model always has the next one; their answers wait here for the thread that runs. In: a source, a
// model. Out: what became of each item, in the order in which they end.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "batch/batch.h"
#include "galago/scheduler.h"

namespace galago::batch {

/// An item and its place among all.
struct Placed {
  int64_t index = 0;
  Item item;
};

/// What became of one of them: an answer, or an error.
struct Ended {
  Placed placed;
  Answer answer;
  std::exception_ptr error;
};

class Flights {
 public:
  /// The next item that has no record yet; none at the end. Called by one thread at a time.
  using Take = std::function<std::optional<Placed>()>;

  Flights(const Model& model, const Options& options, Take take);
  /// What has not ended is cancelled.
  ~Flights();
  Flights(const Flights&) = delete;
  Flights& operator=(const Flights&) = delete;

  /// What ended since the last call; waits for something, a twentieth of a second at most. Throws what the
  /// source ended with, once all items before it have ended.
  std::vector<Ended> wait();
  /// Whether all items of the source have ended and were told.
  bool over();
  /// Takes no more items.
  void stop();

 private:
  struct Flight {
    Placed placed;
    std::optional<Handle> handle;
    std::exception_ptr error;  // of making it
  };
  void read();
  bool may_take();
  void open(Placed placed);
  void ring(int64_t index);
  bool ask_again(Flight& flight, Ended& ended);
  static bool landed(Flight& flight);
  static Ended ended(Flight& flight);

  const Request base_;
  const Take take_;
  const int64_t most_;  // on their way
  std::mutex source_mutex_;

  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable news_;
  std::map<int64_t, Flight> flights_;  // by index; those that were made
  std::vector<int64_t> rung_;          // those with news
  int64_t taken_ = 0;                  // that have not been told
  bool closing_ = false;
  bool exhausted_ = false;
  std::exception_ptr fault_;  // of the source

  std::unique_ptr<Scheduler> scheduler_;  // outlives the handles' threads
  std::vector<std::thread> readers_;
};

}  // namespace galago::batch
