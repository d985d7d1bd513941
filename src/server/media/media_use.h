// What the pictures of requests take together. In: pixels of each before it is decoded. Out: a refusal, or a
// place for them until the request is over.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace galago::server {

/// Asked about once a second while something is waited for; false gives up. May be empty.
using KeepGoing = std::function<bool()>;
/// Calls what only waits; a thread pool may let others work meanwhile. Empty: it is called.
using Waiting = std::function<void(const std::function<void()>& wait)>;

/// The pixels of all requests. Safe from any thread.
class MediaBudget {
 public:
  explicit MediaBudget(int64_t most_pixels) : most_(most_pixels) {}
  int64_t held() const { return held_; }

 private:
  friend class MediaUse;
  const int64_t most_;
  std::atomic<int64_t> held_ = 0;
};

/// The pixels of one request, which are given back when it goes away. Of one thread at a time.
class MediaUse {
 public:
  /// Alone, with a limit of its own.
  explicit MediaUse(int64_t most_pixels) : most_(most_pixels) {}
  /// One of those that share `budget`, which must outlive it.
  MediaUse(int64_t most_pixels, MediaBudget& budget, KeepGoing keep_going, Waiting waiting);
  ~MediaUse();
  MediaUse(const MediaUse&) = delete;
  MediaUse& operator=(const MediaUse&) = delete;

  /// MediaError image_too_large when these are too many for one request, Error{overloaded} when all requests
  /// together have too many for now.
  void take(int64_t pixels, const std::string& where);
  const KeepGoing& keep_going() const { return keep_going_; }
  void wait(const std::function<void()>& body) const;

 private:
  const int64_t most_;
  int64_t taken_ = 0;
  MediaBudget* budget_ = nullptr;
  KeepGoing keep_going_;
  Waiting waiting_;
};

}  // namespace galago::server
