// Which format each weight of a model gets, and a model's files with their weights in it.
// In: a WeightDtype and a tensor's name. Out: a format. The rule: what a decoder reads whole for every token
// may have 4 bits; everything else, read for many rows at once or row by row, keeps 8.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "core/weight.h"
#include "formats/model_files.h"
#include "galago/galago.h"
#include "kernels/kernels.h"

namespace galago {

/// The format for a matrix that is stored as `stored` under `name`; nothing where it stays as it is: it takes
/// fewer bytes already, its rows are no multiple of kWeightGroup, or nothing was asked for.
std::optional<WeightFormat> chosen_format(WeightDtype dtype, const std::string& name,
                                          const WeightView& stored);

/// Whether a matrix of that name is kept in panels: a quantised one that a decoder reads for every token, its
/// table included, which often is the head too. The others meet many rows at once and stay as they are
/// stored.
bool goes_into_panels(const std::string& name, WeightFormat format);

/// Memory for matrices, in blocks that are large enough for large pages.
class WeightMemory {
 public:
  /// 64-byte aligned, not initialised, valid as long as this object. Error{resource}.
  std::byte* take(int64_t bytes);

 private:
  std::vector<Tensor> blocks_;
  int64_t taken_ = 0;  // of the last block
};

/// The matrix in `format` (its own: a copy), its planes one after another in `memory`. Error{resource}.
WeightView convert_weights(const WeightView& from, WeightFormat format, WeightMemory& memory,
                           const kernels::Device& device);
/// The same numbers as q8 or q4 in panels, which products of few rows need. Error{resource}.
WeightView pack_weights(const WeightView& from, WeightFormat format, WeightMemory& memory,
                        const kernels::Device& device);

/// The same files; `change` sees each of their checkpoints first. `notes` are added to theirs.
std::shared_ptr<const ModelFiles> with_change(std::shared_ptr<const ModelFiles> files,
                                              std::function<void(Checkpoint&)> change,
                                              std::vector<std::string> notes = {});
/// The same files; their checkpoints get a converter that `make` makes, one for each.
std::shared_ptr<const ModelFiles> with_converter(std::shared_ptr<const ModelFiles> files,
                                                 std::function<Checkpoint::WeightConverter()> make);
/// How a model's numbers are kept and multiplied.
struct NumberOptions {
  WeightDtype dtype = WeightDtype::as_stored;
  ComputeDtype compute = ComputeDtype::f32;
  bool mmap = true;  ///< false: matrices that stay as they are stored are copied as well
};
/// The element type of the decoder's cache.
inline DType cache_dtype(KvCacheDtype dtype) { return dtype == KvCacheDtype::f16 ? DType::f16 : DType::f32; }
/// What LoadOptions say of them.
inline NumberOptions numbers_of(const LoadOptions& load) {
  return {.dtype = load.dtype, .compute = load.compute, .mmap = load.mmap};
}
/// The same files; matrices of checkpoint() are converted when a Binder asks for them, into memory that the
/// checkpoint owns, by the device's threads.
std::shared_ptr<const ModelFiles> with_numbers(std::shared_ptr<const ModelFiles> files,
                                               const NumberOptions& numbers, kernels::SharedDevice device);

}  // namespace galago
