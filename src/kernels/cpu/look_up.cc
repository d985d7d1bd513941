// Bytes to floats by a table of 256: one plane after another. In: bytes. Out: floats.
#include <algorithm>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/parallel.h"

namespace galago::kernels::cpu {

void look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables, float* out) {
  const int64_t count = std::ssize(tables) / 256;
  parallel_for(std::ssize(bytes), 1, [&](int64_t begin, int64_t end) {
    for (int64_t next; begin < end; begin = next) {
      next = std::min(end, (begin / plane + 1) * plane);
      const float* table = tables.data() + begin / plane % count * 256;
      for (int64_t i = begin; i < next; ++i) out[i] = table[bytes[i]];
    }
  });
}

}  // namespace galago::kernels::cpu
