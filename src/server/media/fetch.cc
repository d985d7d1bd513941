// See the header. curl asks before each socket: whatever the name resolved to, and however often, no other
// address than the one just checked is connected to.
#include "server/media/fetch.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "server/media/media_error.h"

namespace galago::server {
namespace {

constexpr size_t kHeaderBytes = 64 << 10;
constexpr long kOk = 200;

struct HandleDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Handle = std::unique_ptr<CURL, HandleDeleter>;

/// What curl's callbacks share.
struct Transfer {
  const RemoteUrl* url;
  const FetchLimits* limits;
  std::string body{};
  size_t header_bytes = 0;
  bool not_public = false;
  bool too_large = false;
};

curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* target) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::optional<Address> address = address_of(target->addr, static_cast<socklen_t>(target->addrlen));
  const bool listed = transfer.url->listed_address && address == transfer.url->address;
  if (!address || !(listed || is_public(*address))) {
    transfer.not_public = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(target->family, target->socktype | SOCK_CLOEXEC, target->protocol);
}

size_t take_body(const char* data, size_t, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (static_cast<int64_t>(transfer.body.size() + count) > transfer.limits->bytes) {
    transfer.too_large = true;
    return 0;
  }
  transfer.body.append(data, count);
  return count;
}

size_t take_header(const char*, size_t, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  transfer.header_bytes += count;
  return transfer.header_bytes > kHeaderBytes ? 0 : count;
}

int look_up(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& keep_going = static_cast<Transfer*>(context)->limits->keep_going;
  return keep_going && !keep_going() ? 1 : 0;
}

Handle handle_for(Transfer& transfer) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  Handle handle(ready == CURLE_OK ? curl_easy_init() : nullptr);
  if (!handle) return handle;
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = curl_easy_setopt(handle.get(), option, value) == CURLE_OK && good;
  };
  set(CURLOPT_CURLU, transfer.url->parsed.get());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");  // whatever the environment says
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_USERAGENT, "galago");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // a name server that does not answer keeps nobody waiting
  set(CURLOPT_TIMEOUT_MS, std::max(1L, static_cast<long>(transfer.limits->seconds * 1000)));
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(transfer.limits->bytes));
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&transfer));
  set(CURLOPT_WRITEFUNCTION, take_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  set(CURLOPT_HEADERFUNCTION, take_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, look_up);
  set(CURLOPT_XFERINFODATA, static_cast<void*>(&transfer));
  return good ? std::move(handle) : nullptr;
}

// For people: no addresses, and nothing that the other side wrote.
std::string reason_of(CURLcode result, const Transfer& transfer) {
  if (transfer.not_public) return "an address that is not public";
  if (transfer.header_bytes > kHeaderBytes) return "headers without end";
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
      return "no end of it within the time";
    case CURLE_COULDNT_RESOLVE_HOST:
      return "a host that has no address";
    case CURLE_COULDNT_CONNECT:
      return "no connection";
    case CURLE_PEER_FAILED_VERIFICATION:
      return "a certificate that does not hold";
    case CURLE_ABORTED_BY_CALLBACK:
      return "a request that was given up";
    default:
      return "a transfer that failed";
  }
}

[[noreturn]] void fail(const std::string& where, const std::string& got) {
  refuse_media("failed_to_download_image",
               {.where = where, .got = got, .expected = "an answer 200 with the picture"});
}

}  // namespace

std::string fetch(const RemoteUrl& url, const FetchLimits& limits, const std::string& where) {
  Transfer transfer{.url = &url, .limits = &limits};
  const Handle handle = handle_for(transfer);
  if (!handle) throw Error(ErrorCode::resource, {.where = where, .got = "no memory to download it"});
  const CURLcode result = curl_easy_perform(handle.get());
  if (transfer.too_large || result == CURLE_FILESIZE_EXCEEDED)
    refuse_bytes(where, "more bytes", limits.bytes);
  if (result != CURLE_OK) fail(where, reason_of(result, transfer));
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != kOk)
    fail(where,
         "status " + std::to_string(status) + (status / 100 == 3 ? ": redirects are not followed" : ""));
  return std::move(transfer.body);
}

}  // namespace galago::server
