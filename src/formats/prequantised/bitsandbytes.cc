// bitsandbytes: nf4 and fp4 (16 levels from a table, times the largest size of a block; that size itself may
// be an 8-bit number), and int8 with a largest size for each row. Reference: bitsandbytes 0.50 functional.py,
// QuantState.from_dict, dequantize_4bit, dequantize_blockwise, int8_vectorwise_dequant.
#include <array>
#include <memory>
#include <string_view>

#include "core/limits.h"
#include "formats/config/config_fields.h"
#include "formats/prequantised/packed_weights.h"

namespace galago {
namespace {

constexpr int64_t kMostBlock = 65536;
constexpr int64_t kLevels = 16;
constexpr int64_t kBytes = 256;
constexpr float kInt8 = 7.874015718698502e-3F;  // 1 / 127, as the reference writes it

/// What the tensor quant_state.bitsandbytes__nf4 says: a text of JSON.
struct State {
  std::string type;
  int64_t blocksize = 0;
  DType dtype = DType::f32;
  Shape shape;
  int64_t nested_blocksize = 0;
  float nested_offset = 0;
};

DType dtype_of(const JsonField& field) {
  const std::string& name = field.string();
  if (name == "float32") return DType::f32;
  if (name == "float16") return DType::f16;
  if (name == "bfloat16") return DType::bf16;
  field.fail("float32, float16 or bfloat16");
}

State read_state(const TensorView& view, const std::string& where, bool nested) {
  const std::string_view text(reinterpret_cast<const char*>(view.data), static_cast<size_t>(view.count()));
  const Json document = parse_json(text, where, {.max_bytes = limits::kConfigBytes});
  const JsonField root(document, where);
  State state{.type = root.at("quant_type").string(),
              .blocksize = root.at("blocksize").integer(1, kMostBlock),
              .dtype = dtype_of(root.at("dtype"))};
  const JsonField shape = root.at("shape");
  if (shape.size() != 2) shape.fail("two sizes");
  for (size_t i = 0; i < 2; ++i) state.shape.push_back(shape.at(i).integer(1, limits::kConfigVocabulary));
  if (!nested) return state;
  state.nested_blocksize = root.at("nested_blocksize").integer(1, kMostBlock);
  state.nested_offset = static_cast<float>(root.at("nested_offset").number(-1e30, 1e30));
  return state;
}

/// The largest size of each block.
struct Sizes {
  TensorView stored;  ///< F32, or U8 with the others
  Tensor levels, nested;
  int64_t blocksize = 1;
  float offset = 0;

  float at(int64_t block) const {
    if (stored.dtype == DType::f32) return element(stored, block);
    const auto level = std::to_integer<size_t>(stored.data[block]);
    return levels.data()[level] * nested.data()[block / blocksize] + offset;
  }
};

void unpack_4bit(PackedModule& module, const char* state_name) {
  const TensorView packed =
      module.take("weight", {DType::u8, DType::i8, DType::f32, DType::f16, DType::bf16});
  const auto bytes = packed.count() * size_of(packed.dtype);  // stored in another type, it is still bytes
  const TensorView map = module.take("weight.quant_map", {DType::f32});
  module.expect("weight.quant_map", map, {kLevels});
  auto sizes = std::make_shared<Sizes>();
  sizes->stored = module.take("weight.absmax", {DType::f32, DType::u8});
  const bool nested = sizes->stored.dtype == DType::u8;
  const State state =
      read_state(module.take(state_name, {DType::u8}), module.name() + "." + state_name, nested);
  const int64_t count = state.shape[0] * state.shape[1];  // each at most 2^24
  const int64_t blocks = (count + state.blocksize - 1) / state.blocksize;
  if (bytes != (count + 1) / 2)
    module.fail("weight", std::to_string(bytes) + " bytes",
                std::to_string((count + 1) / 2) + " for " + to_string(state.shape));
  if (sizes->stored.count() != blocks)
    module.fail("weight.absmax", to_string(sizes->stored.shape), std::to_string(blocks) + " blocks");
  if (nested) {
    const TensorView levels = module.take("weight.nested_quant_map", {DType::f32});
    module.expect("weight.nested_quant_map", levels, {kBytes});
    const TensorView largest = module.take("weight.nested_absmax", {DType::f32});
    module.expect("weight.nested_absmax", largest,
                  {(blocks + state.nested_blocksize - 1) / state.nested_blocksize});
    sizes->levels = to_tensor(levels);
    sizes->nested = to_tensor(largest);
    sizes->blocksize = state.nested_blocksize;
    sizes->offset = state.nested_offset;
  }
  std::array<float, kLevels> table{};
  to_floats(map, table.data());
  module.add({state.shape[0], state.shape[1], state.dtype,
              [packed, sizes, table, count, blocksize = state.blocksize](float* out) {
                float size = 0;
                for (int64_t i = 0; i < count; ++i) {
                  if (i % blocksize == 0) size = sizes->at(i / blocksize);
                  const auto pair = std::to_integer<uint8_t>(packed.data[i / 2]);
                  out[i] = table[i % 2 ? pair & 15 : pair >> 4] * size;
                }
              }});
}

void unpack_int8(PackedModule& module) {
  const TensorView sizes = module.take("SCB", {DType::f32});
  const TensorView weight = module.take("weight", {DType::i8});
  module.drop("weight_format");
  if (weight.shape.size() != 2) module.fail("weight", to_string(weight.shape), "[out, in]");
  module.expect("SCB", sizes, {weight.shape[0]});
  const int64_t rows = weight.shape[0], cols = weight.shape[1];
  module.add({rows, cols, DType::f32, [weight, sizes, rows, cols](float* out) {
                for (int64_t i = 0; i < rows; ++i)
                  for (int64_t j = 0; j < cols; ++j)
                    out[i * cols + j] = static_cast<float>(static_cast<int8_t>(weight.data[i * cols + j])) *
                                        element(sizes, i) * kInt8;
              }});
}

}  // namespace

void unpack_bitsandbytes(Checkpoint& checkpoint, const JsonField&) {
  for (const char* state : {"weight.quant_state.bitsandbytes__nf4", "weight.quant_state.bitsandbytes__fp4"})
    for (const std::string& name : modules_with(checkpoint, state)) {
      PackedModule module(checkpoint, name);
      unpack_4bit(module, state);
    }
  for (const std::string& name : modules_with(checkpoint, "SCB")) {
    PackedModule module(checkpoint, name);
    unpack_int8(module);
  }
}

}  // namespace galago
