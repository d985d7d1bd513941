// Codebooks of ggml's IQ types: an index in a block stands for the sizes of 8 (IQ1, IQ2) or 4 (IQ3) elements.
// In: nothing. Out: tables, which are part of the format; gguf_grids.cc says how an entry is packed.
#pragma once

#include <array>
#include <cstdint>

namespace galago::gguf_grids {

extern const std::array<uint16_t, 256> kIq2Xxs;
extern const std::array<uint16_t, 512> kIq2Xs;
extern const std::array<uint16_t, 1024> kIq2S;
extern const std::array<uint16_t, 256> kIq3Xxs;
extern const std::array<uint16_t, 512> kIq3S;
extern const std::array<uint16_t, 2048> kIq1;

}  // namespace galago::gguf_grids
