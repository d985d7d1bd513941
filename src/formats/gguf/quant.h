// ggml's element types: how many elements a block holds, in how many bytes, and what floats they stand for.
// In: blocks as they lie in a GGUF file. Out: float32, bit for bit what the `gguf` Python package's
// quants.dequantize gives. Reference: gguf-py/gguf/quants.py and constants.py of llama.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "core/weight.h"

namespace galago {

/// The types that galago reads, by ggml's numbers.
enum class GgmlType : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
};

/// A block: so many elements of one row in so many bytes. Plain types have blocks of one element.
struct GgmlBlock {
  const char* name;
  int64_t elements;
  int64_t bytes;
};

/// ggml's name of a type number, e.g. "IQ2_XXS", also for those that galago does not read; null for a number
/// that ggml never gave or has withdrawn.
const char* ggml_type_name(uint32_t number) noexcept;
/// The type of a number; nothing when galago does not read it.
std::optional<GgmlType> ggml_type(uint32_t number) noexcept;
const GgmlBlock& ggml_block(GgmlType type) noexcept;
/// The names of all types that galago reads, for errors.
std::string ggml_types_read();
/// The element type of a plain type (F32, F16, BF16); nothing for a quantised one.
std::optional<DType> plain_dtype(GgmlType type) noexcept;

/// The weight format that holds exactly what blocks of a type hold: q8 for Q8_0, q4 for Q4_0 and Q4_1;
/// nothing for the others. They are read as they lie, in WeightLayout::blocks; the minimum of Q4_0 is -8
/// times its scale, for which a float16 has room unless the scale is beyond 8188.
std::optional<WeightFormat> same_format(GgmlType type) noexcept;
/// `count` elements, a multiple of the type's block, to out[0..count). The data need not be aligned.
void dequantise(GgmlType type, const std::byte* data, int64_t count, float* out);

}  // namespace galago
