// Typed reads of metadata values: the file says what it holds, the caller what it can use.
#include <cmath>
#include <cstring>
#include <utility>

#include "core/printable.h"
#include "formats/gguf/gguf.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr std::string_view kTypeNames[] = {"uint8",  "int8",    "uint16", "int16",  "uint32",
                                           "int32",  "float32", "bool",   "string", "array",
                                           "uint64", "int64",   "float64"};

template <class T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

/// The integer at p; nothing for another kind of value, or one beyond 63 bits.
std::optional<int64_t> integer_at(GgufType type, const std::byte* p) {
  switch (type) {
    case GgufType::u8:
      return load<uint8_t>(p);
    case GgufType::i8:
      return load<int8_t>(p);
    case GgufType::u16:
      return load<uint16_t>(p);
    case GgufType::i16:
      return load<int16_t>(p);
    case GgufType::u32:
      return load<uint32_t>(p);
    case GgufType::i32:
      return load<int32_t>(p);
    case GgufType::i64:
      return load<int64_t>(p);
    case GgufType::u64: {
      const auto value = load<uint64_t>(p);
      return std::in_range<int64_t>(value) ? std::optional(static_cast<int64_t>(value)) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> number_at(GgufType type, const std::byte* p) {
  if (type == GgufType::f32) return load<float>(p);
  if (type == GgufType::f64) return load<double>(p);
  if (const auto integer = integer_at(type, p)) return static_cast<double>(*integer);
  return std::nullopt;
}

template <class T>
std::string range(T least, T most) {
  return std::to_string(least) + " to " + std::to_string(most);
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What a value is, for an error text.
std::string describe(const GgufValue& value) {
  const std::string type(kTypeNames[static_cast<size_t>(value.type)]);
  if (value.array) return "a list of " + std::to_string(value.count) + " " + type;
  if (value.type == GgufType::string) return in_quotes(text_of(value.bytes));
  if (value.type == GgufType::boolean) return std::to_integer<int>(value.bytes[0]) ? "true" : "false";
  if (const auto integer = integer_at(value.type, value.bytes.data())) return std::to_string(*integer);
  if (const auto number = number_at(value.type, value.bytes.data())) return std::to_string(*number);
  return "a value of type " + type;
}

}  // namespace

void GgufField::fail(const std::string& expected) const {
  throw Error(ErrorCode::model_invalid, {.where = where_, .got = describe(*value_), .expected = expected});
}

void GgufField::unsupported(const std::string& expected) const {
  throw Error(ErrorCode::model_unsupported,
              {.where = where_, .got = describe(*value_), .expected = expected});
}

void GgufField::expect_array(const char* expected) const {
  if (!value_->array) fail(expected);
}

int64_t GgufField::integer(int64_t least, int64_t most) const {
  const auto value = value_->array ? std::nullopt : integer_at(value_->type, value_->bytes.data());
  if (!value || *value < least || *value > most) fail("an integer, " + range(least, most));
  return *value;
}

double GgufField::number(double least, double most) const {
  const auto value = value_->array ? std::nullopt : number_at(value_->type, value_->bytes.data());
  if (!value || !std::isfinite(*value) || *value < least || *value > most)
    fail("a number, " + range(least, most));
  return *value;
}

bool GgufField::boolean() const {
  if (value_->array || value_->type != GgufType::boolean) fail("true or false");
  return std::to_integer<int>(value_->bytes[0]) != 0;
}

std::string GgufField::string() const {
  if (value_->array || value_->type != GgufType::string) fail("a string");
  return std::string(text_of(value_->bytes));
}

std::vector<int64_t> GgufField::integers(int64_t least, int64_t most) const {
  expect_array("a list of integers");
  std::vector<int64_t> values;
  const size_t width = value_->count ? value_->bytes.size() / static_cast<size_t>(value_->count) : 0;
  for (int64_t i = 0; i < value_->count; ++i) {
    const auto value = integer_at(value_->type, value_->bytes.data() + static_cast<size_t>(i) * width);
    if (!value || *value < least || *value > most) fail("a list of integers, " + range(least, most));
    values.push_back(*value);
  }
  return values;
}

std::vector<double> GgufField::numbers(double least, double most) const {
  expect_array("a list of numbers");
  std::vector<double> values;
  const size_t width = value_->count ? value_->bytes.size() / static_cast<size_t>(value_->count) : 0;
  for (int64_t i = 0; i < value_->count; ++i) {
    const auto value = number_at(value_->type, value_->bytes.data() + static_cast<size_t>(i) * width);
    if (!value || !std::isfinite(*value) || *value < least || *value > most)
      fail("a list of numbers, " + range(least, most));
    values.push_back(*value);
  }
  return values;
}

std::vector<std::string_view> GgufField::strings() const {
  expect_array("a list of strings");
  if (value_->type != GgufType::string) fail("a list of strings");
  std::vector<std::string_view> values;
  const std::string_view text = text_of(value_->bytes);
  for (size_t at = 0; at < text.size();) {  // the header's check has walked the same way
    const auto length = static_cast<size_t>(load<uint64_t>(value_->bytes.data() + at));
    values.push_back(text.substr(at + sizeof(uint64_t), length));
    at += sizeof(uint64_t) + length;
  }
  return values;
}

}  // namespace galago
