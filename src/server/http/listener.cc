#include "server/http/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstring>
#include <utility>

#include "galago/error.h"

namespace galago::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Generic = asio::generic::stream_protocol;

constexpr int kSendBuffer = 128 << 10;  // bytes
constexpr int kBacklog = 1024;

[[noreturn]] void unavailable(const std::string& where, const std::string& reason, std::string hint = {}) {
  throw Error(ErrorCode::unavailable,
              {.where = where, .got = reason, .expected = "to listen there", .hint = std::move(hint)});
}

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? '[' + address + ']' : address) + ':' + std::to_string(endpoint.port());
}

error_code open(Acceptor& acceptor, const Generic::endpoint& endpoint) {
  error_code error;
  const int family = endpoint.protocol().family();
  acceptor.open(Generic(family, family == AF_UNIX ? 0 : IPPROTO_TCP), error);
  if (!error && family != AF_UNIX) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  // Sockets that are accepted take both over: events leave at once, and a slow reader's wait here, not in the
  // system.
  if (!error && family != AF_UNIX) acceptor.set_option(asio::ip::tcp::no_delay(true), error);
  if (!error) acceptor.set_option(asio::socket_base::send_buffer_size(kSendBuffer), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kBacklog, error);
  if (!error) acceptor.non_blocking(true, error);
  return error;
}

std::vector<tcp::endpoint> resolve(asio::io_context& loop, std::string host, uint16_t port) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (!error) return {tcp::endpoint(address, port)};
  tcp::resolver resolver(loop);
  const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
  if (error || found.empty())
    unavailable(host, error.message(), "an address of this machine, or a name of one");
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  return endpoints;
}

Listeners listen_on_host(asio::io_context& loop, const Options& options) {
  Listeners listeners;
  listeners.port = options.port;
  std::string first, reasons;
  for (tcp::endpoint endpoint : resolve(loop, options.host, options.port)) {
    endpoint.port(listeners.port);
    Acceptor acceptor(loop);
    if (const error_code error =
            open(acceptor, Generic::endpoint(endpoint.data(), endpoint.size(), IPPROTO_TCP))) {
      // A name may stand for addresses of a family that this machine does not have.
      const bool absent = error == asio::error::address_family_not_supported ||
                          error == error_code(EADDRNOTAVAIL, boost::system::system_category());
      if (!absent) unavailable(text_of(endpoint), error.message());
      reasons += (reasons.empty() ? "" : "; ") + text_of(endpoint) + ": " + error.message();
      continue;
    }
    if (listeners.port == 0) {
      tcp::endpoint bound;
      const auto local = acceptor.local_endpoint();
      std::memcpy(bound.data(), local.data(), local.size());
      listeners.port = bound.port();
    }
    endpoint.port(listeners.port);
    if (first.empty()) first = text_of(endpoint);
    listeners.acceptors.push_back(std::move(acceptor));
  }
  if (listeners.acceptors.empty()) unavailable(options.host, reasons);
  listeners.address = (options.certificate.empty() ? "http://" : "https://") + first;
  return listeners;
}

// Removes the socket that a server left behind which is no more; nothing else.
void remove_stale(asio::io_context& loop, const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  asio::local::stream_protocol::socket probe(loop);
  error_code error;
  probe.connect(asio::local::stream_protocol::endpoint(path.string()), error);
  if (error == asio::error::connection_refused) ::unlink(path.c_str());
}

Listeners listen_on_path(asio::io_context& loop, const Options& options) {
  const std::string address = "unix:" + options.unix_socket.string();
  Listeners listeners;
  listeners.address = address;
  sockaddr_un unused{};
  if (options.unix_socket.string().size() >= sizeof unused.sun_path)
    unavailable(address, "a path of " + std::to_string(options.unix_socket.string().size()) + " bytes",
                "the system takes at most " + std::to_string(sizeof unused.sun_path - 1));
  remove_stale(loop, options.unix_socket);
  Acceptor acceptor(loop);
  const asio::local::stream_protocol::endpoint endpoint(options.unix_socket.string());
  if (const error_code error = open(acceptor, Generic::endpoint(endpoint.data(), endpoint.size())))
    unavailable(address, error.message());
  listeners.acceptors.push_back(std::move(acceptor));
  listeners.file = std::make_unique<SocketFile>(options.unix_socket);
  return listeners;
}

}  // namespace

SocketFile::SocketFile(std::filesystem::path path) : path_(std::move(path)), mark_(mark()) {}

SocketFile::~SocketFile() {
  if (mark_ != Mark{} && mark() == mark_) ::unlink(path_.c_str());
}

SocketFile::Mark SocketFile::mark() const {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0) return {};
  return {static_cast<uint64_t>(status.st_dev), static_cast<uint64_t>(status.st_ino), status.st_mtim.tv_sec,
          status.st_mtim.tv_nsec};
}

Listeners listen(asio::io_context& loop, const Options& options) {
  return options.unix_socket.empty() ? listen_on_host(loop, options) : listen_on_path(loop, options);
}

std::string peer_of(const Generic::endpoint& endpoint) {
  tcp::endpoint peer;
  const int family = endpoint.protocol().family();
  if ((family != AF_INET && family != AF_INET6) || endpoint.size() > peer.capacity()) return "unix";
  std::memcpy(peer.data(), endpoint.data(), endpoint.size());
  return text_of(peer);
}

}  // namespace galago::http
