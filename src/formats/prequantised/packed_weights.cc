// What the tools share: finding a module's tensors, numbers of a few bits, rounding.
#include "formats/prequantised/packed_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "core/checked.h"
#include "core/half.h"
#include "core/printable.h"
#include "galago/error.h"

namespace galago {
namespace {

/// As arithmetic has it: what is too large is infinite.
uint16_t bits_of_f16(float value) {
  constexpr float kBeyond = 65520;  // halfway from the largest number to the next
  if (std::abs(value) >= kBeyond) return std::signbit(value) ? 0xfc00 : 0x7c00;
  return to_f16(value);
}

}  // namespace

float rounded(float value, DType dtype) noexcept {
  if (dtype == DType::f16) return from_f16(bits_of_f16(value));
  return dtype == DType::bf16 ? from_bf16(to_bf16(value)) : value;
}

uint32_t bits_at(const std::byte* words, int64_t i, int bits, int64_t stride) noexcept {
  const int64_t first = i * bits / 32;
  const auto shift = static_cast<int>(i * bits % 32);
  const auto word = [&](int64_t at) {
    uint32_t value = 0;
    std::memcpy(&value, words + 4 * stride * at, sizeof value);
    return uint64_t{value};
  };
  uint64_t both = word(first);
  if (shift + bits > 32) both |= word(first + 1) << 32;
  return static_cast<uint32_t>(both >> shift & ((uint64_t{1} << bits) - 1));
}

float from_f8(uint8_t byte, DType dtype) noexcept {
  // E5M2 is the upper half of a float16. E4M3 has no infinity, and one pattern that is no number.
  if (dtype == DType::f8_e5m2) return from_f16(static_cast<uint16_t>(byte << 8));
  const float sign = byte & 0x80 ? -1.0F : 1.0F;
  const int exponent = byte >> 3 & 15, fraction = byte & 7;
  if (exponent == 15 && fraction == 7) return std::numeric_limits<float>::quiet_NaN();
  if (exponent == 0) return sign * static_cast<float>(fraction) * 0x1p-9F;
  return sign * std::ldexp(1.0F + static_cast<float>(fraction) / 8, exponent - 7);
}

std::optional<TensorView> PackedModule::find(const char* suffix, std::initializer_list<DType> types) {
  const std::string full = name_ + "." + suffix;
  const TensorView* found = checkpoint_.find(full);
  if (!found) return std::nullopt;
  TensorView view = *found;
  if (std::find(types.begin(), types.end(), view.dtype) == types.end())
    fail(suffix, std::string("type ") + to_string(view.dtype), listed(types));
  if (view.count() == 0 || !view.data) fail(suffix, "no numbers", "a tensor with data");
  keepers_.push_back(checkpoint_.remove(full));
  return view;
}

TensorView PackedModule::take(const char* suffix, std::initializer_list<DType> types) {
  if (auto view = find(suffix, types)) return std::move(*view);
  fail(suffix, "no such tensor", listed(types) + " numbers");
}

void PackedModule::expect(const char* suffix, const TensorView& view, const Shape& shape) const {
  if (view.shape != shape) fail(suffix, to_string(view.shape), to_string(shape));
}

void PackedModule::fail(const char* suffix, const std::string& got, const std::string& expected) const {
  throw Error(ErrorCode::model_invalid,
              {.where = "weights: " + printable(name_) + "." + suffix, .got = got, .expected = expected});
}

void PackedModule::add(PackedMatrix matrix) const {
  const auto count = element_count({matrix.rows, matrix.cols});
  const auto bytes = count ? checked_mul(*count, static_cast<int64_t>(sizeof(float))) : std::nullopt;
  if (!bytes || *count < 1)
    fail("weight", std::to_string(matrix.rows) + " x " + std::to_string(matrix.cols),
         "sizes whose bytes fit 63 bits");
  const TensorView outline{.dtype = matrix.dtype, .shape = {matrix.rows, matrix.cols}, .data = nullptr};
  checkpoint_.add_made(
      name_ + ".weight", outline, [matrix = std::move(matrix), count = *count, keepers = keepers_] {
        const auto floats = std::make_shared<Tensor>(Shape{count});
        matrix.read(floats->data());
        if (matrix.dtype == DType::f32)
          return std::shared_ptr<const std::byte>(floats, reinterpret_cast<const std::byte*>(floats->data()));
        const auto halves = std::make_shared<std::vector<uint16_t>>(static_cast<size_t>(count));
        for (int64_t i = 0; i < count; ++i)
          (*halves)[static_cast<size_t>(i)] =
              matrix.dtype == DType::f16 ? bits_of_f16(floats->data()[i]) : to_bf16(floats->data()[i]);
        return std::shared_ptr<const std::byte>(halves, reinterpret_cast<const std::byte*>(halves->data()));
      });
}

std::vector<std::string> modules_with(const Checkpoint& checkpoint, const std::string& suffix,
                                      std::initializer_list<DType> types) {
  std::vector<std::string> names;
  const std::string end = "." + suffix;
  for (const auto& [name, view] : checkpoint.tensors())
    if (name.ends_with(end) &&
        (types.size() == 0 || std::find(types.begin(), types.end(), view.dtype) != types.end()))
      names.push_back(name.substr(0, name.size() - end.size()));
  return names;
}

}  // namespace galago
