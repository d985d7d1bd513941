// GGUF files made by hand, whole or wrong on purpose. In: keys, tensors, counts. Out: the bytes of a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galago::test {

/// The little-endian bytes of a number.
template <class T>
std::string little(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A text as the format has it: 64-bit length, bytes.
inline std::string gguf_text(std::string_view text) {
  return little<uint64_t>(text.size()) + std::string(text);
}

class GgufBuilder {
 public:
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> key_count;     ///< where it is not the number of keys
  std::optional<uint64_t> tensor_count;  ///< where it is not the number of tensors
  size_t alignment = 32;
  std::string data;
  std::string tail_of_header;  ///< bytes between the tensors' descriptions and the padding

  /// A key with a value type and its bytes as they are.
  GgufBuilder& raw(std::string_view name, uint32_t type, std::string_view bytes) {
    keys_.push_back(gguf_text(name) + little(type) + std::string(bytes));
    return *this;
  }
  GgufBuilder& u32(std::string_view name, uint32_t value) { return raw(name, 4, little(value)); }
  GgufBuilder& f32(std::string_view name, float value) { return raw(name, 6, little(value)); }
  GgufBuilder& flag(std::string_view name, bool value) { return raw(name, 7, little<uint8_t>(value)); }
  GgufBuilder& text(std::string_view name, std::string_view value) { return raw(name, 8, gguf_text(value)); }
  GgufBuilder& texts(std::string_view name, const std::vector<std::string>& values) {
    std::string bytes = little<uint32_t>(8) + little<uint64_t>(values.size());
    for (const std::string& value : values) bytes += gguf_text(value);
    return raw(name, 9, bytes);
  }
  template <class T>
  GgufBuilder& numbers(std::string_view name, uint32_t type, const std::vector<T>& values) {
    std::string bytes = little(type) + little<uint64_t>(values.size());
    for (const T value : values) bytes += little(value);
    return raw(name, 9, bytes);
  }
  /// Takes a key away again.
  GgufBuilder& without(std::string_view name) {
    std::erase_if(keys_, [&](const std::string& key) { return key.starts_with(gguf_text(name)); });
    return *this;
  }

  /// A tensor's description with sizes as in the file, innermost first.
  GgufBuilder& describe(std::string_view name, const std::vector<uint64_t>& sizes, uint32_t type,
                        uint64_t offset) {
    std::string bytes = gguf_text(name) + little<uint32_t>(static_cast<uint32_t>(sizes.size()));
    for (const uint64_t size : sizes) bytes += little(size);
    tensors_.push_back(bytes + little(type) + little(offset));
    return *this;
  }
  /// An F32 tensor of zeros behind the others.
  GgufBuilder& zeros(std::string_view name, const std::vector<uint64_t>& sizes) {
    uint64_t count = 1;
    for (const uint64_t size : sizes) count *= size;
    describe(name, sizes, 0, data.size());
    data.append((count * 4 + alignment - 1) / alignment * alignment, '\0');
    return *this;
  }

  std::string bytes() const {
    std::string file = magic + little(version) + little<uint64_t>(tensor_count.value_or(tensors_.size())) +
                       little<uint64_t>(key_count.value_or(keys_.size()));
    for (const std::string& key : keys_) file += key;
    for (const std::string& tensor : tensors_) file += tensor;
    file += tail_of_header;
    if (!data.empty()) file.resize((file.size() + alignment - 1) / alignment * alignment, '\0');
    return file + data;
  }

 private:
  std::vector<std::string> keys_;
  std::vector<std::string> tensors_;
};

}  // namespace galago::test
