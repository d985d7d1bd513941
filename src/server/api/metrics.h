// What the server counts. In: events, from any thread. Out: Prometheus' text format (version 0.0.4).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "galago/galago.h"

namespace galago::server {

/// Counts in buckets, with their sum. Safe from any thread.
class Histogram {
 public:
  /// bounds: upper ones, rising, in seconds.
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void add(double seconds);
  /// Lines NAME_bucket, NAME_sum, NAME_count.
  std::string text(const std::string& name, const std::string& help) const;
  /// Mean so far; 0 when there is none.
  double mean() const;

 private:
  const std::vector<double> bounds_;
  mutable std::mutex mutex_;
  std::vector<int64_t> counts_;
  int64_t count_ = 0;
  double sum_ = 0;
};

/// A value that is asked for when the text is made.
struct Gauge {
  std::string name;  ///< without labels
  std::string labels;
  std::string help;
  double value = 0;
};

/// All of one server.
class Metrics {
 public:
  Histogram first_token;  ///< from the request to the first piece
  Histogram between_tokens;
  Histogram request;  ///< of generation, whole
  std::atomic<int64_t> clients_left = 0;

  Metrics();
  /// A request that is over; status 0: the client left.
  void count_request(const std::string& path, int status);
  /// An answer that is over.
  void count_answer(const std::string& model, const Answer& answer);

  /// Milliseconds that a tile and a prompt token took so far, of a model; 0: not known yet.
  struct Rates {
    double tile_ms = 0;
    double prompt_ms = 0;
  };
  Rates rates(const std::string& model) const;

  std::string text(const std::vector<Gauge>& gauges) const;

 private:
  struct Sums {
    int64_t answers = 0;
    int64_t tiles = 0;
    Usage usage;
    Timings timings;
    CacheCounts cache;
  };
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int64_t> requests_;  // by path and status
  std::map<std::string, Sums> models_;
};

}  // namespace galago::server
