// Element types, conversion to float, and aligned owned tensors.
#include "core/tensor.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/checked.h"
#include "core/half.h"
#include "core/words.h"
#include "galago/error.h"

namespace galago {
namespace {

struct DTypeRow {
  DType dtype;
  const char* name;
  int64_t bytes;
};

constexpr std::array<DTypeRow, 15> kDTypes = {{{DType::f32, "F32", 4},
                                               {DType::f16, "F16", 2},
                                               {DType::bf16, "BF16", 2},
                                               {DType::f64, "F64", 8},
                                               {DType::u8, "U8", 1},
                                               {DType::i8, "I8", 1},
                                               {DType::i16, "I16", 2},
                                               {DType::i32, "I32", 4},
                                               {DType::i64, "I64", 8},
                                               {DType::boolean, "BOOL", 1},
                                               {DType::u16, "U16", 2},
                                               {DType::u32, "U32", 4},
                                               {DType::u64, "U64", 8},
                                               {DType::f8_e4m3, "F8_E4M3", 1},
                                               {DType::f8_e5m2, "F8_E5M2", 1}}};

template <class T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);  // tensors in a file need not be aligned
  return value;
}

}  // namespace

int64_t size_of(DType dtype) noexcept { return kDTypes[static_cast<size_t>(dtype)].bytes; }
const char* to_string(DType dtype) noexcept { return kDTypes[static_cast<size_t>(dtype)].name; }

std::optional<DType> dtype_from_name(std::string_view name) noexcept {
  for (const DTypeRow& row : kDTypes)
    if (name == row.name) return row.dtype;
  return std::nullopt;
}

std::string listed(std::span<const DType> dtypes) {
  std::vector<std::string_view> names;
  for (const DType dtype : dtypes) names.emplace_back(to_string(dtype));
  return listed(names);
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::optional<int64_t> element_count(const Shape& shape) noexcept {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0) return std::nullopt;
    const auto product = checked_mul(count, size);
    if (!product) return std::nullopt;
    count = *product;
  }
  return count;
}

void to_floats(const TensorView& view, int64_t begin, int64_t count, float* out) {
  const std::byte* from = view.data + begin * size_of(view.dtype);
  switch (view.dtype) {
    case DType::f32:
      std::memcpy(out, from, static_cast<size_t>(count) * sizeof(float));
      return;
    case DType::bf16:
      for (int64_t i = 0; i < count; ++i) out[i] = from_bf16(load<uint16_t>(from + 2 * i));
      return;
    case DType::f16:
      for (int64_t i = 0; i < count; ++i) out[i] = from_f16(load<uint16_t>(from + 2 * i));
      return;
    default:
      throw Error(ErrorCode::model_unsupported, {.where = "weights",
                                                 .got = std::string("dtype ") + to_string(view.dtype),
                                                 .expected = "F32, F16 or BF16"});
  }
}

void to_floats(const TensorView& view, float* out) { to_floats(view, 0, view.count(), out); }

float element(const TensorView& view, int64_t i) {
  float value;
  to_floats(view, i, 1, &value);
  return value;
}

Tensor::Tensor(Shape shape, const Memory& memory) : shape_(std::move(shape)) {
  const auto count = element_count(shape_);
  const auto bytes = count ? checked_mul<int64_t>(*count, sizeof(float)) : std::nullopt;
  std::byte* const data = bytes ? memory.take(*bytes) : nullptr;
  if (!data)
    throw Error(ErrorCode::resource,
                {.where = "memory for a tensor " + to_string(shape_), .got = "no memory"});
  size_ = *count;
  data_ = {reinterpret_cast<float*>(data), GiveBack{&memory, *bytes}};
}

void Tensor::GiveBack::operator()(float* p) const noexcept {
  memory->give_back(reinterpret_cast<std::byte*>(p), bytes);
}

void Tensor::reshape(Shape shape) {
  if (element_count(shape) != size_)
    throw Error(ErrorCode::internal, {.where = "reshape",
                                      .got = to_string(shape),
                                      .expected = "as many elements as " + to_string(shape_)});
  shape_ = std::move(shape);
}

Tensor Tensor::copy() const {
  Tensor out(shape_);
  memory().copy_out(reinterpret_cast<const std::byte*>(data()), out.data(), byte_size());
  return out;
}

Tensor on_host(Tensor tensor) {
  if (tensor.memory().is_host()) return tensor;
  return tensor.copy();
}

Tensor to_tensor(const TensorView& view) {
  if (!view.data) return {};
  Tensor out(view.shape);
  to_floats(view, out.data());
  return out;
}

Matrix Tensor::matrix() {
  const int64_t cols = shape_.empty() ? 1 : shape_.back();
  return {data_.get(), cols == 0 ? 0 : size_ / cols, cols};
}

ConstMatrix Tensor::matrix() const {
  const int64_t cols = shape_.empty() ? 1 : shape_.back();
  return {data_.get(), cols == 0 ? 0 : size_ / cols, cols};
}

}  // namespace galago
