// Header length, JSON, then each tensor alone, then all together: sorted by offset they must fill the data
// section exactly, as the reference demands, so overlaps, gaps and trailing bytes are all one check.
#include "formats/safetensors/header.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <vector>

#include "core/checked.h"
#include "core/limits.h"
#include "core/printable.h"
#include "formats/json.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr int64_t kPrefixBytes = 8;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
/// JSON values that the entry of one tensor holds at most: itself, dtype, two lists, their numbers.
constexpr int64_t kValuesPerTensor = 6 + limits::kTensorRank;

/// A tensor's name, type, shape and half-open byte range within the data section.
struct Entry {
  const std::string* name = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  int64_t begin = 0;
  int64_t end = 0;
};

[[noreturn]] void refuse(ErrorCode code, ErrorParts parts) { throw Error(code, std::move(parts)); }

/// The header's text, its length checked against the file and the limit.
std::string_view header_text(std::span<const std::byte> bytes, const std::string& where) {
  const auto size = static_cast<int64_t>(bytes.size());
  if (size < kPrefixBytes)
    refuse(ErrorCode::model_invalid,
           {.where = where, .got = std::to_string(size) + " bytes", .expected = "at least 8"});
  uint64_t length = 0;
  for (int i = kPrefixBytes - 1; i >= 0; --i) length = length << 8 | std::to_integer<uint64_t>(bytes[i]);
  const std::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (length > static_cast<uint64_t>(size - kPrefixBytes)) {
    const bool pointer = file.starts_with("version https://git-lfs");
    refuse(ErrorCode::model_invalid,
           {.where = where + ": header length",
            .got = std::to_string(length),
            .expected = "at most " + std::to_string(size - kPrefixBytes) + ", what the file has after it",
            .hint = pointer ? "this is a Git LFS pointer: fetch the real file"
                            : "the file is cut short or is not safetensors"});
  }
  if (length > static_cast<uint64_t>(limits::kSafetensorsHeaderBytes))
    refuse(ErrorCode::input_too_large,
           {.where = where + ": header length",
            .got = std::to_string(length),
            .expected = "at most " + std::to_string(limits::kSafetensorsHeaderBytes)});
  const std::string_view text = file.substr(kPrefixBytes, static_cast<size_t>(length));
  if (!text.starts_with('{'))
    refuse(ErrorCode::model_invalid, {.where = where + ": header",
                                      .got = in_quotes(text.substr(0, 8)) + " at its start",
                                      .expected = "{"});
  return text;
}

DType read_dtype(const JsonField& field) {
  const std::string& name = field.string();
  if (const auto dtype = dtype_from_name(name)) return *dtype;
  // A name in the style of the format is a type that came after us; anything else is damage.
  const bool plausible = !name.empty() && name.size() <= 16 && name.front() >= 'A' && name.front() <= 'Z' &&
                         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos;
  refuse(plausible ? ErrorCode::model_unsupported : ErrorCode::model_invalid,
         {.where = field.where(),
          .got = in_quotes(name),
          .expected = "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64 to I8, U64 to U8 or BOOL"});
}

Shape read_shape(const JsonField& field) {
  if (std::cmp_greater(field.size(), limits::kTensorRank))
    refuse(ErrorCode::input_too_large, {.where = field.where(),
                                        .got = std::to_string(field.size()) + " dimensions",
                                        .expected = "at most " + std::to_string(limits::kTensorRank)});
  Shape shape;
  for (size_t i = 0; i < field.size(); ++i) shape.push_back(field.at(i).integer(0, kMost));
  return shape;
}

Entry read_entry(const std::string& name, const JsonField& field, int64_t data_bytes) {
  Entry entry;
  entry.name = &name;
  entry.dtype = read_dtype(field.at("dtype"));
  entry.shape = read_shape(field.at("shape"));
  const JsonField offsets = field.at("data_offsets");
  if (offsets.size() != 2) offsets.fail("two offsets, [begin, end]");
  entry.begin = offsets.at(0).integer(0, kMost);
  entry.end = offsets.at(1).integer(0, kMost);
  if (entry.begin > entry.end) offsets.fail("begin <= end");
  if (entry.end > data_bytes)
    offsets.fail("an end of at most " + std::to_string(data_bytes) + ", the bytes of data in the file");

  const auto count = element_count(entry.shape);
  const auto bytes = count ? checked_mul(*count, size_of(entry.dtype)) : std::nullopt;
  if (!bytes) field.at("shape").fail("a shape whose bytes can be counted in 63 bits");
  if (*bytes != entry.end - entry.begin)
    offsets.fail(std::to_string(*bytes) + " bytes, as " + to_string(entry.dtype) + " " +
                 to_string(entry.shape) + " takes");
  return entry;
}

/// Sorted by place, each tensor begins where the one before it ends, and the last ends with the file.
void check_layout(std::vector<Entry>& entries, int64_t data_bytes, const std::string& where) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t filled = 0;
  const std::string* before = nullptr;
  for (const Entry& entry : entries) {
    if (entry.begin != filled)
      refuse(ErrorCode::model_invalid,
             {.where = where + ": " + printable(*entry.name) + ".data_offsets",
              .got = "begin " + std::to_string(entry.begin) +
                     (entry.begin < filled ? ", an overlap with " + in_quotes(*before) : ", a gap"),
              .expected = "begin " + std::to_string(filled)});
    filled = entry.end;
    before = entry.name;
  }
  if (filled != data_bytes)
    refuse(ErrorCode::model_invalid,
           {.where = where,
            .got = std::to_string(data_bytes - filled) + " bytes after the last tensor",
            .expected = "data that ends with the last tensor, at " + std::to_string(filled)});
}

std::map<std::string, std::string> read_metadata(const JsonField& field) {
  field.expect_object();
  std::map<std::string, std::string> metadata;
  for (const auto& item : field.value().items()) metadata[item.key()] = field.at(item.key()).string();
  return metadata;
}

}  // namespace

TensorFile read_tensor_file(std::span<const std::byte> bytes, const std::string& where) {
  const std::string_view text = header_text(bytes, where);
  const Json header = parse_json(text, where + ": header",
                                 {.max_bytes = limits::kSafetensorsHeaderBytes,
                                  .max_values = limits::kTensors * kValuesPerTensor,
                                  .refuse_duplicate_keys = true});
  const JsonField root(header, where);
  const std::span<const std::byte> data = bytes.subspan(kPrefixBytes + text.size());
  const auto data_bytes = static_cast<int64_t>(data.size());

  TensorFile file;
  std::vector<Entry> entries;
  for (const auto& item : header.items()) {
    if (item.key() == "__metadata__")
      file.metadata = read_metadata(root.at(item.key()));
    else
      entries.push_back(read_entry(item.key(), root.at(item.key()), data_bytes));
  }
  if (std::cmp_greater(entries.size(), limits::kTensors))
    refuse(ErrorCode::input_too_large, {.where = where + ": header",
                                        .got = std::to_string(entries.size()) + " tensors",
                                        .expected = "at most " + std::to_string(limits::kTensors)});
  check_layout(entries, data_bytes, where);
  for (Entry& entry : entries)
    file.tensors[*entry.name] = {entry.dtype, std::move(entry.shape), data.data() + entry.begin};
  return file;
}

}  // namespace galago
