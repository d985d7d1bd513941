// Shapes, element types and the views that modules hand to each other.
// Floats are row-major; a Matrix is a view of rows that others own, a Tensor owns its floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/memory.h"

namespace galago {

/// The element types that occur in checkpoints and traces.
enum class DType { f32, f16, bf16, f64, u8, i8, i16, i32, i64, boolean, u16, u32, u64, f8_e4m3, f8_e5m2 };

/// Bytes of one element.
int64_t size_of(DType dtype) noexcept;
/// The safetensors name, e.g. "F32", "BF16", "I64".
const char* to_string(DType dtype) noexcept;
/// The type of a safetensors name; nothing when it is unknown.
std::optional<DType> dtype_from_name(std::string_view name) noexcept;
/// Their names: "F32, F16 or BF16".
std::string listed(std::span<const DType> dtypes);

/// Sizes of a tensor's dimensions, outermost first.
using Shape = std::vector<int64_t>;

/// "[2, 3]".
std::string to_string(const Shape& shape);
/// The product of the sizes; nothing on overflow or a negative size.
std::optional<int64_t> element_count(const Shape& shape) noexcept;

/// A read-only tensor in somebody else's memory, e.g. in a memory-mapped checkpoint.
/// `data` is null for a tensor that a checkpoint lacks (the loader reports it before anything runs).
struct TensorView {
  DType dtype = DType::f32;
  Shape shape;
  const std::byte* data = nullptr;

  int64_t count() const { return element_count(shape).value_or(0); }
};

/// The tensors of a layer norm: weight [n], bias [n].
struct NormView {
  TensorView weight;
  TensorView bias;
};

/// Element i of a view as a float; the view may hold f32, f16 or bf16.
float element(const TensorView& view, int64_t i);
/// All elements as floats, written to out[0..count).
void to_floats(const TensorView& view, float* out);
/// Elements [begin, begin+count) as floats.
void to_floats(const TensorView& view, int64_t begin, int64_t count, float* out);

/// A read-only view of rows of floats; row i begins at data + i * stride.
struct ConstMatrix {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  ConstMatrix() = default;
  ConstMatrix(const float* d, int64_t r, int64_t c) : data(d), rows(r), cols(c), stride(c) {}
  ConstMatrix(const float* d, int64_t r, int64_t c, int64_t s) : data(d), rows(r), cols(c), stride(s) {}
  const float* row(int64_t i) const { return data + i * stride; }
  /// Rows [begin, begin + count).
  ConstMatrix slice_rows(int64_t begin, int64_t count) const { return {row(begin), count, cols, stride}; }
  /// Columns [begin, begin + count) of every row.
  ConstMatrix slice_cols(int64_t begin, int64_t count) const {
    return {rows > 0 ? data + begin : data, rows, count, stride};
  }
};

/// A writable view of rows of floats.
struct Matrix {
  float* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  Matrix() = default;
  Matrix(float* d, int64_t r, int64_t c) : data(d), rows(r), cols(c), stride(c) {}
  Matrix(float* d, int64_t r, int64_t c, int64_t s) : data(d), rows(r), cols(c), stride(s) {}
  operator ConstMatrix() const { return {data, rows, cols, stride}; }
  float* row(int64_t i) const { return data + i * stride; }
  Matrix slice_rows(int64_t begin, int64_t count) const { return {row(begin), count, cols, stride}; }
  Matrix slice_cols(int64_t begin, int64_t count) const {
    return {rows > 0 ? data + begin : data, rows, count, stride};
  }
};

/// Floats that own their memory, of the host or of a device: 64-byte aligned, uninitialised; allocation
/// failure is Error{resource}. The host reads and writes only what lies in its own memory.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape, const Memory& memory = host_memory());

  const Shape& shape() const { return shape_; }
  int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  /// The same floats under another shape of the same count (a bug in galago otherwise).
  void reshape(Shape shape);
  /// Where the floats lie.
  const Memory& memory() const { return data_ ? *data_.get_deleter().memory : host_memory(); }
  int64_t byte_size() const { return size_ * static_cast<int64_t>(sizeof(float)); }
  /// A second tensor with the same contents, in the host's memory.
  Tensor copy() const;
  /// The tensor as rows of its last dimension.
  Matrix matrix();
  ConstMatrix matrix() const;

 private:
  struct GiveBack {
    void operator()(float* p) const noexcept;
    const Memory* memory;
    int64_t bytes;
  };
  Shape shape_;
  int64_t size_ = 0;
  std::unique_ptr<float[], GiveBack> data_;
};

/// The same floats in the host's memory: the tensor itself where it lies there.
Tensor on_host(Tensor tensor);

/// A view's elements as an owned tensor; an empty tensor for a view without data.
Tensor to_tensor(const TensorView& view);

}  // namespace galago
