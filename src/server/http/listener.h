// Where a server listens. In: options. Out: acceptors that listen, and their address for people.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "server/http/http.h"

namespace galago::http {

using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

/// The file of a unix socket; removed with this object, unless it is another's by then.
class SocketFile {
 public:
  explicit SocketFile(std::filesystem::path path);
  ~SocketFile();
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

 private:
  using Mark = std::tuple<uint64_t, uint64_t, int64_t, int64_t>;  // an inode's number alone is used again
  Mark mark() const;

  std::filesystem::path path_;
  Mark mark_;
};

struct Listeners {
  std::vector<Acceptor> acceptors{};
  uint16_t port = 0;
  std::string address{};  ///< "http://127.0.0.1:8080", "unix:/run/galago.sock"
  std::unique_ptr<SocketFile> file{};
};

/// One acceptor for each address of the host that this machine has, all on one port; or one for the unix
/// socket. Error{unavailable}.
Listeners listen(boost::asio::io_context& loop, const Options& options);
/// "address:port" of the other side; "unix".
std::string peer_of(const boost::asio::generic::stream_protocol::endpoint& endpoint);

}  // namespace galago::http
