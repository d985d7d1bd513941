// The block layouts of ggml's quantised types, one function each. In: one block as it lies in a file,
// unaligned. Out: its elements, to out[0..elements of the type). Floats meet in the order of the reference,
// because products and sums round. Any bytes are a block: indices are cut to their tables, scales may be
// infinite or not a number. Reference: gguf-py/gguf/quants.py of llama.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/half.h"

namespace galago::gguf_blocks {

inline constexpr int64_t kSmall = 32;   // elements of a block of the older types
inline constexpr int64_t kSuper = 256;  // elements of a block of the K, IQ and TQ types

inline uint8_t byte_at(const std::byte* p, int64_t i) { return std::to_integer<uint8_t>(p[i]); }
inline int8_t signed_at(const std::byte* p, int64_t i) { return static_cast<int8_t>(byte_at(p, i)); }
/// Little-endian numbers of 2 and 4 bytes, and a float16.
inline uint16_t u16_at(const std::byte* p) {
  return static_cast<uint16_t>(byte_at(p, 0) | byte_at(p, 1) << 8);
}
inline uint32_t u32_at(const std::byte* p) { return u16_at(p) | static_cast<uint32_t>(u16_at(p + 2)) << 16; }
inline float half_at(const std::byte* p) { return from_f16(u16_at(p)); }
inline int low(uint8_t byte) { return byte & 0x0f; }
inline int high(uint8_t byte) { return byte >> 4; }
/// Number i of 4-bit numbers, two in a byte, the low half first.
inline int nibble_at(const std::byte* p, int64_t i) {
  const uint8_t pair = byte_at(p, i / 2);
  return i % 2 ? high(pair) : low(pair);
}

using Block = void(const std::byte* in, float* out);

Block q4_0, q4_1, q5_0, q5_1, q8_0;                          // gguf_blocks_small.cc
Block q2_k, q3_k, q4_k, q5_k, q6_k;                          // gguf_blocks_k.cc
Block tq1_0, tq2_0, mxfp4, nvfp4;                            // gguf_blocks_few.cc: three levels, 4-bit floats
Block iq4_nl, iq4_xs;                                        // gguf_blocks_few.cc: 16 levels of uneven size
Block iq1_s, iq1_m, iq2_xxs, iq2_xs, iq2_s, iq3_xxs, iq3_s;  // gguf_blocks_iq.cc: codebooks

}  // namespace galago::gguf_blocks
