// GGUF, llama.cpp's container: magic, version, typed metadata, tensor descriptions, padding, tensor data; all
// little-endian. In: one file, version 2 or 3. Out: metadata and tensors as views into the memory map.
// Everything is checked before use: counts, lengths, nesting, types, shapes, overflow, alignment, places,
// overlaps. Reference: docs/gguf.md of the ggml repository (the format's specification).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "formats/gguf/quant.h"
#include "io/files.h"

namespace galago {

/// Types of metadata values, by the format's numbers.
enum class GgufType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

/// A metadata value as it lies in the file.
struct GgufValue {
  GgufType type = GgufType::u8;  ///< of the value, or of an array's elements
  bool array = false;
  int64_t count = 1;  ///< elements of an array
  std::span<const std::byte> bytes;
};

/// A tensor's description; `data` holds `bytes` bytes.
struct GgufTensor {
  GgmlType type = GgmlType::f32;
  Shape shape;  ///< outermost first, the reverse of the file's order
  const std::byte* data = nullptr;
  int64_t bytes = 0;
  size_t part = 0;  ///< of a model in several files: which one
};

/// A metadata value with its name, for typed reads. Refers to the file, which must outlive it. Every fault of
/// a read is Error{model_invalid} with file and key.
class GgufField {
 public:
  GgufField(const GgufValue& value, std::string where) : value_(&value), where_(std::move(where)) {}

  /// An integer of any width within [least, most].
  int64_t integer(int64_t least, int64_t most) const;
  /// A finite number, integer or float, within [least, most].
  double number(double least, double most) const;
  bool boolean() const;
  std::string string() const;
  /// Arrays; the element type decides what is allowed.
  std::vector<int64_t> integers(int64_t least, int64_t most) const;
  std::vector<double> numbers(double least, double most) const;
  std::vector<std::string_view> strings() const;

  bool is_array() const { return value_->array; }
  int64_t count() const { return value_->count; }
  const std::string& where() const { return where_; }
  /// Error{model_invalid}: what the value is, and what would have been right.
  [[noreturn]] void fail(const std::string& expected) const;
  /// The same for a well-formed value that galago does not run: Error{model_unsupported}.
  [[noreturn]] void unsupported(const std::string& expected) const;

 private:
  void expect_array(const char* expected) const;

  const GgufValue* value_;
  std::string where_;
};

/// What a file's header says; the views point into the bytes given.
struct GgufHeader {
  uint32_t version = 0;
  std::map<std::string, GgufValue> metadata;
  std::map<std::string, GgufTensor> tensors;
};

/// Reads and checks a header; `where` names the file in errors. Error{model_invalid} for anything malformed,
/// Error{model_unsupported} for a version, byte order or tensor type that galago does not read,
/// Error{input_too_large} over a published limit.
GgufHeader read_gguf_header(std::span<const std::byte> bytes, const std::string& where);

/// Whether a file begins as GGUF does; false for what cannot be read.
bool has_gguf_magic(const std::filesystem::path& file) noexcept;

/// A file of a model in several: NAME-00001-of-00003.gguf, as llama-gguf-split names them.
struct GgufPartName {
  std::string stem;  ///< NAME
  int64_t number = 0;
  int64_t count = 0;
};
/// What the name of a file says; nothing for a name of another form.
std::optional<GgufPartName> gguf_part_name(const std::filesystem::path& file);

/// One GGUF file, or one that was split into several; memory-mapped, cheap to copy. Views live as long as a
/// copy of maps().
class GgufFile {
 public:
  /// One file. Errors of MappedFile and read_gguf_header.
  explicit GgufFile(const std::filesystem::path& file);
  /// The same, or all parts of a file whose key split.count says that there are several; `file` is any of
  /// them. The first has the metadata. Error{not_found} for a part that is not there, Error{model_invalid}
  /// for parts that are not what their names say, or hold a tensor twice or fewer tensors than
  /// split.tensors.count.
  static GgufFile open_parts(const std::filesystem::path& file);

  const std::filesystem::path& path() const { return maps_.front().path(); }
  /// The files; GgufTensor::part says which of them holds a tensor.
  const std::vector<MappedFile>& maps() const { return maps_; }
  const std::map<std::string, GgufTensor>& tensors() const { return header_.tensors; }
  /// The tensor of that name, or null.
  const GgufTensor* tensor(const std::string& name) const;
  /// A metadata value; nothing when the file lacks the key.
  std::optional<GgufField> find(const std::string& key) const;
  /// A metadata value that must be there. Error{model_invalid}.
  GgufField at(const std::string& key) const;

 private:
  void add_part(const std::filesystem::path& file, int64_t number, int64_t count);

  std::vector<MappedFile> maps_;
  GgufHeader header_;
};

}  // namespace galago
