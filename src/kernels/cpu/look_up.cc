// Bytes to floats by a table of 256: one plane after another. In: bytes. Out: floats. Eight bytes are read at
// once: the loads that are left are those of the table.
#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/parallel.h"

namespace galago::kernels::cpu {
namespace {

void look_up_run(const uint8_t* bytes, int64_t count, const float* table, float* out) {
  int64_t i = 0;
  if constexpr (std::endian::native == std::endian::little)
    for (; i + 8 <= count; i += 8) {
      uint64_t eight;
      std::memcpy(&eight, bytes + i, sizeof eight);
      for (int64_t k = 0; k < 8; ++k, eight >>= 8) out[i + k] = table[eight & 255];
    }
  for (; i < count; ++i) out[i] = table[bytes[i]];
}

}  // namespace

void look_up(Pool& pool, std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables,
             float* out) {
  const int64_t count = std::ssize(tables) / 256;
  parallel_for(pool, std::ssize(bytes), 1, [&](int64_t begin, int64_t end) {
    for (int64_t next; begin < end; begin = next) {
      next = std::min(end, (begin / plane + 1) * plane);
      const float* table = tables.data() + begin / plane % count * 256;
      look_up_run(bytes.data() + begin, next - begin, table, out + begin);
    }
  });
}

}  // namespace galago::kernels::cpu
