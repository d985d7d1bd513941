// TLS of a server: its certificate and what it speaks. In: files. Out: a context for OpenSSL.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <filesystem>

namespace galago::http {

/// TLS 1.2 and 1.3, certificate chain and key from PEM files. Error{not_found} for one that is not there,
/// Error{input_invalid} for one that is not what it should be.
boost::asio::ssl::context make_tls(const std::filesystem::path& certificate,
                                   const std::filesystem::path& private_key);

}  // namespace galago::http
