// Fetches what a URL names. In: a URL that passed UrlPolicy. Out: its bytes. One connection, to an address
// that is looked at when it is about to be connected to; no redirect, proxy, cookie or password.
#pragma once

#include <cstdint>
#include <string>

#include "server/media/media_use.h"
#include "server/media/remote_url.h"

namespace galago::server {

struct FetchLimits {
  int64_t bytes = 0;
  double seconds = 0;  ///< for all of it, the name's resolution included
  KeepGoing keep_going{};
};

/// MediaError failed_to_download_image for everything that the network does and for an address that is not
/// public; image_too_large.
std::string fetch(const RemoteUrl& url, const FetchLimits& limits, const std::string& where);

}  // namespace galago::server
