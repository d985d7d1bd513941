// Which type is what, and how a run of blocks becomes floats or planes; gguf_blocks*.cc have the layouts.
#include "formats/gguf/quant.h"

#include <array>
#include <cstring>

#include "core/half.h"
#include "core/words.h"
#include "formats/gguf/blocks.h"

namespace galago {
namespace {

using gguf_blocks::half_at;
using gguf_blocks::kSmall;
using gguf_blocks::kSuper;

struct TypeRow {
  GgmlType type;
  GgmlBlock block;
  gguf_blocks::Block* read;  ///< null for plain types
};

// Bytes as the layouts add up: scales, then numbers.
constexpr std::array<TypeRow, 26> kTypes = {
    {{GgmlType::f32, {"F32", 1, 4}, nullptr},
     {GgmlType::f16, {"F16", 1, 2}, nullptr},
     {GgmlType::bf16, {"BF16", 1, 2}, nullptr},
     {GgmlType::q4_0, {"Q4_0", kSmall, 2 + 16}, gguf_blocks::q4_0},
     {GgmlType::q4_1, {"Q4_1", kSmall, 4 + 16}, gguf_blocks::q4_1},
     {GgmlType::q5_0, {"Q5_0", kSmall, 2 + 4 + 16}, gguf_blocks::q5_0},
     {GgmlType::q5_1, {"Q5_1", kSmall, 4 + 4 + 16}, gguf_blocks::q5_1},
     {GgmlType::q8_0, {"Q8_0", kSmall, 2 + 32}, gguf_blocks::q8_0},
     {GgmlType::q2_k, {"Q2_K", kSuper, 16 + 64 + 4}, gguf_blocks::q2_k},
     {GgmlType::q3_k, {"Q3_K", kSuper, 32 + 64 + 12 + 2}, gguf_blocks::q3_k},
     {GgmlType::q4_k, {"Q4_K", kSuper, 4 + 12 + 128}, gguf_blocks::q4_k},
     {GgmlType::q5_k, {"Q5_K", kSuper, 4 + 12 + 32 + 128}, gguf_blocks::q5_k},
     {GgmlType::q6_k, {"Q6_K", kSuper, 128 + 64 + 16 + 2}, gguf_blocks::q6_k},
     {GgmlType::iq1_s, {"IQ1_S", kSuper, 2 + 32 + 16}, gguf_blocks::iq1_s},
     {GgmlType::iq1_m, {"IQ1_M", kSuper, 32 + 16 + 8}, gguf_blocks::iq1_m},
     {GgmlType::iq2_xxs, {"IQ2_XXS", kSuper, 2 + 64}, gguf_blocks::iq2_xxs},
     {GgmlType::iq2_xs, {"IQ2_XS", kSuper, 2 + 64 + 8}, gguf_blocks::iq2_xs},
     {GgmlType::iq2_s, {"IQ2_S", kSuper, 2 + 32 + 32 + 8 + 8}, gguf_blocks::iq2_s},
     {GgmlType::iq3_xxs, {"IQ3_XXS", kSuper, 2 + 64 + 32}, gguf_blocks::iq3_xxs},
     {GgmlType::iq3_s, {"IQ3_S", kSuper, 2 + 64 + 8 + 32 + 4}, gguf_blocks::iq3_s},
     {GgmlType::iq4_nl, {"IQ4_NL", kSmall, 2 + 16}, gguf_blocks::iq4_nl},
     {GgmlType::iq4_xs, {"IQ4_XS", kSuper, 2 + 2 + 4 + 128}, gguf_blocks::iq4_xs},
     {GgmlType::tq1_0, {"TQ1_0", kSuper, 48 + 4 + 2}, gguf_blocks::tq1_0},
     {GgmlType::tq2_0, {"TQ2_0", kSuper, 64 + 2}, gguf_blocks::tq2_0},
     {GgmlType::mxfp4, {"MXFP4", kSmall, 1 + 16}, gguf_blocks::mxfp4},
     {GgmlType::nvfp4, {"NVFP4", 2 * kSmall, 4 + 32}, gguf_blocks::nvfp4}}};

const TypeRow& row_of(GgmlType type) {
  for (const TypeRow& row : kTypes)
    if (row.type == type) return row;
  return kTypes[0];
}

// By number; null where ggml has no type (any more).
constexpr std::array<const char*, 43> kNames = {
    "F32",   "F16",    "Q4_0",  "Q4_1",  nullptr, nullptr,   "Q5_0",   "Q5_1",    "Q8_0",  "Q8_1",   "Q2_K",
    "Q3_K",  "Q4_K",   "Q5_K",  "Q6_K",  "Q8_K",  "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S",
    "IQ2_S", "IQ4_XS", "I8",    "I16",   "I32",   "I64",     "F64",    "IQ1_M",   "BF16",  nullptr,  nullptr,
    nullptr, "TQ1_0",  "TQ2_0", nullptr, nullptr, nullptr,   "MXFP4",  "NVFP4",   "Q1_0",  "Q2_0"};

}  // namespace

const char* ggml_type_name(uint32_t number) noexcept {
  return number < kNames.size() ? kNames[number] : nullptr;
}

std::optional<GgmlType> ggml_type(uint32_t number) noexcept {
  for (const TypeRow& row : kTypes)
    if (static_cast<uint32_t>(row.type) == number) return row.type;
  return std::nullopt;
}

const GgmlBlock& ggml_block(GgmlType type) noexcept { return row_of(type).block; }

std::optional<DType> plain_dtype(GgmlType type) noexcept {
  if (type == GgmlType::f32) return DType::f32;
  if (type == GgmlType::f16) return DType::f16;
  if (type == GgmlType::bf16) return DType::bf16;
  return std::nullopt;
}

void dequantise(GgmlType type, const std::byte* data, int64_t count, float* out) {
  if (const auto dtype = plain_dtype(type)) {
    to_floats({.dtype = *dtype, .shape = {count}, .data = data}, out);
    return;
  }
  const TypeRow& row = row_of(type);
  for (int64_t i = 0; i * row.block.elements < count; ++i)
    row.read(data + i * row.block.bytes, out + i * row.block.elements);
}

std::string ggml_types_read() {
  std::vector<std::string_view> names;
  for (const TypeRow& row : kTypes) names.emplace_back(row.block.name);
  return listed(names);
}

std::optional<WeightFormat> same_format(GgmlType type) noexcept {
  if (type == GgmlType::q8_0) return WeightFormat::q8;
  if (type == GgmlType::q4_0 || type == GgmlType::q4_1) return WeightFormat::q4;
  return std::nullopt;
}

}  // namespace galago
