// The name of a file's content on the hub. In: its bytes. Out: SHA-256 for a file in LFS, else what git calls
// it, SHA-1 of "blob SIZE\0" and the bytes (git-hash-object(1)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;  // libcrypto's

namespace galago::hub {

enum class BlobKind { git, lfs };

/// A hash that is being made. Error{resource} when memory is out.
class BlobHash {
 public:
  /// `size`: bytes of the whole file.
  BlobHash(BlobKind kind, int64_t size);

  void add(std::span<const std::byte> bytes);
  /// 40 or 64 lower-case hexadecimal digits; nothing may be added afterwards.
  std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace galago::hub
