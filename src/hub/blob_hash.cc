// A thin layer over libcrypto, whose calls fail only for want of memory here.
#include "hub/blob_hash.h"

#include <openssl/evp.h>

#include <array>

#include "galago/error.h"

namespace galago::hub {
namespace {

void require(bool done) {
  if (!done) throw Error(ErrorCode::resource, {.where = "a file's checksum", .got = "no memory"});
}

}  // namespace

void BlobHash::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

BlobHash::BlobHash(BlobKind kind, int64_t size) : context_(EVP_MD_CTX_new()) {
  const bool lfs = kind == BlobKind::lfs;
  require(context_ && EVP_DigestInit_ex(context_.get(), lfs ? EVP_sha256() : EVP_sha1(), nullptr) == 1);
  if (lfs) return;
  const std::string head = "blob " + std::to_string(size);
  add(std::as_bytes(std::span(head.c_str(), head.size() + 1)));
}

void BlobHash::add(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string BlobHash::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  require(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

}  // namespace galago::hub
