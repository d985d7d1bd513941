// Element types that a caller chooses: of weights, of products, of the decoder's cache. Each has a word, the
// one of the command line: to_string gives it, and the other way round a word that is none is Error{usage}
// with the list of all.
#pragma once

#include <string_view>

#include "galago/visibility.h"

namespace galago {

/// Of weights. q8 and q4 are integers in groups of 32 (docs/quantisation.md).
enum class WeightDtype { as_stored, f32, bf16, q8, q4 };
/// "auto" (as_stored), "f32", "bf16", "q8", "q4".
GALAGO_API const char* to_string(WeightDtype dtype) noexcept;
GALAGO_API WeightDtype weight_dtype(std::string_view word);

/// In what products of many rows, those with pictures and prompts, multiply. bf16 rounds both operands and
/// sums in float32; int8 makes those of pictures whole numbers of 8 bits, prompts as with bf16
/// (docs/numerics.md). automatic: f32 or bf16, whichever this processor is measured to do faster.
enum class ComputeDtype { f32, bf16, int8, automatic };
/// "f32", "bf16", "int8", "auto".
GALAGO_API const char* to_string(ComputeDtype dtype) noexcept;
GALAGO_API ComputeDtype compute_dtype(std::string_view word);

/// Of what the decoder remembers of each position: f16 takes half the memory (docs/memory.md).
enum class KvCacheDtype { f32, f16 };
/// "f32", "f16".
GALAGO_API const char* to_string(KvCacheDtype dtype) noexcept;
GALAGO_API KvCacheDtype kv_cache_dtype(std::string_view word);

}  // namespace galago
