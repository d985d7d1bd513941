// mlx: integers of 2 to 8 bits in 32-bit words along each row, and for each group of a row a scale and a
// bias: w = scale q + bias, rounded after the product and after the sum. Reference: mlx 0.32 quantize /
// dequantize (mode "affine").
#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "formats/config/config_fields.h"
#include "formats/prequantised/packed_weights.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr int64_t kMostGroup = 1024;

struct Affine {
  int bits = 4;
  int64_t group = 64;
};

Affine read_affine(const JsonField& settings, Affine fallback) {
  if (const auto mode = settings.find("mode"); mode && mode->string() != "affine")
    mode->unsupported("affine");
  Affine affine{.bits = static_cast<int>(integer_or(settings, "bits", {2, 8}, fallback.bits)),
                .group = integer_or(settings, "group_size", {1, kMostGroup}, fallback.group)};
  if (affine.bits == 7) settings.at("bits").unsupported("2, 3, 4, 5, 6 or 8");
  return affine;
}

void unpack_module(PackedModule& module, const Affine& affine) {
  const TensorView packed = module.take("weight", {DType::u32});
  const TensorView scales = module.take("scales", kFloatTypes);
  const TensorView biases = module.take("biases", kFloatTypes);
  if (packed.shape.size() != 2 || packed.shape[1] * 32 % affine.bits != 0)
    module.fail("weight", to_string(packed.shape),
                "rows of whole numbers of " + std::to_string(affine.bits) + " bits");
  const int64_t rows = packed.shape[0], words = packed.shape[1], cols = words * 32 / affine.bits;
  if (cols % affine.group != 0)
    module.fail("weight", "rows of " + std::to_string(cols), "a multiple of " + std::to_string(affine.group));
  const int64_t groups = cols / affine.group;
  module.expect("scales", scales, {rows, groups});
  module.expect("biases", biases, {rows, groups});
  module.add(
      {rows, cols, scales.dtype, [packed, scales, biases, affine, rows, words, cols, groups](float* out) {
         for (int64_t i = 0; i < rows; ++i)
           for (int64_t g = 0; g < groups; ++g) {
             const float scale = element(scales, i * groups + g), bias = element(biases, i * groups + g);
             for (int64_t j = g * affine.group; j < (g + 1) * affine.group; ++j) {
               const auto q = static_cast<float>(bits_at(packed.data + 4 * i * words, j, affine.bits));
               out[i * cols + j] = rounded(scale * q, scales.dtype) + bias;
             }
           }
       }});
}

/// [out, h, w, in] -> [out, in, h, w].
void turn_kernel(Checkpoint& checkpoint, const std::string& name, const TensorView& view) {
  const Shape& s = view.shape;
  const int64_t out = s[0], area = s[1] * s[2], in = s[3], width = size_of(view.dtype);
  const TensorView outline{.dtype = view.dtype, .shape = {out, in, s[1], s[2]}, .data = nullptr};
  const std::shared_ptr<const void> keeper = checkpoint.remove(name);
  checkpoint.add_made(name, outline, [view, keeper, out, area, in, width] {
    const auto bytes = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(out * area * in * width));
    for (int64_t o = 0; o < out; ++o)
      for (int64_t p = 0; p < area; ++p)
        for (int64_t c = 0; c < in; ++c)
          std::memcpy(bytes->data() + ((o * in + c) * area + p) * width,
                      view.data + ((o * area + p) * in + c) * width, static_cast<size_t>(width));
    return std::shared_ptr<const std::byte>(bytes, bytes->data());
  });
}

}  // namespace

void adopt_mlx(Checkpoint& checkpoint) {
  const auto begins = [&](std::string_view prefix) {
    const auto found = checkpoint.tensors().lower_bound(std::string(prefix));
    return found != checkpoint.tensors().end() && found->first.starts_with(prefix);
  };
  std::vector<std::pair<std::string, TensorView>> kernels;
  for (const auto& [name, view] : checkpoint.tensors())
    if (name.ends_with("patch_embedding.weight") && view.shape.size() == 4 &&
        view.shape[1] == view.shape[2] && view.data)
      kernels.emplace_back(name, view);
  for (const auto& [name, view] : kernels) turn_kernel(checkpoint, name, view);
  if (!begins("connector.") || !begins("language_model.")) return;
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kParts = {
      {{"language_model.lm_head.", "lm_head."},
       {"language_model.model.", "model.text_model."},
       {"language_model.", "model.text_model."},
       {"vision_model.", "model.vision_model."},
       {"connector.", "model.connector."}}};
  std::vector<std::string> names;
  for (const auto& [name, view] : checkpoint.tensors()) names.push_back(name);
  for (const std::string& name : names)
    for (const auto& [from, to] : kParts)
      if (name.starts_with(from)) {
        checkpoint.rename(name, std::string(to) + name.substr(from.size()));
        break;
      }
}

void unpack_mlx(Checkpoint& checkpoint, const JsonField& settings) {
  const Affine common = read_affine(settings, {});
  for (const std::string& name : modules_with(checkpoint, "scales", kFloatTypes)) {
    const TensorView* weight = checkpoint.find(name + ".weight");
    if (!weight || weight->dtype != DType::u32) continue;
    const auto own = settings.find(name);  // a module may have its own sizes
    PackedModule module(checkpoint, name);
    unpack_module(module, own && own->value().is_object() ? read_affine(*own, common) : common);
  }
}

}  // namespace galago
