// What clients send that another reader could understand differently, or that is more than it should be:
// bytes, the statuses that they get, and whether the connection goes on. Sources: RFC 9112, and the
// advisories and comparisons of servers that a case's name recalls.
#pragma once

#include <string>
#include <vector>

#include "server/http/http.h"

namespace galago::http::test {

struct Case {
  std::string name;
  std::string bytes;
  std::vector<int> statuses;  ///< of the answers, in their order
  bool stays_open = false;    ///< and answers a further request
};

/// The limits that the cases go against.
inline Options case_options() {
  Options options;
  options.max_header_bytes = 1024;
  options.max_headers = 10;
  options.max_target = 128;
  return options;
}
inline constexpr int64_t kCaseMostBody = 64;

const std::vector<Case>& framing_cases();

}  // namespace galago::http::test
