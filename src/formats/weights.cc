// Faults are collected, not thrown, so that one load names everything that does not fit.
#include "formats/weights.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "core/fault_list.h"
#include "core/printable.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr std::array kFloats = {DType::f32, DType::f16, DType::bf16};
constexpr std::array kHalf = {DType::f16};

/// Buffers that the reference computes anew and does not look for: older versions saved them.
bool is_buffer(const std::string& name) {
  constexpr std::array<std::string_view, 4> kBuffers = {"rotary_emb.inv_freq", "rotary_emb.cos_cached",
                                                        "rotary_emb.sin_cached", "position_ids"};
  return std::any_of(kBuffers.begin(), kBuffers.end(), [&](std::string_view buffer) {
    return name.ends_with(buffer) &&
           (name.size() == buffer.size() || name[name.size() - buffer.size() - 1] == '.');
  });
}

[[noreturn]] void refuse(const std::vector<std::string>& lines, const std::string& where,
                         const std::string& hint) {
  throw Error(ErrorCode::model_invalid, {.where = where,
                                         .got = fault_list(lines, "in the weights"),
                                         .expected = "the tensors that config.json describes",
                                         .hint = hint});
}

/// Both absent, or equal to the byte.
bool same_tensor(const Checkpoint& checkpoint, const std::string& one, const std::string& other) {
  const TensorView *a = checkpoint.find(one), *b = checkpoint.find(other);
  if (!a || !b) return a == b;
  return a->dtype == b->dtype && a->shape == b->shape &&
         std::memcmp(checkpoint.read(one).data, checkpoint.read(other).data,
                     static_cast<size_t>(a->count() * size_of(a->dtype))) == 0;
}

}  // namespace

Scope Binder::root() { return {*this, ""}; }

void Binder::waive(std::string name_or_prefix) { waived_.push_back(std::move(name_or_prefix)); }

void Binder::fault(std::string text) {
  // A tied weight is asked for twice; one line says it.
  if (std::find(faults_.begin(), faults_.end(), text) == faults_.end()) faults_.push_back(std::move(text));
}

const std::byte* Binder::take(const std::string& name, const Shape& expected, std::span<const DType> types) {
  used_.insert(name);
  const TensorView* view = checkpoint_.find(name);
  if (!view && first_missing_.empty()) first_missing_ = name;
  if (!view)
    fault("missing " + name + ", expected " + to_string(expected));
  else if (view->shape != expected)
    fault("shape of " + name + ": got " + to_string(view->shape) + ", expected " + to_string(expected));
  else if (std::find(types.begin(), types.end(), view->dtype) == types.end())
    fault("type of " + name + ": got " + to_string(view->dtype) + ", expected " + listed(types));
  else
    return checkpoint_.read(name).data;
  return nullptr;
}

TensorView Binder::request(const std::string& name, const Shape& expected) {
  const std::byte* data = take(name, expected, kFloats);
  return {data ? checkpoint_.find(name)->dtype : DType::f32, expected, data};
}

WeightView Binder::request_weight(const std::string& name, LinearShape shape) {
  const WeightView stored = stored_weight(name, shape);
  const auto& convert = checkpoint_.converter();
  if (!stored.values || !convert) return stored;
  const WeightView converted = convert(name, stored);
  // What was read has done its work: the two never are in memory together as a whole.
  if (converted.values != stored.values)
    for (const std::string& tensor : {name, name + kScaleSuffix, name + kMinimumSuffix})
      if (checkpoint_.find(tensor)) checkpoint_.forget(tensor);
  return converted;
}

WeightView Binder::one_tensor(const std::string& name, WeightView matrix, LinearShape shape) {
  used_.insert(name);
  const Shape own{matrix.rows, matrix.cols}, expected{shape.out, shape.in};
  if (own != expected)
    fault("shape of " + name + ": got " + to_string(own) + ", expected " + to_string(expected));
  else
    matrix.values = checkpoint_.read(name).data;
  return matrix;
}

WeightView Binder::stored_weight(const std::string& name, LinearShape shape) {
  if (const WeightView* matrix = checkpoint_.matrix(name)) return one_tensor(name, *matrix, shape);
  const TensorView* view = checkpoint_.find(name);
  const DType dtype = view ? view->dtype : DType::f32;
  if (dtype != DType::i8 && dtype != DType::u8) return request(name, {shape.out, shape.in});
  WeightView weight(dtype == DType::i8 ? WeightFormat::q8 : WeightFormat::q4, shape.out, shape.in);
  if (shape.in % kWeightGroup != 0) {
    used_.insert({name, name + kScaleSuffix, name + kMinimumSuffix});
    fault(name + ": quantised rows of " + std::to_string(shape.in) + ", expected a multiple of " +
          std::to_string(kWeightGroup));
    return weight;
  }
  const Shape planes{shape.out, shape.in / kWeightGroup};
  const bool q4 = weight.format == WeightFormat::q4;
  const std::byte* values = take(name, {shape.out, q4 ? shape.in / 2 : shape.in}, {{dtype}});
  weight.scales = take(name + kScaleSuffix, planes, kHalf);
  if (q4) weight.minimums = take(name + kMinimumSuffix, planes, kHalf);
  if (weight.scales && (!q4 || weight.minimums)) weight.values = values;
  return weight;
}

std::vector<std::string> Binder::unused() const {
  const auto waived = [&](const std::string& name) {
    return std::any_of(waived_.begin(), waived_.end(), [&](const std::string& rule) {
      return rule == name || (rule.ends_with('.') && name.starts_with(rule));
    });
  };
  std::vector<std::string> unused;
  for (const auto& [name, view] : checkpoint_.tensors())
    if (!used_.contains(name) && !waived(name) && !is_buffer(name))
      unused.push_back(printable(name) + " " + to_string(view.shape));
  return unused;
}

// A tensor that is missing under its own name, and there under a longer one: what the others begin with, too.
std::string Binder::strange_prefix() const {
  if (first_missing_.empty()) return {};
  for (const auto& [name, view] : checkpoint_.tensors()) {
    if (!name.ends_with("." + first_missing_)) continue;
    const std::string prefix = name.substr(0, name.size() - first_missing_.size());
    const auto begins = [&](const auto& tensor) { return tensor.first.starts_with(prefix); };
    const bool all = std::all_of(checkpoint_.tensors().begin(), checkpoint_.tensors().end(), begins);
    return (all ? "every name begins with " : "some names begin with ") + in_quotes(prefix) +
           ", which is no prefix that galago knows";
  }
  return {};
}

std::vector<std::string> Binder::finish(const std::string& where) const {
  std::vector<std::string> left = unused();
  if (faults_.empty()) return left;
  std::vector<std::string> lines = faults_;
  for (const std::string& name : left) lines.push_back("unused " + name);
  refuse(lines, where, strange_prefix());
}

std::vector<std::string> unused_warnings(const std::vector<std::string>& unused, bool strict,
                                         const std::string& where) {
  constexpr size_t kShown = 3;
  if (unused.empty()) return {};
  if (strict) {
    std::vector<std::string> lines;
    for (const std::string& name : unused) lines.push_back("unused " + name);
    refuse(lines, where, {});
  }
  std::string text =
      std::to_string(unused.size()) + (unused.size() == 1 ? " tensor is" : " tensors are") + " not used: ";
  for (size_t i = 0; i < std::min(unused.size(), kShown); ++i) text += (i > 0 ? ", " : "") + unused[i];
  return {where + ": " + text + (unused.size() > kShown ? ", ..." : "")};
}

Scope Scope::sub(const std::string& name) const {
  Scope inner = *this;
  inner.prefix_ += name + ".";
  return inner;
}

Scope Scope::sub(const std::string& name, int64_t index) const {
  return sub(name).sub(std::to_string(index));
}

TensorView Scope::tensor(const std::string& name, const Shape& expected) const {
  return binder_->request(prefix_ + name, expected);
}

WeightView Scope::weight(const std::string& name, LinearShape shape) const {
  return binder_->request_weight(prefix_ + name, shape);
}

LinearView Scope::linear(const std::string& name, LinearShape shape, Bias bias) const {
  LinearView view;
  view.weight = weight(name + ".weight", shape);
  view.arithmetic = arithmetic();
  if (bias == Bias::yes) view.bias = tensor(name + ".bias", {shape.out});
  return view;
}

NormView Scope::norm(const std::string& name, int64_t n) const {
  return {tensor(name + ".weight", {n}), tensor(name + ".bias", {n})};
}

Arithmetic Scope::arithmetic() const {
  const Arithmetic asked = binder_->checkpoint_.arithmetic();
  return without_int8_ && asked == Arithmetic::int8 ? Arithmetic::bf16 : asked;
}

Scope Scope::without_int8() const {
  Scope same = *this;
  same.without_int8_ = true;
  return same;
}

bool Scope::repeats(const std::string& name, const Scope& other, const std::string& other_name) const {
  const Checkpoint& checkpoint = binder_->checkpoint_;
  std::vector<std::string> planes;
  for (const char* plane : {"", kScaleSuffix, kMinimumSuffix}) {
    const std::string copy = prefix_ + name + plane;
    if (!same_tensor(checkpoint, copy, other.prefix_ + other_name + plane)) return false;
    planes.push_back(copy);
  }
  for (const std::string& copy : planes) {
    binder_->used_.insert(copy);
    if (checkpoint.find(copy)) checkpoint.forget(copy);
  }
  return true;
}

bool Scope::has(const std::string& name) const {
  return binder_->checkpoint_.find(prefix_ + name) != nullptr;
}

}  // namespace galago
