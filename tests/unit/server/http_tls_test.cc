// TLS: a certificate made here, OpenSSL's own client, and what is wrong with files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "galago/error.h"
#include "http_kept.h"
#include "http_support.h"
#include "server/media/media.h"
#include "support/temporary_files.h"

namespace galago::http {
namespace {

using namespace std::chrono_literals;
using galago::test::TemporaryDirectory;
using test::Client;
using test::eventually;
using test::Kept;
using test::kGet;
using test::Running;
using test::status_of;
using testing::HasSubstr;

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* pointer) const {
    free(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using File = std::unique_ptr<std::FILE, Freed<std::fclose>>;

Key make_key() { return Key(EVP_EC_gen("P-256")); }

void write_key(EVP_PKEY* key, const std::filesystem::path& path) {
  const File file(std::fopen(path.c_str(), "w"));
  ASSERT_EQ(PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr), 1);
}

// Signed by itself, for a day, for localhost.
void write_certificate(EVP_PKEY* key, const std::filesystem::path& path) {
  const std::unique_ptr<X509, Freed<X509_free>> certificate(X509_new());
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 24 * 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                             -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_sign(certificate.get(), key, EVP_sha256());
  const File file(std::fopen(path.c_str(), "w"));
  ASSERT_EQ(PEM_write_X509(file.get(), certificate.get()), 1);
}

class HttpTls : public testing::Test {
 protected:
  HttpTls() {
    const Key key = make_key();
    options_.certificate = folder_.path() / "cert.pem";
    options_.private_key = folder_.path() / "key.pem";
    write_certificate(key.get(), options_.certificate);
    write_key(key.get(), options_.private_key);
  }

  TemporaryDirectory folder_;
  Options options_;
};

// OpenSSL's client over a client's socket.
class TlsClient {
 public:
  TlsClient(uint16_t port, int version = TLS1_3_VERSION, const char* ciphers = nullptr)
      : client_(port), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    if (ciphers) SSL_CTX_set_cipher_list(context_.get(), ciphers);
    tls_.reset(SSL_new(context_.get()));
    SSL_set_fd(tls_.get(), client_.handle());
    connected_ = SSL_connect(tls_.get()) == 1;
  }
  bool connected() const { return connected_; }
  void send(std::string_view bytes) { SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())); }
  std::string receive() {
    std::string bytes(1 << 16, 0);
    const int count = SSL_read(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
    bytes.resize(static_cast<size_t>(std::max(count, 0)));
    return bytes;
  }
  std::string receive_until(const std::string& end) {
    std::string all;
    while (all.find(end) == std::string::npos) {
      const std::string part = receive();
      if (part.empty()) break;
      all += part;
    }
    return all;
  }
  // Whether the end was said, not only the connection cut.
  bool ended_in_order() const { return (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  void shutdown() { SSL_shutdown(tls_.get()); }
  Client& client() { return client_; }

 private:
  Client client_;
  std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context_;
  std::unique_ptr<SSL, Freed<SSL_free>> tls_;
  bool connected_ = false;
};

TEST_F(HttpTls, PicturesAreNotFetchedOverACertificateThatNobodyVouchesFor) {
  Running running(options_);
  const std::string domain = "127.0.0.1:" + std::to_string(running.server->port());
  const server::MediaLoader loader({.allowed_domains = {domain}});
  try {
    loader.image("https://" + domain + "/a.png", "messages[0]");
    ADD_FAILURE() << "fetched";
  } catch (const server::MediaError& error) {
    EXPECT_EQ(error.image_code, "failed_to_download_image");
    EXPECT_THAT(error.what(), HasSubstr("a certificate that does not hold"));
  }
  EXPECT_TRUE(running.done().empty());
}

TEST_F(HttpTls, AnswersOverTls12And13) {
  Running running(options_);
  EXPECT_THAT(running.server->address(), HasSubstr("https://127.0.0.1:"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(running.server->port(), version);
    ASSERT_TRUE(client.connected());
    for (int round = 0; round < 2; ++round) {
      client.send(kGet);
      EXPECT_EQ(status_of(client.receive_until("/a b ")), 200);
    }
    client.send("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n");
    client.send(std::string(200'000, 'a'));
    const std::string answer = client.receive_until(std::string(200'000, 'a'));
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_EQ(client.receive(), "");
    EXPECT_TRUE(client.ended_in_order());
  }
}

TEST_F(HttpTls, DoesNotSpeakWhatIsOld) {
  Running running(options_);
  EXPECT_FALSE(TlsClient(running.server->port(), TLS1_1_VERSION, "ALL:@SECLEVEL=0").connected());
  EXPECT_FALSE(TlsClient(running.server->port(), TLS1_2_VERSION, "eNULL:aNULL:@SECLEVEL=0").connected());
}

TEST_F(HttpTls, StreamsAndNoticesAClientThatLeaves) {
  for (const bool in_order : {true, false}) {
    Kept kept;
    Running running(options_, kept.handler());
    TlsClient client(running.server->port());
    ASSERT_TRUE(client.connected());
    client.send(kGet);
    const auto exchange = kept.take();
    exchange->begin({});
    exchange->write("one");
    EXPECT_THAT(client.receive_until("one\r\n"), HasSubstr("3\r\none\r\n"));
    if (in_order)
      client.shutdown();
    else
      client.client().reset();
    EXPECT_TRUE(eventually([&] { return exchange->gone(); }));
  }
}

TEST_F(HttpTls, WhoDoesNotSpeakItIsClosed) {
  Options options = options_;
  options.header_seconds = 0.3;
  Running running(options);
  Client plain = running.client(), silent = running.client();
  plain.send(kGet);
  plain.receive_all();  // an alert at most
  EXPECT_EQ(silent.receive(), "");
  EXPECT_TRUE(eventually([&] { return running.server->connections() == 0; }));
}

TEST_F(HttpTls, EndsWithConnectionsInEveryState) {
  Kept kept;
  auto running = std::make_unique<Running>(options_, kept.handler());
  Client silent = running->client(), half = running->client();
  half.send("\x16\x03\x01");
  TlsClient idle(running->server->port()), busy(running->server->port());
  busy.send(kGet);
  const auto exchange = kept.take();
  EXPECT_TRUE(eventually([&] { return running->server->connections() == 4; }));
  running.reset();
  EXPECT_TRUE(exchange->gone());
}

TEST_F(HttpTls, NamesTheFileThatIsWrong) {
  const auto expect = [&](ErrorCode code, const std::filesystem::path& where, const Options& options) {
    const Error error = galago::test::error_of([&] { Running running(options); });
    EXPECT_EQ(error.code(), code);
    EXPECT_EQ(error.where(), where.string());
  };
  Options options = options_;
  options.certificate = folder_.path() / "none.pem";
  expect(ErrorCode::not_found, options.certificate, options);
  options = options_;
  options.private_key = folder_.path() / "none.pem";
  expect(ErrorCode::not_found, options.private_key, options);
  const std::filesystem::path text = folder_.path() / "text.pem";
  std::ofstream(text) << "no PEM";
  options = options_;
  options.certificate = text;
  expect(ErrorCode::input_invalid, text, options);
  options = options_;
  options.private_key = text;
  expect(ErrorCode::input_invalid, text, options);
  options = options_;
  options.private_key = folder_.path() / "other.pem";
  write_key(make_key().get(), options.private_key);
  expect(ErrorCode::input_invalid, options.private_key, options);  // not the certificate's
}

}  // namespace
}  // namespace galago::http
