// Linear: checks the tensors of one layer and keeps them as the device has prepared them.
// In: a LinearView into a mapped checkpoint. Out: what Device::linear reads.
#include <string>
#include <utility>

#include "galago/error.h"
#include "kernels/kernels.h"

namespace galago::kernels {

namespace {

[[noreturn]] void refuse(const WeightView& weight, const TensorView& bias) {
  throw Error(ErrorCode::internal,
              {.where = "kernels::Linear",
               .got = std::string(to_string(weight.format)) + " weight " +
                      to_string(Shape{weight.rows, weight.cols}) + ", bias " + to_string(bias.shape),
               .expected = "weight [out, in] with its planes, bias [out] or none"});
}

bool is_whole(const WeightView& weight) {
  if (!is_quantised(weight.format)) return true;
  const bool planes = !weight.in_planes() ||
                      (weight.scales && (weight.minimums != nullptr) == (weight.format == WeightFormat::q4));
  return planes && weight.cols % kWeightGroup == 0;
}

}  // namespace

Linear::Linear(const LinearView& view, const Device& device) {
  if (view.weight.values && !is_whole(view.weight)) refuse(view.weight, view.bias);
  *this = Linear(device.prepare(view.weight), view.bias, view.arithmetic, device);
}

Linear::Linear(Weight weight, const TensorView& bias, Arithmetic arithmetic, const Device& device) {
  if (!weight.view.values) return;
  if (!is_whole(weight.view) || (bias.data && bias.shape != Shape{weight.view.rows}))
    refuse(weight.view, bias);
  bias_ = device.prepare(bias);
  weight_ = std::move(weight);
  arithmetic_ = arithmetic;
  if (arithmetic != Arithmetic::int8) return;
  row_sizes_ = std::make_unique<std::atomic<float>[]>(static_cast<size_t>(out_features()));
  for (int64_t r = 0; r < out_features(); ++r) row_sizes_[static_cast<size_t>(r)] = -1;
}

}  // namespace galago::kernels
