// Names, exit codes, HTTP statuses and the message text of galago::Error.
#include "galago/error.h"

#include <array>
#include <utility>

namespace galago {
namespace {

struct CodeRow {
  const char* name;
  int exit_code;
  int http_status;
};

// In the order of ErrorCode. Exit codes follow sysexits(3).
constexpr std::array<CodeRow, 16> kCodes = {{
    {"usage", 64, 400},
    {"input_invalid", 65, 400},
    {"input_too_large", 65, 413},
    {"unsupported_media", 65, 415},
    {"not_found", 66, 404},
    {"unavailable", 69, 503},
    {"internal", 70, 500},
    {"resource", 71, 503},
    {"output_io", 74, 0},
    {"overloaded", 75, 429},
    {"timeout", 75, 408},
    {"auth", 77, 401},
    {"partial", 3, 0},
    {"model_changed", 78, 503},
    {"model_invalid", 78, 0},
    {"model_unsupported", 78, 0},
}};

const CodeRow& row(ErrorCode code) noexcept { return kCodes[static_cast<size_t>(code)]; }

std::string compose(const ErrorParts& parts) {
  std::string text = parts.where;
  if (!parts.got.empty()) text += (text.empty() ? "got " : ": got ") + parts.got;
  if (!parts.expected.empty()) {
    text += (parts.got.empty() ? (text.empty() ? "" : ": ") : ", ");
    text += "expected " + parts.expected;
  }
  if (!parts.hint.empty()) text += " (" + parts.hint + ")";
  return text;
}

}  // namespace

const char* to_string(ErrorCode code) noexcept { return row(code).name; }
int exit_code(ErrorCode code) noexcept { return row(code).exit_code; }
int http_status(ErrorCode code) noexcept { return row(code).http_status; }

Error::Error(ErrorCode code, ErrorParts parts)
    : code_(code), parts_(std::move(parts)), message_(compose(parts_)) {}

}  // namespace galago
