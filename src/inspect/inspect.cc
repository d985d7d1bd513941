// Sums tensors by prefix; only the header's shapes are read.
#include "inspect/inspect.h"

#include <algorithm>

#include "formats/weights.h"

namespace galago {

std::vector<StationSize> inspect(const Frontend& frontend, const Checkpoint& checkpoint) {
  std::vector<StationSize> rows;
  for (StationShape& shape : frontend.stations()) rows.push_back({.shape = std::move(shape)});
  rows.push_back({.shape = {.name = "other", .input = {}, .output = {}, .prefixes = {""}}});
  for (const auto& tensor : checkpoint.tensors()) {
    const std::string& name = tensor.first;
    const TensorView& view = tensor.second;
    const auto owner = std::find_if(rows.begin(), rows.end(), [&](const StationSize& row) {
      return std::any_of(row.shape.prefixes.begin(), row.shape.prefixes.end(),
                         [&](const std::string& prefix) { return name.starts_with(prefix); });
    });
    owner->tensors += 1;
    // A quantised matrix has two weights in a byte of q4; its scales and minimums are none.
    const bool plane = name.ends_with(kScaleSuffix) || name.ends_with(kMinimumSuffix);
    if (!plane) owner->parameters += view.count() * (view.dtype == DType::u8 ? 2 : 1);
    owner->bytes += view.count() * size_of(view.dtype);
  }
  if (rows.back().tensors == 0) rows.pop_back();
  return rows;
}

}  // namespace galago
