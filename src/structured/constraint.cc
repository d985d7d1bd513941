// See the header.
#include "structured/constraint.h"

#include <algorithm>
#include <limits>

namespace galago {

bool forbid_others(std::span<const uint32_t> mask, std::span<float> scores) {
  constexpr float kForbidden = -std::numeric_limits<float>::infinity();
  bool left = false;
  for (size_t begin = 0; begin < scores.size(); begin += 32) {
    const auto some = scores.subspan(begin, std::min<size_t>(32, scores.size() - begin));
    const uint32_t word = mask[begin / 32];
    if (word == 0) {  // most often
      std::ranges::fill(some, kForbidden);
      continue;
    }
    for (size_t bit = 0; bit < some.size(); ++bit)
      if ((word >> bit & 1) == 0)
        some[bit] = kForbidden;
      else
        left |= some[bit] > kForbidden;
  }
  return left;
}

}  // namespace galago
