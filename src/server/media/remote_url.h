// Addresses on the web that a request may have fetched. In: a URL and what the operator allows. Out: the URL
// as curl has read it, so that what was checked is what is connected to. Nothing is resolved here. Reference:
// RFC 3986; the URL API of libcurl.
#pragma once

#include <curl/urlapi.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/media/address.h"

namespace galago::server {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

/// A URL that may be fetched.
struct RemoteUrl {
  std::unique_ptr<CURLU, UrlDeleter> parsed;
  std::string host;  ///< in lower case, without brackets
  uint16_t port = 0;
  std::optional<Address> address{};  ///< that the host is written as
  bool listed_address = false;       ///< the operator has listed this very address: it may be a private one
};

/// Const and thread-safe.
class UrlPolicy {
 public:
  /// domains: "example.org", "*.example.org" (the names below it), either with ":PORT", or an address, as
  /// "10.0.0.5:8000" or "[fd00::5]". None with `remote`: any public host. Error{usage} for anything else.
  UrlPolicy(bool remote, const std::vector<std::string>& domains);

  /// MediaError remote_images_disabled where nothing, or not this host, may be fetched; invalid_image_url for
  /// what is no plain http or https URL.
  RemoteUrl check(const std::string& url, const std::string& where) const;

 private:
  struct Domain {
    std::string name;                ///< without "*"; ".example.org" means the names below
    std::optional<Address> address;  ///< instead of a name
    std::optional<uint16_t> port;    ///< nothing: 80 and 443
  };
  static Domain domain_of(const std::string& entry);
  static bool matches(const Domain& domain, const RemoteUrl& url);

  bool remote_;
  std::vector<Domain> domains_;
};

}  // namespace galago::server
