// See the header.
#include "structured/constraint.h"

#include <limits>

namespace galago {

void forbid_others(std::span<const uint32_t> mask, std::span<float> scores) {
  for (size_t i = 0; i < scores.size(); ++i)
    if ((mask[i / 32] >> (i % 32) & 1) == 0) scores[i] = -std::numeric_limits<float>::infinity();
}

}  // namespace galago
