// A cursor that never passes the end reads the header once; tensors are then checked alone and together.
#include "formats/gguf/gguf.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "core/checked.h"
#include "core/limits.h"
#include "core/printable.h"
#include "core/utf8.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr int64_t kDefaultAlignment = 32;

[[noreturn]] void refuse(ErrorCode code, ErrorParts parts) { throw Error(code, std::move(parts)); }

/// The type of a number in the file; nothing when the format has none.
std::optional<GgufType> value_type(uint32_t number) {
  if (number > static_cast<uint32_t>(GgufType::f64)) return std::nullopt;
  return static_cast<GgufType>(number);
}

/// Bytes of one value of fixed width; 0 for strings and arrays.
int64_t width_of(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return 1;
    case GgufType::u16:
    case GgufType::i16:
      return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32:
      return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64:
      return 8;
    case GgufType::string:
    case GgufType::array:
      break;
  }
  return 0;
}

/// Reads forward through the header. Every take is checked against what is left.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  int64_t at() const { return at_; }
  int64_t left() const { return static_cast<int64_t>(bytes_.size()) - at_; }
  const std::string& where() const { return where_; }

  std::span<const std::byte> take(int64_t count, const std::string& what) {
    if (count > left())
      refuse(ErrorCode::model_invalid,
             {.where = where_ + ": " + what,
              .got = std::to_string(left()) + " bytes left at offset " + std::to_string(at_),
              .expected = std::to_string(count),
              .hint = "the file is cut short or damaged"});
    const auto out = bytes_.subspan(static_cast<size_t>(at_), static_cast<size_t>(count));
    at_ += count;
    return out;
  }
  template <class T>
  T number(const std::string& what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }
  /// A 64-bit length or count: at most `most`, and each of its things takes at least `each` bytes of the
  /// file.
  int64_t count(const std::string& what, int64_t each, int64_t most) {
    const auto value = number<uint64_t>(what);
    if (value > static_cast<uint64_t>(left() / each))
      refuse(ErrorCode::model_invalid, {.where = where_ + ": " + what,
                                        .got = std::to_string(value),
                                        .expected = "at most " + std::to_string(left() / each) +
                                                    ", what the rest of the file can hold"});
    if (value > static_cast<uint64_t>(most))
      refuse(ErrorCode::input_too_large, {.where = where_ + ": " + what,
                                          .got = std::to_string(value),
                                          .expected = "at most " + std::to_string(most)});
    return static_cast<int64_t>(value);
  }
  /// The bytes of a text of at most `most` bytes. It must be UTF-8, as the format and the reference ask.
  std::span<const std::byte> text(const std::string& what, const char* length, int64_t most) {
    const auto bytes = take(count(what + length, 1, most), what);
    const std::string_view characters(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (const size_t bad = unicode::find_malformed(characters); bad != std::string_view::npos)
      refuse(ErrorCode::model_invalid, {.where = where_ + ": " + what,
                                        .got = "a byte that is not UTF-8 at offset " + std::to_string(bad) +
                                               " of " + in_quotes(characters),
                                        .expected = "UTF-8 text"});
    return bytes;
  }
  std::string name(const std::string& what) {
    const auto bytes = text(what, ": length", limits::kGgufNameBytes);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  std::span<const std::byte> bytes_;
  std::string where_;
  int64_t at_ = 0;
};

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
/// The fewest bytes that a key with its value, a tensor's description, and a string take.
constexpr int64_t kKeyBytes = 8 + 4 + 1;
constexpr int64_t kTensorBytes = 8 + 4 + 4 + 8;
constexpr int64_t kStringBytes = 8;
constexpr int64_t kArrayBytes = 4 + 8;

GgufType read_type(Cursor& cursor, const std::string& what) {
  const auto number = cursor.number<uint32_t>(what + ": type");
  if (const auto type = value_type(number)) return *type;
  refuse(ErrorCode::model_invalid, {.where = cursor.where() + ": " + what,
                                    .got = "value type " + std::to_string(number),
                                    .expected = "0 to 12"});
}

/// A flag is one byte, 0 or 1.
void check_booleans(std::span<const std::byte> bytes, const Cursor& cursor, const std::string& what) {
  for (const std::byte byte : bytes)
    if (std::to_integer<int>(byte) > 1)
      refuse(ErrorCode::model_invalid, {.where = cursor.where() + ": " + what,
                                        .got = "a bool of " + std::to_string(std::to_integer<int>(byte)),
                                        .expected = "0 or 1"});
}

/// Passes over the elements of an array and gives its type and count. Lists of lists are checked and kept,
/// but nothing reads them.
GgufValue read_array(Cursor& cursor, const std::string& what, int depth) {
  if (depth > limits::kGgufDepth)
    refuse(ErrorCode::input_too_large,
           {.where = cursor.where() + ": " + what,
            .got = "lists nested deeper than " + std::to_string(limits::kGgufDepth),
            .expected = "at most that"});
  GgufValue value{.type = read_type(cursor, what), .array = true, .count = 0, .bytes = {}};
  const int64_t width = width_of(value.type);
  const int64_t each = width > 0 ? width : value.type == GgufType::string ? kStringBytes : kArrayBytes;
  value.count = cursor.count(what + ": count", each, kMost);
  Cursor begin = cursor;
  const int64_t start = cursor.at();
  if (width > 0) {
    cursor.take(width * value.count, what);
  } else {
    for (int64_t i = 0; i < value.count; ++i) {
      if (value.type == GgufType::array)
        read_array(cursor, what, depth + 1);
      else
        cursor.text(what, ": string length", kMost);
    }
  }
  value.bytes = begin.take(cursor.at() - start, what);
  if (value.type == GgufType::boolean) check_booleans(value.bytes, cursor, what);
  return value;
}

GgufValue read_value(Cursor& cursor, const std::string& what) {
  const GgufType type = read_type(cursor, what);
  if (type == GgufType::array) return read_array(cursor, what, 1);
  const auto bytes = type == GgufType::string ? cursor.text(what, ": string length", kMost)
                                              : cursor.take(width_of(type), what);
  GgufValue value{.type = type, .array = false, .count = 1, .bytes = bytes};
  if (type == GgufType::boolean) check_booleans(value.bytes, cursor, what);
  return value;
}

void read_version(Cursor& cursor, GgufHeader& header) {
  const auto magic = cursor.take(4, "magic");
  if (std::memcmp(magic.data(), kMagic.data(), 4) != 0)
    refuse(ErrorCode::model_invalid,
           {.where = cursor.where() + ": magic",
            .got = in_quotes({reinterpret_cast<const char*>(magic.data()), magic.size()}),
            .expected = "\"GGUF\""});
  header.version = cursor.number<uint32_t>("version");
  if (header.version == 2 || header.version == 3) return;
  const bool swapped = header.version != 0 && (header.version & 0xffff) == 0;
  const bool known = header.version == 1 || header.version > 3;
  refuse(known ? ErrorCode::model_unsupported : ErrorCode::model_invalid,
         {.where = cursor.where() + ": version",
          .got = std::to_string(header.version),
          .expected = "2 or 3",
          .hint = swapped ? "the file is big-endian" : "convert it again with a present converter"});
}

/// A tensor's description before its place is known.
struct Entry {
  const std::string* name = nullptr;
  GgufTensor* tensor = nullptr;
  int64_t offset = 0;
};

/// Rows are whole blocks, and the bytes can be counted.
int64_t count_bytes(const GgufTensor& tensor, const std::string& where) {
  const GgmlBlock& block = ggml_block(tensor.type);
  const int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (row % block.elements != 0)
    refuse(ErrorCode::model_invalid,
           {.where = where,
            .got = "rows of " + std::to_string(row) + " elements",
            .expected = std::string("a multiple of ") + std::to_string(block.elements) + ", the block of " +
                        block.name});
  const auto count = element_count(tensor.shape);
  const auto bytes = count ? checked_mul(*count / block.elements, block.bytes) : std::nullopt;
  if (!bytes)
    refuse(ErrorCode::model_invalid,
           {.where = where, .got = to_string(tensor.shape), .expected = "a shape whose bytes fit 63 bits"});
  return *bytes;
}

GgmlType read_tensor_type(Cursor& cursor, const std::string& what) {
  const auto number = cursor.number<uint32_t>(what + ": type");
  if (const auto type = ggml_type(number)) return *type;
  const char* name = ggml_type_name(number);
  // A small number that is not ours may be a type that came after us; a large one is damage.
  constexpr uint32_t kPlausible = 256;
  refuse(number < kPlausible ? ErrorCode::model_unsupported : ErrorCode::model_invalid,
         {.where = cursor.where() + ": " + what,
          .got = name ? std::string("type ") + name : "tensor type " + std::to_string(number),
          .expected = ggml_types_read()});
}

Entry read_entry(Cursor& cursor, GgufHeader& header) {
  const std::string name = cursor.name("tensor name");
  const std::string what = "tensor " + printable(name);
  const auto [place, fresh] = header.tensors.try_emplace(name);
  if (!fresh)
    refuse(ErrorCode::model_invalid, {.where = cursor.where() + ": " + what,
                                      .got = "a second tensor of that name",
                                      .expected = "each name once"});
  GgufTensor& tensor = place->second;
  const auto rank = cursor.number<uint32_t>(what + ": dimensions");
  if (std::cmp_greater(rank, limits::kGgufRank))
    refuse(ErrorCode::input_too_large, {.where = cursor.where() + ": " + what,
                                        .got = std::to_string(rank) + " dimensions",
                                        .expected = "at most " + std::to_string(limits::kGgufRank)});
  for (uint32_t i = 0; i < rank; ++i) {
    const auto size = cursor.number<uint64_t>(what + ": size");
    if (size == 0 || size > static_cast<uint64_t>(kMost))
      refuse(ErrorCode::model_invalid, {.where = cursor.where() + ": " + what,
                                        .got = "a dimension of " + std::to_string(size),
                                        .expected = "1 to " + std::to_string(kMost)});
    tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(size));
  }
  tensor.type = read_tensor_type(cursor, what);
  tensor.bytes = count_bytes(tensor, cursor.where() + ": " + what);
  const auto offset = cursor.number<uint64_t>(what + ": offset");
  if (offset > static_cast<uint64_t>(kMost))
    refuse(ErrorCode::model_invalid, {.where = cursor.where() + ": " + what,
                                      .got = "offset " + std::to_string(offset),
                                      .expected = "at most " + std::to_string(kMost)});
  return {&place->first, &tensor, static_cast<int64_t>(offset)};
}

int64_t alignment_of(const GgufHeader& header, const std::string& where) {
  const auto found = header.metadata.find("general.alignment");
  if (found == header.metadata.end()) return kDefaultAlignment;
  const GgufField field(found->second, where + ": general.alignment");
  const int64_t alignment = field.integer(1, limits::kGgufAlignment);
  if ((alignment & (alignment - 1)) != 0) field.fail("a power of two");
  return alignment;
}

/// Tensors lie within the data, each at a multiple of the alignment, none on another.
void place_tensors(std::vector<Entry>& entries, std::span<const std::byte> data, int64_t alignment,
                   const std::string& where) {
  const auto size = static_cast<int64_t>(data.size());
  for (const Entry& entry : entries) {
    const std::string what = where + ": tensor " + printable(*entry.name);
    if (entry.offset % alignment != 0)
      refuse(ErrorCode::model_invalid, {.where = what,
                                        .got = "offset " + std::to_string(entry.offset),
                                        .expected = "a multiple of " + std::to_string(alignment)});
    const auto end = checked_add(entry.offset, entry.tensor->bytes);
    if (!end || *end > size)
      refuse(ErrorCode::model_invalid,
             {.where = what,
              .got = std::to_string(entry.tensor->bytes) + " bytes at offset " + std::to_string(entry.offset),
              .expected = "an end of at most " + std::to_string(size) + ", the bytes of data in the file",
              .hint = "the file is cut short or damaged"});
    entry.tensor->data = data.data() + entry.offset;
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < entries.size(); ++i) {
    const Entry& before = entries[i - 1];
    if (before.offset + before.tensor->bytes > entries[i].offset)
      refuse(ErrorCode::model_invalid, {.where = where + ": tensor " + printable(*entries[i].name),
                                        .got = "an overlap with " + in_quotes(*before.name),
                                        .expected = "data of its own"});
  }
}

}  // namespace

GgufHeader read_gguf_header(std::span<const std::byte> bytes, const std::string& where) {
  Cursor cursor(bytes, where);
  GgufHeader header;
  read_version(cursor, header);
  const int64_t tensors = cursor.count("tensor count", kTensorBytes, limits::kTensors);
  const int64_t keys = cursor.count("key count", kKeyBytes, limits::kGgufKeys);
  for (int64_t i = 0; i < keys; ++i) {
    const std::string key = cursor.name("key");
    const GgufValue value = read_value(cursor, printable(key));
    if (!header.metadata.try_emplace(key, value).second)
      refuse(ErrorCode::model_invalid,
             {.where = where + ": " + printable(key), .got = "the key twice", .expected = "each key once"});
  }
  const int64_t alignment = alignment_of(header, where);
  std::vector<Entry> entries;
  for (int64_t i = 0; i < tensors; ++i) entries.push_back(read_entry(cursor, header));
  const int64_t padding = (alignment - cursor.at() % alignment) % alignment;
  const int64_t begin = cursor.at() + std::min(padding, cursor.left());
  place_tensors(entries, bytes.subspan(static_cast<size_t>(begin)), alignment, where);
  return header;
}

}  // namespace galago
