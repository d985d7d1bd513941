// Weights as 8-bit floats or integers beside their scales, and compressed-tensors' packed integers.
// w = scale (q - zero), where a scale holds for the matrix, a row, a group of a row's inputs, or a block of
// rows and inputs: the shape of the scales tells. Reference: transformers 5.18 Fp8Dequantize and
// FbgemmFp8Linear; compressed-tensors 0.20 quantization/lifecycle/forward.py (dequantize),
// compressors/pack_quantized.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "formats/config/config_fields.h"
#include "formats/prequantised/packed_weights.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr std::initializer_list<DType> kBytes = {DType::f8_e4m3, DType::f8_e5m2, DType::i8};

/// Numbers [rows, cols] that hold for blocks of a matrix.
struct Blocks {
  Tensor values;
  int64_t cols = 1;             ///< of values
  int64_t height = 1;           ///< rows of the matrix for each
  int64_t width = 1;            ///< columns
  std::vector<int32_t> groups;  ///< of each column, where they are in no order; else empty

  float at(int64_t row, int64_t col) const {
    const int64_t g = groups.empty() ? col / width : groups[static_cast<size_t>(col)];
    return values.data()[row / height * cols + g];
  }
};

/// The values as blocks of a matrix. `block`: sizes that the settings name; else the shapes divide.
Blocks blocks_of(const PackedModule& module, const char* suffix, Tensor values, Shape shape,
                 const Shape& matrix, const std::optional<Shape>& block) {
  if (shape.empty()) shape = {1};
  if (shape.size() == 1) shape = shape[0] == matrix[0] ? Shape{shape[0], 1} : Shape{1, shape[0]};
  const auto per = [&](size_t i) {
    if (block && !(shape[0] == 1 && shape[1] == 1)) return (*block)[i];
    return shape[i] > 0 ? (matrix[i] + shape[i] - 1) / shape[i] : 0;
  };
  Blocks blocks{.values = std::move(values), .cols = shape.size() == 2 ? shape[1] : 0};
  if (shape.size() == 2) {
    blocks.height = per(0);
    blocks.width = per(1);
  }
  const bool fits = shape.size() == 2 && blocks.height > 0 && blocks.width > 0 &&
                    (matrix[0] + blocks.height - 1) / blocks.height == shape[0] &&
                    (matrix[1] + blocks.width - 1) / blocks.width == shape[1];
  if (!fits) module.fail(suffix, to_string(shape), "numbers for blocks of a matrix of " + to_string(matrix));
  return blocks;
}

float number_at(const TensorView& weight, int64_t i) {
  const auto byte = std::to_integer<uint8_t>(weight.data[i]);
  return weight.dtype == DType::i8 ? static_cast<float>(static_cast<int8_t>(byte))
                                   : from_f8(byte, weight.dtype);
}

/// A matrix of bytes with scales and, where there are any, zero points.
void add_bytes(PackedModule& module, const TensorView& weight, Blocks scales, std::optional<Blocks> zeros,
               DType dtype) {
  const int64_t rows = weight.shape[0], cols = weight.shape[1];
  const auto scale = std::make_shared<const Blocks>(std::move(scales));
  const auto zero = zeros ? std::make_shared<const Blocks>(std::move(*zeros)) : nullptr;
  module.add({rows, cols, dtype, [weight, scale, zero, rows, cols](float* out) {
                for (int64_t i = 0; i < rows; ++i)
                  for (int64_t j = 0; j < cols; ++j)
                    out[i * cols + j] =
                        (number_at(weight, i * cols + j) - (zero ? zero->at(i, j) : 0)) * scale->at(i, j);
              }});
}

TensorView take_matrix(PackedModule& module) {
  TensorView weight = module.take("weight", kBytes);
  if (weight.shape.size() != 2) module.fail("weight", to_string(weight.shape), "[out, in]");
  return weight;
}

// What compressed-tensors keeps for a module of packed integers.
void unpack_integers(PackedModule& module, int bits, const std::optional<Shape>& block) {
  const TensorView packed = module.take("weight_packed", {DType::i32});
  const TensorView stored = module.take("weight_scale", kFloatTypes);
  const TensorView said = module.take("weight_shape", {DType::i64, DType::i32});
  if (said.shape != Shape{2} || packed.shape.size() != 2)
    module.fail("weight_packed", to_string(packed.shape), "[out, in * bits / 32], and weight_shape [2]");
  Shape shape;
  for (int64_t i = 0; i < 2; ++i) {
    int64_t size = 0;
    std::memcpy(&size, said.data + i * size_of(said.dtype), static_cast<size_t>(size_of(said.dtype)));
    shape.push_back(size);
  }
  if (shape[1] < 1 || shape[1] > packed.shape[1] * 32 / bits)
    module.fail("weight_shape", to_string(shape), "what " + to_string(packed.shape) + " words hold");
  module.expect("weight_packed", packed, {shape[0], words_for(shape[1], bits)});
  auto scales = blocks_of(module, "weight_scale", to_tensor(stored), stored.shape, shape, block);
  const int offset = 1 << (bits - 1);
  std::shared_ptr<Blocks> zeros;
  if (const auto points = module.find("weight_zero_point", {DType::i32, DType::i8})) {
    if (stored.shape.size() != 2) module.fail("weight_scale", to_string(stored.shape), "[out, groups]");
    Tensor values(stored.shape);
    const int64_t rows = stored.shape[0], groups = stored.shape[1];
    if (points->dtype == DType::i32) {
      module.expect("weight_zero_point", *points, {words_for(rows, bits), groups});
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t g = 0; g < groups; ++g)
          values.data()[i * groups + g] =
              static_cast<float>(static_cast<int>(bits_at(points->data + 4 * g, i, bits, groups)) - offset);
    } else {
      module.expect("weight_zero_point", *points, stored.shape);
      for (int64_t i = 0; i < values.size(); ++i) values.data()[i] = number_at(*points, i);
    }
    zeros = std::make_shared<Blocks>(
        blocks_of(module, "weight_zero_point", std::move(values), stored.shape, shape, block));
  }
  if (const auto index = module.find("weight_g_idx", {DType::i32})) {
    module.expect("weight_g_idx", *index, {shape[1]});
    scales.groups.resize(static_cast<size_t>(shape[1]));
    std::memcpy(scales.groups.data(), index->data, scales.groups.size() * sizeof(int32_t));
    for (const int32_t g : scales.groups)
      if (g < 0 || g >= scales.cols)
        module.fail("weight_g_idx", "group " + std::to_string(g), "0 to " + std::to_string(scales.cols - 1));
    if (zeros) zeros->groups = scales.groups;
  }
  const auto scale = std::make_shared<const Blocks>(std::move(scales));
  module.add({shape[0], shape[1], stored.dtype, [packed, scale, zeros, shape, bits, offset](float* out) {
                for (int64_t i = 0; i < shape[0]; ++i) {
                  const std::byte* row = packed.data + 4 * i * packed.shape[1];
                  for (int64_t j = 0; j < shape[1]; ++j) {
                    const int q = static_cast<int>(bits_at(row, j, bits)) - offset;
                    out[i * shape[1] + j] =
                        (static_cast<float>(q) - (zeros ? zeros->at(i, j) : 0)) * scale->at(i, j);
                  }
                }
              }});
}

// Bytes with weight_scale: compressed-tensors, whose reference rounds to the scales' type, and fbgemm.
void unpack_scaled_bytes(PackedModule& module, const std::optional<Shape>& block,
                         std::optional<DType> dtype) {
  const TensorView weight = take_matrix(module);
  const TensorView scale = module.take("weight_scale", kFloatTypes);
  std::optional<Blocks> zeros;
  if (const auto points = module.find("weight_zero_point", kBytes)) {
    Tensor values(points->shape.empty() ? Shape{1} : points->shape);
    for (int64_t i = 0; i < values.size(); ++i) values.data()[i] = number_at(*points, i);
    zeros = blocks_of(module, "weight_zero_point", std::move(values), points->shape, weight.shape, block);
  }
  for (const char* unused :
       {"input_scale", "input_zero_point", "output_scale", "output_zero_point", "input_scale_ub"})
    module.drop(unused);
  Blocks scales = blocks_of(module, "weight_scale", to_tensor(scale), scale.shape, weight.shape, block);
  add_bytes(module, weight, std::move(scales), std::move(zeros), dtype.value_or(scale.dtype));
}

/// The weights of a config group: bits, and blocks where the strategy has them.
struct Group {
  int bits = 8;
  std::optional<Shape> block;
};

std::optional<Group> read_group(const JsonField& group) {
  const auto weights = group.find("weights");
  if (!weights) return std::nullopt;
  Group read{.bits = static_cast<int>(weights->at("num_bits").integer(1, 8))};
  if (const auto block = weights->find("block_structure"); block && block->value().is_array()) {
    if (block->size() != 2) block->fail("two sizes");
    read.block = Shape{block->at(size_t{0}).integer(1, 1 << 20), block->at(size_t{1}).integer(1, 1 << 20)};
  } else if (const auto size = weights->find("group_size"); size && size->integer(-1, 1 << 20) > 0) {
    read.block = Shape{1, size->integer(1, 1 << 20)};
  }
  return read;
}

}  // namespace

void unpack_compressed_tensors(Checkpoint& checkpoint, const JsonField& settings) {
  std::optional<Group> group;
  const JsonField groups = settings.at("config_groups");
  groups.expect_object();
  for (const auto& item : groups.value().items()) {
    const auto read = read_group(groups.at(item.key()));
    if (!read) continue;
    if (group && (group->bits != read->bits || group->block != read->block))
      groups.unsupported("one group, or groups of the same bits and sizes");
    group = read;
  }
  if (!group) return;
  for (const std::string& name : modules_with(checkpoint, "weight_packed")) {
    PackedModule module(checkpoint, name);
    unpack_integers(module, group->bits, group->block);
  }
  for (const std::string& name : modules_with(checkpoint, "weight", kBytes)) {
    PackedModule module(checkpoint, name);
    unpack_scaled_bytes(module, group->block, std::nullopt);
  }
}

void unpack_fbgemm_fp8(Checkpoint& checkpoint, const JsonField&) {
  for (const std::string& name : modules_with(checkpoint, "weight", {DType::f8_e4m3})) {
    PackedModule module(checkpoint, name);
    unpack_scaled_bytes(module, std::nullopt, DType::f32);
  }
}

void unpack_fp8(Checkpoint& checkpoint, const JsonField& settings) {
  std::optional<Shape> block;
  if (const auto size = settings.find("weight_block_size")) {
    if (size->size() != 2) size->fail("two sizes");
    block = Shape{size->at(size_t{0}).integer(1, 1 << 20), size->at(size_t{1}).integer(1, 1 << 20)};
  }
  for (const std::string& name : modules_with(checkpoint, "weight", {DType::f8_e4m3, DType::f8_e5m2})) {
    PackedModule module(checkpoint, name);
    const TensorView weight = take_matrix(module);
    const TensorView scale = module.take("weight_scale_inv", kFloatTypes);
    module.drop("activation_scale");
    add_bytes(module, weight,
              blocks_of(module, "weight_scale_inv", to_tensor(scale), scale.shape, weight.shape, block),
              std::nullopt, DType::f32);
  }
}

}  // namespace galago
