// What a client is told when something went wrong, as OpenAI's clients read it. In: errors of the engine, of
// fields and of pictures. Out: a status and {"error": {message, type, param, code}}. A bad input that stays
// bad never gets a status that clients try again (408, 409, 429, 5xx).
#pragma once

#include <exception>
#include <optional>
#include <string>

#include "galago/error.h"
#include "messages/ordered_json.h"
#include "server/http/http.h"

namespace galago::server {

/// Thrown where a request is read; the answer is made of it.
struct ApiError : std::exception {
  int status = 400;
  std::string type = "invalid_request_error";
  std::string code{};   ///< empty: null
  std::string param{};  ///< the field, e.g. "messages[0].content"; empty: null
  std::string message{};
  std::optional<int> retry_after{};  ///< seconds

  ApiError() = default;
  ApiError(int status, std::string code, std::string param, std::string message);
  const char* what() const noexcept override { return message.c_str(); }
};

/// OpenAI's type of errors with this status.
const char* type_of(int status);

/// Error{400} for one field of a body: "FIELD: got GOT, expected EXPECTED".
[[noreturn]] void refuse_field(const std::string& field, const std::string& got, const std::string& expected);

/// What an exception becomes. Of what is no Error, nobody is told more than that it is a bug.
ApiError as_api_error(const std::exception_ptr& error);

/// One line for the log.
std::string log_text(const ApiError& error);
/// {"error": {...}}.
OrderedJson error_json(const ApiError& error);
/// The whole answer; with x-should-retry: false where trying again gives the same.
http::Response error_response(const ApiError& error);

}  // namespace galago::server
