// GPTQ and AWQ: matrices stored transposed, [in, out], integers of a few bits in 32-bit words, with a scale
// and a zero point for each group of inputs: w = scale (q - zero). GPTQ packs along the inputs and may assign
// each input to any group (g_idx); AWQ packs along the outputs, eight in an order of their own. Reference:
// AutoAWQ utils/packing_utils.py (dequantize_gemm), GPTQModel qlinear and utils/model.py (checkpoint_format
// gptq and gptq_v2).
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "core/words.h"
#include "formats/config/config_fields.h"
#include "formats/prequantised/packed_weights.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr int64_t kMostGroup = 1 << 20;
// Which of eight outputs each 4 bits of an AWQ word hold, from the lowest.
constexpr std::array<int, 8> kAwqPlaces = {0, 4, 1, 5, 2, 6, 3, 7};

/// Inputs that share a scale; -1 in the file: all.
int64_t group_size(const JsonField& settings, int64_t in) {
  const auto field = settings.find("group_size");
  const int64_t size = field ? field->integer(-1, kMostGroup) : 128;
  if (size == 0) field->fail("-1, or 1 and more");
  return size < 0 ? in : size;
}

struct Grid {
  Tensor scales;                ///< [groups, out]
  std::vector<uint8_t> zeros;   ///< the same
  std::vector<int32_t> groups;  ///< [in]
};

/// w[o, i] = scale[g, o] (q(i, o) - zero[g, o]), rounded to the scales' type.
template <class Number>
void add_grid(PackedModule& module, std::shared_ptr<const Grid> grid, DType dtype, const Number& number) {
  const auto in = static_cast<int64_t>(grid->groups.size());
  const int64_t out = grid->scales.shape()[1];
  module.add({out, in, dtype, [grid, number, in, out](float* floats) {
                constexpr int64_t kTile = 64;  // outputs at a time: words of neighbours lie together
                for (int64_t begin = 0; begin < out; begin += kTile)
                  for (int64_t i = 0; i < in; ++i) {
                    const int64_t row = grid->groups[static_cast<size_t>(i)] * out;
                    for (int64_t o = begin; o < std::min(out, begin + kTile); ++o)
                      floats[o * in + i] = grid->scales.data()[row + o] *
                                           static_cast<float>(static_cast<int>(number(i, o)) -
                                                              grid->zeros[static_cast<size_t>(row + o)]);
                  }
              }});
}

std::vector<int32_t> groups_in_order(int64_t in, int64_t size) {
  std::vector<int32_t> groups(static_cast<size_t>(in));
  for (int64_t i = 0; i < in; ++i) groups[static_cast<size_t>(i)] = static_cast<int32_t>(i / size);
  return groups;
}

/// Zero point `o` of a group. Version 1 stores one less, and the reference (GPTQModel, through which
/// transformers loads both) adds the ones to whole words, so that a zero, stored as all bits, carries into
/// its neighbour as it borrowed from it. Numbers of 3 bits cross words and are raised one by one.
uint32_t zero_point(const std::byte* words, int64_t o, int bits, bool v1) {
  const uint32_t most = (1U << bits) - 1;
  if (!v1) return bits_at(words, o, bits);
  if (32 % bits != 0) return (bits_at(words, o, bits) + 1) & most;
  const int64_t per_word = 32 / bits;
  uint32_t word = 0;
  std::memcpy(&word, words + 4 * (o / per_word), sizeof word);
  word += ~0U / most;  // a one in each
  return word >> (o % per_word * bits) & most;
}

void unpack_gptq_module(PackedModule& module, const JsonField& settings, int bits, bool v1) {
  const TensorView weight = module.take("qweight", {DType::i32});
  const TensorView zeros = module.take("qzeros", {DType::i32});
  const TensorView scales = module.take("scales", kFloatTypes);
  const auto index = module.find("g_idx", {DType::i32});
  if (weight.shape.size() != 2 || scales.shape.size() != 2)
    module.fail("qweight", to_string(weight.shape), "[in * bits / 32, out], and scales [groups, out]");
  const int64_t out = weight.shape[1], groups = scales.shape[0];
  if (weight.shape[0] * 32 % bits != 0)
    module.fail("qweight", to_string(weight.shape), "whole numbers in its rows");
  const int64_t in = weight.shape[0] * 32 / bits;
  const int64_t size = group_size(settings, in);
  module.expect("scales", scales, {groups, out});
  module.expect("qzeros", zeros, {groups, words_for(out, bits)});
  auto grid = std::make_shared<Grid>();
  grid->scales = to_tensor(scales);
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t o = 0; o < out; ++o)
      grid->zeros.push_back(
          static_cast<uint8_t>(zero_point(zeros.data + 4 * g * zeros.shape[1], o, bits, v1)));
  grid->groups = groups_in_order(in, size);
  if (index) {
    module.expect("g_idx", *index, {in});
    std::memcpy(grid->groups.data(), index->data, static_cast<size_t>(in) * sizeof(int32_t));
  }
  for (const int32_t g : grid->groups)
    if (g < 0 || g >= groups)
      module.fail("g_idx", "group " + std::to_string(g), "0 to " + std::to_string(groups - 1));
  add_grid(module, std::move(grid), scales.dtype,
           [weight, bits, out](int64_t i, int64_t o) { return bits_at(weight.data + 4 * o, i, bits, out); });
}

void unpack_awq_module(PackedModule& module, const JsonField& settings) {
  constexpr int kBits = 4;
  const TensorView weight = module.take("qweight", {DType::i32});
  const auto zeros = module.find("qzeros", {DType::i32});
  const TensorView scales = module.take("scales", kFloatTypes);
  if (weight.shape.size() != 2 || scales.shape.size() != 2)
    module.fail("qweight", to_string(weight.shape), "[in, out / 8], and scales [groups, out]");
  const int64_t in = weight.shape[0], words = weight.shape[1], out = scales.shape[1],
                groups = scales.shape[0];
  const int64_t size = group_size(settings, in);
  if (words * 8 != out)
    module.fail("scales", to_string(scales.shape), "[groups, " + std::to_string(words * 8) + "]");
  if ((in + size - 1) / size != groups)
    module.fail("scales", to_string(scales.shape), std::to_string((in + size - 1) / size) + " groups");
  if (zeros) module.expect("qzeros", *zeros, {groups, words});
  const auto number = [words](const std::byte* data, int64_t row, int64_t o) {
    return bits_at(data + 4 * (row * words + o / 8), kAwqPlaces[static_cast<size_t>(o % 8)], kBits);
  };
  auto grid = std::make_shared<Grid>();
  grid->scales = to_tensor(scales);
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t o = 0; o < out; ++o)
      grid->zeros.push_back(static_cast<uint8_t>(zeros ? number(zeros->data, g, o) : 8));
  grid->groups = groups_in_order(in, size);
  add_grid(module, std::move(grid), scales.dtype,
           [weight, number](int64_t i, int64_t o) { return number(weight.data, i, o); });
}

}  // namespace

void unpack_gptq(Checkpoint& checkpoint, const JsonField& settings) {
  const auto bits = static_cast<int>(settings.at("bits").integer(2, 8));
  if (bits != 2 && bits != 3 && bits != 4 && bits != 8) settings.at("bits").unsupported("2, 3, 4 or 8");
  const auto format = first_of(settings, {"checkpoint_format", "format"});
  const std::string name = format ? lower_ascii(format->string()) : "gptq";
  if (name != "gptq" && name != "gptq_v2") format->unsupported("gptq or gptq_v2");
  for (const std::string& module_name : modules_with(checkpoint, "qweight")) {
    PackedModule module(checkpoint, module_name);
    unpack_gptq_module(module, settings, bits, name == "gptq");
  }
}

void unpack_awq(Checkpoint& checkpoint, const JsonField& settings) {
  const auto bits = first_of(settings, {"bits", "w_bit"});
  if (bits && bits->integer(1, 16) != 4) bits->unsupported("4");
  const auto version = first_of(settings, {"version", "format"});
  if (version && lower_ascii(version->string()) != "gemm") version->unsupported("gemm");
  for (const std::string& name : modules_with(checkpoint, "qweight")) {
    PackedModule module(checkpoint, name);
    unpack_awq_module(module, settings);
  }
}

}  // namespace galago
