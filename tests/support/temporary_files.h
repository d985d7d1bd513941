// Help for tests of files: a directory that removes itself, safetensors files made by hand, caught errors.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "galago/error.h"
#include "support/allocation.h"

namespace galago::test {

/// A fresh directory that goes away with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Writes a file in it and gives its path.
  std::filesystem::path add(const std::string& name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

/// The bytes of a safetensors file with that header, unpadded, and `data_bytes` zero bytes behind it.
std::string tensor_file(std::string_view header, size_t data_bytes);
/// The header's length as the 8 bytes a file begins with.
std::string length_prefix(uint64_t length);

/// What the action throws; a test failure when it throws nothing. Anything but Error escapes.
Error error_of(const std::function<void()>& action);

}  // namespace galago::test
