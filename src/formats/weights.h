// Binding weights by checkpoint name with the shape a module expects; all faults are reported at once.
// A module asks its Scope: scope.sub("self_attn").linear("q_proj", {d, d}). The Binder remembers what was
// asked; finish() throws one Error{model_invalid} that lists every missing and mis-shaped tensor, and names
// what nobody asked for.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "core/weight.h"
#include "formats/safetensors/safetensors.h"

namespace galago {

namespace kernels {
class Device;
}

class Scope;

/// Sizes of a linear layer's weight: [out, in].
struct LinearShape {
  int64_t out = 0;
  int64_t in = 0;
};

enum class Bias { no, yes };

/// A quantised weight NAME in planes is NAME (I8 or U8), NAME_scale and, for q4, NAME_min (both F16); in
/// panels or blocks it is NAME alone (Checkpoint::matrix).
inline constexpr const char* kScaleSuffix = "_scale";
inline constexpr const char* kMinimumSuffix = "_min";

/// Collects requests and faults of one load for modules that will run on a device. Checkpoint and device must
/// outlive it.
class Binder {
 public:
  Binder(const Checkpoint& checkpoint, const kernels::Device& device)
      : checkpoint_(checkpoint), device_(device) {}

  /// The scope of names without prefix.
  Scope root();
  /// A name (or, ending in '.', a prefix) that may stay unused; why is for the reader of the model file.
  void waive(std::string name_or_prefix);
  /// Tensors that nobody asked for, "NAME [shape]", without those that are waived and the buffers that older
  /// versions of the reference saved (rotary frequencies, position ids). Throws Error{model_invalid} when one
  /// is missing or mis-shaped, and lists all of these and the unused ones (at most 40 lines, then a count).
  std::vector<std::string> finish(const std::string& where) const;

 private:
  friend class Scope;
  TensorView request(const std::string& name, const Shape& expected);
  WeightView request_weight(const std::string& name, LinearShape shape);
  WeightView stored_weight(const std::string& name, LinearShape shape);
  WeightView one_tensor(const std::string& name, WeightView matrix, LinearShape shape);
  const std::byte* take(const std::string& name, const Shape& expected, std::span<const DType> types);
  void fault(std::string text);
  std::vector<std::string> unused() const;
  std::string strange_prefix() const;

  const Checkpoint& checkpoint_;
  const kernels::Device& device_;
  std::set<std::string> used_;
  std::vector<std::string> waived_;
  std::vector<std::string> faults_;
  std::string first_missing_;
};

/// What to say about tensors that Binder::finish gave: one line with their number and the first of them, or
/// nothing. strict: Error{model_invalid} that lists them instead.
std::vector<std::string> unused_warnings(const std::vector<std::string>& unused, bool strict,
                                         const std::string& where);

/// A prefix of tensor names. Cheap to copy.
class Scope {
 public:
  Scope(Binder& binder, std::string prefix) : binder_(&binder), prefix_(std::move(prefix)) {}

  /// This prefix followed by name and a dot.
  Scope sub(const std::string& name) const;
  /// sub(name).sub(index): an entry of a module list.
  Scope sub(const std::string& name, int64_t index) const;
  /// A tensor of that exact shape; a view with null data when it is missing or of another shape (noted for
  /// finish()).
  TensorView tensor(const std::string& name, const Shape& expected) const;
  /// A matrix of weights [out, in] under its full name, in the format in which the checkpoint has it:
  /// quantised ones in planes are name (I8 or U8), name_scale and, for q4, name_min. Faults as tensor().
  WeightView weight(const std::string& name, LinearShape shape) const;
  /// NAME.weight [out, in] and, with Bias::yes, NAME.bias [out].
  LinearView linear(const std::string& name, LinearShape shape, Bias bias = Bias::no) const;
  /// NAME.weight [n] and NAME.bias [n].
  NormView norm(const std::string& name, int64_t n) const;
  /// What the modules run on.
  const kernels::Device& device() const { return binder_->device_; }
  /// In what products with these weights multiply.
  Arithmetic arithmetic() const;
  /// The same tensors, for modules that 8 bits serve badly: multiplied in bfloat16 where int8 is asked for.
  Scope without_int8() const;
  /// Whether the checkpoint has prefix + name (for choosing once, at load).
  bool has(const std::string& name) const;
  /// Whether the matrix `name` of this scope repeats `other_name` of `other`: the same type, shape and bytes,
  /// those of quantised planes too. Such a copy counts as used. Both have their data still.
  bool repeats(const std::string& name, const Scope& other, const std::string& other_name) const;

 private:
  Binder* binder_;
  std::string prefix_;
  bool without_int8_ = false;
};

}  // namespace galago
