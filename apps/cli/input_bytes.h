// Bytes of standard input that can be waited for without missing Ctrl-C. POSIX: poll, read.
#pragma once

#include <array>
#include <cstddef>
#include <functional>

namespace galago::cli {

class InputBytes {
 public:
  static constexpr int kEnd = -1, kInterrupted = -2;
  /// The next byte, kEnd, or kInterrupted once interrupted() says so. `woken` is called now and then while
  /// nothing comes, and after signals.
  int next(const std::function<void()>& woken = {});

 private:
  std::array<char, 4096> bytes_{};
  size_t at_ = 0;
  size_t size_ = 0;
};

}  // namespace galago::cli
