// See the header.
#include "hub/settings.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "core/printable.h"
#include "core/words.h"
#include "galago/error.h"
#include "io/files.h"
#include "io/hub_cache.h"

namespace galago::hub {
namespace {

constexpr int64_t kTokenBytes = 4096;
constexpr double kMostSeconds = 3600;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_true(const std::string& text) {
  const std::string word = lower_ascii(text);
  return word == "1" || word == "on" || word == "yes" || word == "true";
}

std::string trimmed(std::string text) {
  constexpr const char* kSpaces = " \t\r\n";
  text.erase(0, std::min(text.find_first_not_of(kSpaces), text.size()));
  text.erase(text.find_last_not_of(kSpaces) + 1);
  return text;
}

double seconds_of(const char* name, double otherwise) {
  const std::string text = variable(name);
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool good = error == std::errc() && end == text.data() + text.size() && seconds > 0;
  return good ? std::min(seconds, kMostSeconds) : otherwise;
}

std::string stored_token() {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})
    if (std::string token = trimmed(variable(name)); !token.empty()) return token;
  if (is_true(variable("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) return "";
  const std::string named = variable("HF_TOKEN_PATH");
  const std::filesystem::path file = named.empty() ? hub_home() / "token" : expanded_path(named);
  return trimmed(read_if_present(file, kTokenBytes).value_or(""));
}

void check_token(const std::string& token) {
  const bool sendable = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (sendable && std::ssize(token) <= kTokenBytes) return;
  throw Error(ErrorCode::usage, {.where = "the token of the Hugging Face hub",
                                 .got = "spaces or letters beyond ASCII in it",
                                 .expected = "a token such as hf_...",
                                 .hint = "HF_TOKEN, or the file that HF_TOKEN_PATH names"});
}

std::string checked_endpoint(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const bool web = endpoint.starts_with("https://") || endpoint.starts_with("http://");
  const bool plain = std::all_of(endpoint.begin(), endpoint.end(), [](char c) {
    return c > ' ' && c < '\x7f' && c != '?' && c != '#' && c != '@';
  });
  if (web && plain) return endpoint;
  throw Error(ErrorCode::usage, {.where = "HF_ENDPOINT",
                                 .got = in_quotes(endpoint),
                                 .expected = "an address such as https://huggingface.co"});
}

// Where the library that is linked looks is Debian's place, which other systems lack.
std::string certificate_file() {
  for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"})
    if (std::string file = variable(name); !file.empty()) return file;
  std::error_code error;
  if (std::filesystem::exists("/etc/ssl/certs/ca-certificates.crt", error)) return "";
  for (const char* file : {"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"})
    if (std::filesystem::exists(file, error)) return file;
  return "";
}

}  // namespace

Settings read_settings(const PullOptions& options) {
  const std::string endpoint = options.endpoint.empty() ? variable("HF_ENDPOINT") : options.endpoint;
  Settings settings{
      .endpoint = checked_endpoint(endpoint.empty() ? "https://huggingface.co" : endpoint),
      .token = options.token ? trimmed(*options.token) : stored_token(),
      .cache = options.cache.empty() ? hub_cache() : options.cache,
      .offline = options.offline.value_or(is_true(variable("HF_HUB_OFFLINE")) ||
                                          is_true(variable("TRANSFORMERS_OFFLINE"))),
      .answer_seconds = seconds_of("HF_HUB_ETAG_TIMEOUT", 10),
      .idle_seconds = seconds_of("HF_HUB_DOWNLOAD_TIMEOUT", 10),
      .certificates = certificate_file(),
  };
  check_token(settings.token);
  return settings;
}

}  // namespace galago::hub
