// The bytes of a connection, as a client may send them: whole and in parts they must be read alike, and what
// is taken Beast's own parser must read alike, too. The first byte says how the parts are cut.
#include <algorithm>
#include <random>

#include "../../tests/support/http_reading.h"
#include "support/fuzz.h"

using namespace galago;

namespace {

constexpr int64_t kMostBody = 4096;
constexpr http::HeadLimits kLimits{.fields_bytes = 2048, .fields = 20, .target_bytes = 256};

bool same(const http::Request& one, const http::Request& other) {
  return one.method == other.method && one.target == other.target && one.path == other.path &&
         one.query == other.query && one.headers == other.headers && one.body == other.body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::as_text(data + 1, size - 1);
  http::Reading whole(kLimits, kMostBody);
  whole.feed(bytes);

  http::Reading parts(kLimits, kMostBody);
  std::minstd_rand random(data[0]);
  const size_t longest = 1 + data[0] % 32;
  for (size_t at = 0; at < bytes.size();) {
    const size_t count = std::min(bytes.size() - at, 1 + random() % longest);
    parts.feed(bytes.substr(at, count));
    at += count;
  }
  fuzz::require(whole.statuses() == parts.statuses());
  fuzz::require(std::equal(whole.requests().begin(), whole.requests().end(), parts.requests().begin(),
                           parts.requests().end(), same));
  for (const http::Request& request : whole.requests())
    fuzz::require(static_cast<int64_t>(request.body.size()) <= kMostBody);
  fuzz::require(http::difference_from_beast(bytes, whole.requests()).empty());
  return 0;
}
