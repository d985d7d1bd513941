// See the header.
#include "server/api/api_error.h"

#include <new>

#include "core/printable.h"
#include "server/api/json_response.h"
#include "server/media/media.h"

namespace galago::server {
namespace {

// What it says to a client, without the folders of a file that it names.
std::string message_of(const Error& error) {
  if (!error.where().starts_with('/')) return error.what();
  const std::string file = error.where().substr(error.where().rfind('/') + 1);
  const ErrorParts parts = {
      .where = file, .got = error.got(), .expected = error.expected(), .hint = error.hint()};
  return Error(error.code(), parts).what();
}

ApiError of_engine(const Error& error) {
  int status = http_status(error.code());
  std::string code = to_string(error.code());
  // Templates and the like are the model's, but it is the request that asks for them.
  if (status == 0) status = 400;
  if (error.code() == ErrorCode::not_found) status = 400;  // of a file: the route is there
  // Too long for the context, too deep, too many: the body itself was not too large.
  if (error.code() == ErrorCode::input_too_large) status = 400;
  if (error.where() == "prompt" && error.code() == ErrorCode::input_too_large &&
      error.got().ends_with(" tokens"))
    code = "context_length_exceeded";
  ApiError out(status, code, "", message_of(error));
  if (code == "context_length_exceeded") {
    out.type = "exceed_context_size_error";
    out.message =
        "the request exceeds the available context size: " + out.message;  // clients know these words
  }
  if (error.code() == ErrorCode::overloaded || error.code() == ErrorCode::unavailable) out.retry_after = 1;
  return out;
}

}  // namespace

ApiError::ApiError(int status_, std::string code_, std::string param_, std::string message_)
    : status(status_),
      type(type_of(status_)),
      code(std::move(code_)),
      param(std::move(param_)),
      message(std::move(message_)) {}

const char* type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 501:
      return "not_supported_error";
    case 503:
      return "unavailable_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

void refuse_field(const std::string& field, const std::string& got, const std::string& expected) {
  throw ApiError(400, "invalid_value", field, field + ": got " + got + ", expected " + expected);
}

ApiError as_api_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const ApiError& known) {
    return known;
  } catch (const MediaError& picture) {
    const bool large = picture.code() == ErrorCode::input_too_large;
    const bool kind = picture.code() == ErrorCode::unsupported_media;
    return {large ? 413 : kind ? 415 : 400, picture.image_code, picture.where(), picture.what()};
  } catch (const Error& known) {
    return of_engine(known);
  } catch (const std::bad_alloc&) {
    ApiError full(503, "resource", "", "no memory for this request");
    full.retry_after = 1;
    return full;
  } catch (const std::exception&) {
    return {500, "internal", "", "a bug in galago: please report it"};
  }
}

std::string log_text(const ApiError& error) { return error.code + ": " + printable(error.message, 500); }

OrderedJson error_json(const ApiError& error) {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? OrderedJson() : OrderedJson(printable(text, 200));
  };
  return {{"error",
           {{"message", printable(error.message, 2000)},
            {"type", error.type},
            {"param", or_null(error.param)},
            {"code", or_null(error.code)}}}};
}

http::Response error_response(const ApiError& error) {
  http::Response response = json_response(error_json(error), error.status);
  if (error.retry_after) response.headers.emplace_back("Retry-After", std::to_string(*error.retry_after));
  const bool passing = error.status == 429 || error.status == 503;
  response.headers.emplace_back("x-should-retry", passing ? "true" : "false");
  return response;
}

}  // namespace galago::server
