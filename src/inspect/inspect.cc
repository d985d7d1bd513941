// Sums tensors by prefix; only the header's shapes are read.
#include "inspect/inspect.h"

#include <algorithm>
#include <map>

#include "formats/weights.h"

namespace galago {
namespace {

/// Scales and minimums of a quantised matrix.
bool is_plane(const std::string& name) {
  return name.ends_with(kScaleSuffix) || name.ends_with(kMinimumSuffix);
}

/// Weights in a tensor: a q4 in planes has two to a byte, its scales and minimums are none.
int64_t weights_in(const Checkpoint& checkpoint, const std::string& name, const TensorView& view) {
  if (const WeightView* matrix = checkpoint.matrix(name)) return matrix->rows * matrix->cols;
  if (is_plane(name)) return 0;
  return view.count() * (view.dtype == DType::u8 ? 2 : 1);
}

/// As config.json calls it; null for what is no type of weights.
const char* type_name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float32";
    case DType::f16:
      return "float16";
    case DType::bf16:
      return "bfloat16";
    case DType::i8:
      return "q8";
    case DType::u8:
      return "q4";
    default:
      return nullptr;
  }
}

}  // namespace

StoredTypes stored_types(const Checkpoint& checkpoint) {
  std::map<std::string, int64_t> counts;
  for (const auto& [name, view] : checkpoint.tensors()) {
    const WeightView* matrix = checkpoint.matrix(name);
    const char* type = matrix ? to_string(matrix->format) : type_name(view.dtype);
    if (type && view.shape.size() > 1 && !is_plane(name)) ++counts[type];
  }
  StoredTypes types{.name = {}, .matrices = {counts.begin(), counts.end()}};
  std::stable_sort(types.matrices.begin(), types.matrices.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (!types.matrices.empty()) types.name = types.matrices.front().first;
  for (const char* quantised : {"q8", "q4"})
    if (counts.contains(quantised)) types.name = quantised;
  return types;
}

std::vector<ModuleSize> inspect(const Frontend& frontend, const Checkpoint& checkpoint) {
  std::vector<ModuleSize> rows;
  for (ModuleShape& shape : frontend.modules()) rows.push_back({.shape = std::move(shape)});
  rows.push_back({.shape = {.name = "other", .input = {}, .output = {}, .prefixes = {""}}});
  for (const auto& tensor : checkpoint.tensors()) {
    const std::string& name = tensor.first;
    const TensorView& view = tensor.second;
    const auto owner = std::find_if(rows.begin(), rows.end(), [&](const ModuleSize& row) {
      return std::any_of(row.shape.prefixes.begin(), row.shape.prefixes.end(),
                         [&](const std::string& prefix) { return name.starts_with(prefix); });
    });
    owner->tensors += 1;
    owner->parameters += weights_in(checkpoint, name, view);
    owner->bytes += view.count() * size_of(view.dtype);
  }
  if (rows.back().tensors == 0) rows.pop_back();
  return rows;
}

}  // namespace galago
