// See the header.
#include "batch/flights.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "io/quiet_thread.h"

namespace galago::batch {
namespace {

constexpr auto kLongestWait = std::chrono::milliseconds(50);

size_t readers_of(const Options& options) {
  if (options.readers > 0) return static_cast<size_t>(options.readers);
  return std::clamp<size_t>(std::thread::hardware_concurrency() / 4, 2, 8);
}

SchedulerOptions scheduler_options(const Options& options, int64_t most) {
  SchedulerOptions scheduler;
  scheduler.max_sequences = options.workers;
  scheduler.max_memory = options.max_memory;
  scheduler.max_waiting = most;
  return scheduler;
}

Request base_of(const Options& options) {
  Request base = options.request;
  base.on_text = nullptr;
  base.on_progress = nullptr;
  return base;
}

}  // namespace

Flights::Flights(const Model& model, const Options& options, Take take)
    : base_(base_of(options)),
      take_(std::move(take)),
      // Two pictures for each reader: one that is being opened, one that waits for a seat.
      most_(options.workers + 2 * static_cast<int64_t>(readers_of(options))),
      scheduler_(std::make_unique<Scheduler>(model, scheduler_options(options, most_))) {
  try {
    for (size_t i = 0; i < readers_of(options); ++i) readers_.push_back(quiet_thread([this] { read(); }));
  } catch (const std::system_error&) {
    if (!readers_.empty()) return;
    throw Error(ErrorCode::resource, {.where = "threads", .got = "none to be had"});
  }
}

Flights::~Flights() {
  stop();
  for (std::thread& reader : readers_) reader.join();
}

void Flights::stop() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  room_.notify_all();
}

bool Flights::may_take() {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return closing_ || exhausted_ || taken_ < most_; });
  if (closing_ || exhausted_) return false;
  ++taken_;
  return true;
}

void Flights::read() {
  while (may_take()) {
    std::optional<Placed> placed;
    std::exception_ptr fault;
    {
      const std::lock_guard source(source_mutex_);
      const auto ended = [this] {
        const std::lock_guard lock(mutex_);
        return exhausted_;
      };
      try {
        if (!ended()) placed = take_();
      } catch (...) {
        fault = std::current_exception();
      }
      if (!placed) {
        const std::lock_guard lock(mutex_);
        --taken_;
        exhausted_ = true;
        if (fault) fault_ = fault;
        room_.notify_all();
        news_.notify_all();
        return;
      }
    }
    open(std::move(*placed));
  }
}

void Flights::ring(int64_t index) {
  const std::lock_guard lock(mutex_);
  rung_.push_back(index);
  news_.notify_all();
}

void Flights::open(Placed placed) {
  const int64_t index = placed.index;
  Flight flight{.placed = std::move(placed), .handle = {}, .error = {}};
  try {
    flight.handle = scheduler_->submit(flight.placed.item.request(base_), [this, index] { ring(index); });
  } catch (const std::bad_alloc&) {
    flight.error =
        std::make_exception_ptr(Error(ErrorCode::resource, {.where = "memory", .got = "no more to be had"}));
  } catch (...) {
    flight.error = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    flights_.emplace(index, std::move(flight));
  }
  ring(index);
}

// Whether the item wants another answer, which is on its way then.
bool Flights::ask_again(Flight& flight, Ended& ended) {
  const auto& again = flight.placed.item.again;
  if (ended.error || !again) return false;
  try {
    std::optional<Request> request = again(ended.answer);
    if (!request) return false;
    const int64_t index = flight.placed.index;
    flight.handle = scheduler_->submit(std::move(*request), [this, index] { ring(index); });
    ring(index);
    return true;
  } catch (...) {
    ended.error = std::current_exception();
    return false;
  }
}

bool Flights::landed(Flight& flight) {
  if (!flight.handle) return true;
  while (flight.handle->poll()) {
  }
  return flight.handle->ended();
}

Ended Flights::ended(Flight& flight) {
  Ended ended{.placed = {}, .answer = {}, .error = std::move(flight.error)};
  if (!flight.handle) return ended;
  try {
    ended.answer = flight.handle->wait();
  } catch (...) {
    ended.error = std::current_exception();
  }
  return ended;
}

std::vector<Ended> Flights::wait() {
  std::vector<Flight*> news;
  {
    std::unique_lock lock(mutex_);
    news_.wait_for(lock, kLongestWait, [this] { return !rung_.empty() || (exhausted_ && taken_ == 0); });
    std::vector<int64_t> rung = std::exchange(rung_, {});
    std::ranges::sort(rung);
    rung.erase(std::unique(rung.begin(), rung.end()), rung.end());
    for (const int64_t index : rung)
      if (const auto found = flights_.find(index); found != flights_.end()) news.push_back(&found->second);
    if (fault_ && taken_ == 0) std::rethrow_exception(fault_);
  }
  std::vector<Ended> all;
  for (Flight* flight : news) {
    if (!landed(*flight)) continue;
    Ended one = ended(*flight);
    if (ask_again(*flight, one)) continue;
    const int64_t index = flight->placed.index;
    one.placed = std::move(flight->placed);
    all.push_back(std::move(one));
    const std::lock_guard lock(mutex_);
    flights_.erase(index);
    --taken_;
    room_.notify_one();
  }
  return all;
}

bool Flights::over() {
  const std::lock_guard lock(mutex_);
  return exhausted_ && taken_ == 0;
}

}  // namespace galago::batch
