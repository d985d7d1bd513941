// A picture's bytes through every decoder. What the header says and what is decoded must agree.
#include "image/image.h"

#include "support/fuzz.h"

using namespace galago;

namespace {

// Larger pictures are honest work of seconds; the header's checks are what matters of them.
constexpr int64_t kPixels = 1 << 22;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = fuzz::as_bytes(data, size);
  ImageSize said;
  const bool readable = fuzz::accept([&] { said = read_image_size(bytes, "input"); });
  if (!readable || said.width * said.height > kPixels) return 0;
  fuzz::accept([&] {
    const RgbImage image = decode_image(bytes, "input");
    fuzz::require(image.width == said.width && image.height == said.height);
    fuzz::require(static_cast<int64_t>(image.pixels.size()) == image.width * image.height * 3);
    fuzz::touch(std::as_bytes(std::span(image.pixels)));
  });
  return 0;
}
