// Faults are collected, not thrown, so that one load names everything that does not fit.
#include "io/weights.h"

#include <algorithm>
#include <utility>

#include "core/printable.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr size_t kMostLines = 40;

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

}  // namespace

Scope Binder::root() { return {*this, ""}; }

void Binder::waive(std::string name_or_prefix) { waived_.push_back(std::move(name_or_prefix)); }

TensorView Binder::request(const std::string& name, const Shape& expected) {
  const bool first = used_.insert(name).second;
  const TensorView* view = checkpoint_.find(name);
  if (view && view->shape == expected && is_float(view->dtype)) return *view;
  std::string fault;
  if (!view)
    fault = "missing " + name + ", expected " + to_string(expected);
  else if (view->shape != expected)
    fault = "shape of " + name + ": got " + to_string(view->shape) + ", expected " + to_string(expected);
  else
    fault = "type of " + name + ": got " + to_string(view->dtype) + ", expected F32, F16 or BF16";
  // A tied weight is asked for twice; one line says it.
  if (first || std::find(faults_.begin(), faults_.end(), fault) == faults_.end()) faults_.push_back(fault);
  return {DType::f32, expected, nullptr};
}

void Binder::finish(const std::string& where) const {
  const auto waived = [&](const std::string& name) {
    return std::any_of(waived_.begin(), waived_.end(), [&](const std::string& rule) {
      return rule == name || (rule.ends_with('.') && name.starts_with(rule));
    });
  };
  std::vector<std::string> lines = faults_;
  for (const auto& [name, view] : checkpoint_.tensors())
    if (!used_.contains(name) && !waived(name))
      lines.push_back("unused " + printable(name) + " " + to_string(view.shape));
  if (lines.empty()) return;

  std::string list =
      std::to_string(lines.size()) + (lines.size() == 1 ? " fault" : " faults") + " in the weights";
  for (size_t i = 0; i < std::min(lines.size(), kMostLines); ++i) list += "\n  " + lines[i];
  if (lines.size() > kMostLines) list += "\n  and " + std::to_string(lines.size() - kMostLines) + " more";
  throw Error(ErrorCode::model_invalid,
              {.where = where, .got = list + "\n", .expected = "the tensors that config.json describes"});
}

Scope Scope::sub(const std::string& name) const { return {*binder_, prefix_ + name + "."}; }

Scope Scope::sub(const std::string& name, int64_t index) const {
  return sub(name).sub(std::to_string(index));
}

TensorView Scope::tensor(const std::string& name, const Shape& expected) const {
  return binder_->request(prefix_ + name, expected);
}

LinearView Scope::linear(const std::string& name, LinearShape shape, Bias bias) const {
  LinearView view;
  view.weight = tensor(name + ".weight", {shape.out, shape.in});
  if (bias == Bias::yes) view.bias = tensor(name + ".bias", {shape.out});
  return view;
}

NormView Scope::norm(const std::string& name, int64_t n) const {
  return {tensor(name + ".weight", {n}), tensor(name + ".bias", {n})};
}

bool Scope::has(const std::string& name) const {
  return binder_->checkpoint_.find(prefix_ + name) != nullptr;
}

}  // namespace galago
