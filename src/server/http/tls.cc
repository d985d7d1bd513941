#include "server/http/tls.h"

#include <boost/asio/ssl.hpp>
#include <string>
#include <system_error>

#include "galago/error.h"

namespace galago::http {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

void require_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    throw Error(ErrorCode::not_found,
                {.where = path.string(), .got = "no such file", .expected = "a PEM file"});
}

void require_good(const error_code& error, const std::filesystem::path& path, const std::string& expected) {
  if (error)
    throw Error(ErrorCode::input_invalid,
                {.where = path.string(), .got = error.message(), .expected = expected});
}

}  // namespace

ssl::context make_tls(const std::filesystem::path& certificate, const std::filesystem::path& private_key) {
  require_file(certificate);
  require_file(private_key);
  ssl::context context(ssl::context::tls_server);
  SSL_CTX* const native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection gives its buffers back.
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(native,
                                [](char*, int, int, void*) { return 0; });  // or it would ask at the terminal
  error_code error;
  context.use_certificate_chain_file(certificate.string(), error);
  require_good(error, certificate, "a certificate chain in PEM");
  context.use_private_key_file(private_key.string(), ssl::context::pem, error);
  require_good(error, private_key, "the certificate's private key in PEM, without a password");
  return context;
}

}  // namespace galago::http
