// A GIF or WebP file as a video: its structure, then its frames.
#include "image/animation.h"

#include <numeric>
#include <vector>

#include "support/fuzz.h"

using namespace galago;

namespace {

// Canvas times frames: more is honest work of seconds.
constexpr int64_t kPixels = 1 << 21;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = fuzz::as_bytes(data, size);
  Animation said;
  if (!fuzz::accept([&] { said = read_animation(bytes, "input"); })) return 0;
  const auto frames = static_cast<int64_t>(said.durations_ms.size());
  fuzz::require(frames > 0);
  if (said.size.width * said.size.height > kPixels / frames) return 0;
  fuzz::accept([&] {
    std::vector<int64_t> wanted(static_cast<size_t>(frames));
    std::iota(wanted.begin(), wanted.end(), 0);
    int64_t taken = 0;
    decode_animation(bytes, "input", wanted, [&](int64_t index, const RgbImage& frame) {
      fuzz::require(index == taken++);
      // A GIF's canvas grows with frames that reach beyond it.
      fuzz::require(frame.width > 0 && frame.width <= said.size.width);
      fuzz::require(frame.height > 0 && frame.height <= said.size.height);
      fuzz::touch(std::as_bytes(std::span(frame.pixels)));
    });
    fuzz::require(taken == frames);
  });
  return 0;
}
