// Exchanges that a server handed out, for a test to answer them when it likes.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "http_support.h"

namespace galago::http::test {

inline constexpr const char* kGet = "GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\n";

class Kept {
 public:
  std::function<void(std::shared_ptr<Exchange>)> handler();
  /// The oldest that was not taken; null, and a failure, when none comes.
  std::shared_ptr<Exchange> take();
  size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Exchange>> exchanges_;
};

}  // namespace galago::http::test
