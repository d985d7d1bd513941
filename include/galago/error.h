// The one way in which galago reports that something went wrong.
// In: what happened, where, what was found and what was expected. Out: an exception whose text a user can act
// on. Codes map to sysexits(3) for the command line and to HTTP statuses for a server.
#pragma once

#include <exception>
#include <string>

#include "galago/visibility.h"

namespace galago {

/// What kind of failure it is; decides the exit code and whether a retry can help.
enum class ErrorCode {
  usage,              ///< bad flag or argument
  input_invalid,      ///< malformed image, JSON or prompt
  input_too_large,    ///< over a published limit (bytes, pixels, tokens, depth)
  unsupported_media,  ///< an image format that is not decoded
  not_found,          ///< file or model missing
  unavailable,        ///< loading or draining
  internal,           ///< a bug in galago
  resource,           ///< an allocation failed although the request was admitted
  output_io,          ///< writing our output failed
  overloaded,         ///< queue full
  timeout,            ///< deadline passed
  auth,               ///< key missing or wrong
  partial,            ///< a batch is done, and at least one of its items failed
  model_changed,      ///< a model's file changed while it was used
  model_invalid,      ///< weights, config, tokenizer or template malformed
  model_unsupported,  ///< well-formed, but an architecture or dtype that is not run
};

/// The code's name as written in logs and JSON, e.g. "model_invalid".
GALAGO_API const char* to_string(ErrorCode code) noexcept;
/// The process exit code of the command line, after sysexits(3).
GALAGO_API int exit_code(ErrorCode code) noexcept;
/// The HTTP status a server answers with; 0 where there is none.
GALAGO_API int http_status(ErrorCode code) noexcept;

/// The parts of an error. Empty parts are left out of the message.
struct ErrorParts {
  std::string where;     ///< file, field, tensor, flag or byte offset
  std::string got;       ///< what was found there
  std::string expected;  ///< what would have been right
  std::string hint;      ///< what the user can do
};

/// The only exception type that the library throws on something a user, file or request can cause.
class GALAGO_API Error : public std::exception {
 public:
  Error(ErrorCode code, ErrorParts parts);

  ErrorCode code() const noexcept { return code_; }
  const std::string& where() const noexcept { return parts_.where; }
  const std::string& got() const noexcept { return parts_.got; }
  const std::string& expected() const noexcept { return parts_.expected; }
  const std::string& hint() const noexcept { return parts_.hint; }
  /// One line: "where: got X, expected Y (hint)".
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorCode code_;
  ErrorParts parts_;
  std::string message_;
};

}  // namespace galago
