// See the header.
#include "server/media/remote_url.h"

#include <algorithm>
#include <charconv>

#include "core/printable.h"
#include "core/words.h"
#include "messages/uri.h"
#include "server/media/media_error.h"

namespace galago::server {
namespace {

constexpr size_t kMostCharacters = 8192;
constexpr uint16_t kHttp = 80;
constexpr uint16_t kHttps = 443;

struct CurlText {
  char* text = nullptr;
  CurlText() = default;
  CurlText(const CurlText&) = delete;
  CurlText& operator=(const CurlText&) = delete;
  ~CurlText() { curl_free(text); }
};

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  CurlText out;
  return curl_url_get(url, part, &out.text, flags) == CURLUE_OK ? std::string(out.text) : std::string();
}

std::optional<uint16_t> port_of(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// A host's name as resolvers know it. One that ends in a number is an address in a form that is none
// (RFC 3986 has four decimal numbers alone).
bool is_name(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.starts_with('.') || host.ends_with('.')) return false;
  if (!std::all_of(host.begin(), host.end(), is_name_character)) return false;
  if (host.find("..") != std::string_view::npos) return false;
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return !last.starts_with("0x") && last.find_first_not_of("0123456789") != std::string_view::npos;
}

[[noreturn]] void refuse_url(const std::string& where, const std::string& got) {
  refuse_media("invalid_image_url",
               {.where = where, .got = got, .expected = "an address like https://HOST/PATH"});
}

// What curl would read with more goodwill than is safe.
void check_text(const std::string& url, const std::string& where) {
  if (url.size() > kMostCharacters) refuse_url(where, std::to_string(url.size()) + " characters");
  const auto bad =
      std::find_if(url.begin(), url.end(), [](char c) { return c <= ' ' || c > '~' || c == '\\'; });
  if (bad != url.end())
    refuse_url(where, in_quotes({&*bad, 1}) + " at character " + std::to_string(bad - url.begin() + 1));
  const size_t begin = url.find("://") + 3;
  const std::string_view authority =
      std::string_view(url).substr(begin, url.find_first_of("/?#", begin) - begin);
  if (authority.empty()) refuse_url(where, "no host");
  if (authority.find('@') != std::string_view::npos) refuse_url(where, "a user's name in the address");
  if (authority.find('%') != std::string_view::npos) refuse_url(where, "\"%\" in the host");
}

RemoteUrl parsed(const std::string& text, const std::string& where) {
  check_text(text, where);
  RemoteUrl url{.parsed = std::unique_ptr<CURLU, UrlDeleter>(curl_url()), .host = {}};
  if (!url.parsed) throw Error(ErrorCode::resource, {.where = where, .got = "no memory for an address"});
  if (curl_url_set(url.parsed.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER) != CURLUE_OK)
    refuse_url(where, "an address that is malformed");
  url.host = lower_ascii(part_of(url.parsed.get(), CURLUPART_HOST));
  if (url.host.starts_with('[') && url.host.ends_with(']'))
    url.host = url.host.substr(1, url.host.size() - 2);
  url.address = address_of(url.host);
  if (!url.address && !is_name(url.host)) refuse_url(where, "the host " + in_quotes(url.host, 60));
  if (!part_of(url.parsed.get(), CURLUPART_ZONEID).empty()) refuse_url(where, "a zone in the host");
  const std::optional<uint16_t> port = port_of(part_of(url.parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
  if (!port) refuse_url(where, "a port that is none");
  url.port = *port;
  return url;
}

}  // namespace

UrlPolicy::UrlPolicy(bool remote, const std::vector<std::string>& domains)
    : remote_(remote || !domains.empty()) {
  for (const std::string& entry : domains) domains_.push_back(domain_of(entry));
}

UrlPolicy::Domain UrlPolicy::domain_of(const std::string& entry) {
  std::string host = lower_ascii(entry);
  Domain domain;
  const size_t colon = host.rfind(':');
  const bool one_colon = colon != std::string::npos && host.find(':') == colon;
  bool good = true;
  if (one_colon || (colon != std::string::npos && host.starts_with('[') && host[colon - 1] == ']')) {
    domain.port = port_of(std::string_view(host).substr(colon + 1));
    good = domain.port.has_value();
    host.resize(colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  domain.address = address_of(host);
  const bool below = host.starts_with("*.");
  domain.name = below ? host.substr(1) : host;
  good = good && (domain.address || is_name(below ? host.substr(2) : host));
  if (!good)
    throw Error(ErrorCode::usage,
                {.where = "allowed media domains",
                 .got = in_quotes(entry),
                 .expected = "HOST, *.HOST, an address, or one of them with :PORT, as images.example.org"});
  return domain;
}

bool UrlPolicy::matches(const Domain& domain, const RemoteUrl& url) {
  if (domain.port ? *domain.port != url.port : url.port != kHttp && url.port != kHttps) return false;
  if (domain.address || url.address) return domain.address == url.address;
  if (!domain.name.starts_with('.')) return domain.name == url.host;
  return url.host.size() > domain.name.size() && url.host.ends_with(domain.name);
}

RemoteUrl UrlPolicy::check(const std::string& text, const std::string& where) const {
  if (!remote_)
    refuse_media("remote_images_disabled", {.where = where,
                                            .got = "an address on the web",
                                            .expected = "the picture itself: data:image/TYPE;base64,BYTES",
                                            .hint = "this server fetches nothing"});
  RemoteUrl url = parsed(text, where);
  const auto allowed = std::find_if(domains_.begin(), domains_.end(),
                                    [&](const Domain& domain) { return matches(domain, url); });
  const bool any = domains_.empty() && (url.port == kHttp || url.port == kHttps);
  if (!any && allowed == domains_.end())
    refuse_media("remote_images_disabled",
                 {.where = where,
                  .got = "the host " + in_quotes(url.host, 60) + ", port " + std::to_string(url.port),
                  .expected = domains_.empty() ? "port 80 or 443" : "a host that this server fetches from"});
  url.listed_address = allowed != domains_.end() && allowed->address.has_value();
  return url;
}

}  // namespace galago::server
