// Requests to a hub. In: addresses. Out: answers, or errors that say whether another attempt may help.
// The token goes to the endpoint's own origin alone; redirects are followed here, not by libcurl, and never
// from TLS to none. libcurl is used as docs/decisions/0025-hub.md tells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "galago/error.h"
#include "hub/settings.h"

namespace galago::hub {

/// A failure that may pass: no connection, a cut one, 429, 5xx.
struct Transient {
  Error error;
  double wait_seconds = 0;  ///< what the other side asked for
};

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  std::string url;  ///< that answered

  /// Empty when there is none.
  std::string header(const std::string& name) const;
};

/// Takes the body of an answer 200 or 206.
class BodySink {
 public:
  virtual ~BodySink() = default;
  /// Before the first byte.
  virtual void begin(const Answer& head) = 0;
  virtual void take(std::span<const std::byte> bytes) = 0;
};

/// What a GET asks for beside the address.
struct Part {
  int64_t from = 0;      ///< of the bytes, all that follow this many
  std::string if_range;  ///< an ETag; empty: none
};

/// One connection at a time; for one thread.
class Client {
 public:
  /// `stopped` is asked often; true ends a request with Cancelled.
  Client(const Settings& settings, std::function<bool()> stopped);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// A text of at most `limit` bytes, status 200. Follows redirects within the endpoint's origin. Error or
  /// Transient.
  Answer get_text(const std::string& url, int64_t limit);
  /// The headers of a file: those of the first answer that is no redirect within the endpoint's origin.
  Answer head(const std::string& url);
  /// The file itself, wherever the redirects lead. An answer 416 comes back as it is.
  Answer get_file(const std::string& url, const Part& part, BodySink& sink);

  /// Runs what may throw Transient, again after a growing while, up to 5 times in a row without `progressed`
  /// in between; then throws its error.
  void persist(const std::function<void()>& attempt, const std::function<bool()>& progressed = {});

 private:
  struct Transfer;
  struct Curl;

  Answer request(Transfer& transfer);
  Answer perform(Transfer& transfer);
  void wait(double seconds) const;

  const Settings& settings_;
  std::function<bool()> stopped_;
  std::unique_ptr<Curl> curl_;
};

/// Whether two addresses have scheme, host and port in common.
bool same_origin(const std::string& a, const std::string& b);
/// A Location seen from the address that answered with it; empty when it is no http(s) address, names a
/// user, or leads from https to http.
std::string redirect_target(const std::string& from, const std::string& location);
/// A part of a path, with everything but letters, digits and -._~ as %HH.
std::string escaped_part(std::string_view text);
/// Seconds of a Retry-After header; 0 for none and for a date.
double retry_after(std::string_view text);

}  // namespace galago::hub
