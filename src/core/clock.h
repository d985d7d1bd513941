// A stopwatch for stage timings.
#pragma once

#include <chrono>

namespace galago {

class Clock {
 public:
  /// Milliseconds since construction or the last lap.
  double ms() const { return std::chrono::duration<double, std::milli>(Steady::now() - start_).count(); }
  /// ms(), and starts anew.
  double lap_ms() {
    const double passed = ms();
    start_ = Steady::now();
    return passed;
  }

 private:
  using Steady = std::chrono::steady_clock;
  Steady::time_point start_ = Steady::now();
};

}  // namespace galago
