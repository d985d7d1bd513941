// See the header.
#include "hub/refusal.h"

#include "core/printable.h"
#include "hub/http.h"

namespace galago::hub {
namespace {

// ENDPOINT/ORG/NAME of an address of the API or of a file.
std::string page_of(const std::string& url, const Settings& settings) {
  std::string rest = url.substr(std::min(settings.endpoint.size() + 1, url.size()));
  if (rest.starts_with("api/models/")) rest.erase(0, 11);
  const size_t slash = rest.find('/');
  const size_t end = slash == std::string::npos ? slash : rest.find('/', slash + 1);
  return settings.endpoint + "/" + printable(rest.substr(0, end), 200);
}

std::string sign_in(const Settings& settings) {
  return settings.token.empty() ? "set HF_TOKEN to a token that may read it"
                                : "the token of HF_TOKEN may not read it";
}

}  // namespace

Error refusal_of(const Answer& answer, bool home, const Settings& settings) {
  const std::string code = answer.header("x-error-code"), message = answer.header("x-error-message");
  const std::string got =
      "status " + std::to_string(answer.status) + (message.empty() ? "" : ": " + printable(message, 200));
  ErrorParts parts{.where = printable(answer.url.substr(0, answer.url.find('?')), 200), .got = got};
  if (answer.status == 429) {
    parts.hint =
        "too many requests" + std::string(settings.token.empty() ? "; with HF_TOKEN more are allowed" : "");
    return {ErrorCode::overloaded, parts};
  }
  if (answer.status >= 500 || answer.status == 408 || !home) {
    parts.hint =
        home ? "the hub has trouble: try again later" : "where the file lies has trouble: try again later";
    return {ErrorCode::unavailable, parts};
  }
  const std::string page = page_of(answer.url, settings);
  if (code == "GatedRepo") {
    parts = {.where = page,
             .got = "a repository whose terms have to be accepted",
             .expected = "access to it",
             .hint = "accept them on that page, then " + sign_in(settings)};
    return {ErrorCode::auth, parts};
  }
  if (code == "RevisionNotFound") {
    parts.got = "no such revision";
    parts.hint = page + "/tree/main lists branches and tags";
    return {ErrorCode::not_found, parts};
  }
  if (code == "EntryNotFound") {
    parts.got = "no such file";
    return {ErrorCode::not_found, parts};
  }
  if (answer.status == 401 && message.starts_with("Invalid credentials")) {
    parts.hint = "the token is not valid: HF_TOKEN, or the file that HF_TOKEN_PATH names";
    return {ErrorCode::auth, parts};
  }
  if (code == "RepoNotFound" || answer.status == 401 || answer.status == 404) {
    parts = {.where = page,
             .got = "no such repository",
             .expected = "ORG/NAME of a model",
             .hint = "look at how it is written; if it is private or gated, " + sign_in(settings)};
    return {ErrorCode::not_found, parts};
  }
  if (answer.status == 403) {
    parts.hint = sign_in(settings);
    return {ErrorCode::auth, parts};
  }
  parts.expected = "status 200";
  return {ErrorCode::input_invalid, parts};
}

void refuse_answer(const std::string& where, const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::input_invalid,
              {.where = where, .got = got, .expected = expected, .hint = "is HF_ENDPOINT a hub?"});
}

}  // namespace galago::hub
