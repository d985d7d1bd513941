// What image_url and video_url name: data: URIs with their base64, names of files, addresses on the web.
// Nothing is connected to: addresses go through the policy alone.
#include "server/media/media.h"

#include <algorithm>
#include <string>

#include "core/base64.h"
#include "core/words.h"
#include "messages/uri.h"
#include "support/fuzz.h"

using namespace galago;
using namespace galago::server;

namespace {

constexpr const char* kWhere = "messages[0]";

/// Every refusal names the place in the request and is no status that clients try again.
template <class Body>
void refuse_or(const Body& body) {
  fuzz::accept([&] {
    try {
      body();
    } catch (const MediaError& error) {
      const int status = http_status(error.code());
      fuzz::require(error.where().starts_with(kWhere) && !error.image_code.empty());
      fuzz::require(status == 400 || status == 413 || status == 415);
      throw;
    }
  });
}

void check_address(const UrlPolicy& policy, const std::string& text) {
  refuse_or([&] {
    const RemoteUrl url = policy.check(text, kWhere);
    fuzz::require(!url.host.empty() && url.port > 0);
    fuzz::require(url.address.has_value() || std::all_of(url.host.begin(), url.host.end(), [](char c) {
                    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                           c == '_';
                  }));
    // What curl would connect to is what was checked.
    char* host = nullptr;
    fuzz::require(curl_url_get(url.parsed.get(), CURLUPART_HOST, &host, 0) == CURLUE_OK);
    fuzz::require(lower_ascii(host).find(url.host) != std::string::npos);
    curl_free(host);
    fuzz::require(!url.listed_address || url.address.has_value());
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const MediaLoader loader({.media_path = fuzz::scratch(), .max_image_pixels = 1 << 20});
  static const UrlPolicy any(true, {});
  static const UrlPolicy listed(false,
                                {"example.org", "*.example.org", "example.org:8080", "127.0.0.1:81", "::1"});
  const std::string text(fuzz::as_text(data, size));
  fuzz::accept([&] {
    const std::string bytes = decode_base64(text, kWhere);
    fuzz::require(to_base64(bytes) == text);
  });
  refuse_or([&] { loader.image(text, kWhere); });
  refuse_or([&] { loader.image("file:" + text, kWhere); });
  refuse_or([&] { loader.video("data:;base64," + text, kWhere); });
  for (const UrlPolicy* policy : {&any, &listed}) {
    if (on_the_web(text)) check_address(*policy, text);
    check_address(*policy, "http://" + text);
  }
  fuzz::accept([&] { UrlPolicy(false, {text}); });
  return 0;
}
