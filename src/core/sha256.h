// SHA-256 of contents, for keys that must never be mistaken for one another. In: bytes, texts, numbers.
// Out: 32 bytes. Reference: FIPS 180-4; computed by OpenSSL's libcrypto (docs/decisions/0007-sha256.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct evp_md_ctx_st;  // libcrypto's; no other file sees its headers

namespace galago {

/// What SHA-256 gives.
using Digest = std::array<uint8_t, 32>;

/// 64 lower-case hexadecimal digits.
std::string to_hex(const Digest& digest);

/// A hash that is being made. Error{resource} when memory is out.
class Sha256 {
 public:
  Sha256();

  /// The bytes alone: two calls are as one with both parts.
  void add(std::span<const std::byte> bytes);
  /// Eight bytes, the lowest first.
  void add_number(int64_t number);
  /// Length and text: no two lists of texts give the same hash.
  void add_text(std::string_view text);
  /// The hash; nothing may be added afterwards.
  Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// SHA-256 of the bytes alone.
Digest sha256(std::span<const std::byte> bytes);

}  // namespace galago
