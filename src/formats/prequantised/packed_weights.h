// Checkpoints whose matrices were quantised before: what other tools store becomes floats when it is asked
// for. In: a checkpoint as it lies in the files, and what config.json says of it. Out: the same checkpoint
// with NAME.weight in place of the packed tensors, made on demand, so that nothing behind it knows.
// docs/prequantised.md has the layouts. Internal to src/formats.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/safetensors/safetensors.h"

namespace galago {

/// How one stored matrix becomes floats.
struct PackedMatrix {
  int64_t rows = 0;          ///< out
  int64_t cols = 0;          ///< in
  DType dtype = DType::f32;  ///< F32, F16 or BF16: to which the reference rounds
  /// Writes rows x cols floats, exactly representable in dtype or rounded to it afterwards.
  std::function<void(float* out)> read;
};

/// The tensors of one module, "model.layers.0.mlp.up_proj". What is taken leaves the checkpoint.
class PackedModule {
 public:
  PackedModule(Checkpoint& checkpoint, std::string name) : checkpoint_(checkpoint), name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  /// The tensor NAME.suffix of one of the types; Error{model_invalid} when it is missing, empty or of another
  /// type.
  TensorView take(const char* suffix, std::initializer_list<DType> types);
  /// The same, or nothing when it is missing.
  std::optional<TensorView> find(const char* suffix, std::initializer_list<DType> types);
  /// Takes a tensor that changes nothing here, where it is there.
  void drop(const char* suffix) { checkpoint_.remove(name_ + "." + suffix); }
  /// Error{model_invalid} unless the shape is that.
  void expect(const char* suffix, const TensorView& view, const Shape& shape) const;
  [[noreturn]] void fail(const char* suffix, const std::string& got, const std::string& expected) const;
  /// Adds NAME.weight. Error{model_invalid} when its numbers cannot be counted.
  void add(PackedMatrix matrix) const;

 private:
  Checkpoint& checkpoint_;
  std::string name_;
  std::vector<std::shared_ptr<const void>> keepers_;  ///< of the memory of what was taken
};

/// The modules that have a tensor NAME.suffix of one of the types (of any, when none is given).
std::vector<std::string> modules_with(const Checkpoint& checkpoint, const std::string& suffix,
                                      std::initializer_list<DType> types = {});

inline constexpr std::initializer_list<DType> kFloatTypes = {DType::f32, DType::f16, DType::bf16};

/// A float rounded to F16 or BF16 and back, as arithmetic in that type rounds; itself for F32.
float rounded(float value, DType dtype) noexcept;
/// Number i of `bits` bits each in little-endian 32-bit words that lie `stride` words apart. bits 1 to 16.
uint32_t bits_at(const std::byte* words, int64_t i, int bits, int64_t stride = 1) noexcept;
/// Words that `count` numbers of `bits` bits take.
inline int64_t words_for(int64_t count, int bits) { return (count * bits + 31) / 32; }
/// An 8-bit float as a float.
float from_f8(uint8_t byte, DType dtype) noexcept;

/// One tool's way: takes its tensors and adds the matrices. settings: quantization_config.
using Unpacker = void(Checkpoint& checkpoint, const JsonField& settings);
Unpacker unpack_bitsandbytes, unpack_awq, unpack_gptq, unpack_compressed_tensors, unpack_fp8,
    unpack_fbgemm_fp8, unpack_mlx;
/// Gives a checkpoint that mlx wrote transformers' names and layout: kernels of convolutions keep their
/// channels last there, and the parts of a model with a connector have names of their own.
void adopt_mlx(Checkpoint& checkpoint);

}  // namespace galago
