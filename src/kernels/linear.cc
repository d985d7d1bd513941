// Linear: checks the tensors of one layer and keeps them as views; only the bias becomes floats.
// In: a LinearView into a mapped checkpoint. Out: what Device::linear reads.
#include <string>

#include "galago/error.h"
#include "kernels/kernels.h"

namespace galago::kernels {

Linear::Linear(const LinearView& view) {
  const WeightView& weight = view.weight;
  if (!weight.values) return;
  const bool planes = !is_quantised(weight.format) || weight.in_panels() ||
                      (weight.scales && (weight.minimums != nullptr) == (weight.format == WeightFormat::q4));
  const bool groups = !is_quantised(weight.format) || weight.cols % kWeightGroup == 0;
  if (!planes || !groups || (view.bias.data && view.bias.shape != Shape{weight.rows}))
    throw Error(ErrorCode::internal,
                {.where = "kernels::Linear",
                 .got = std::string(to_string(weight.format)) + " weight " +
                        to_string(Shape{weight.rows, weight.cols}) + ", bias " + to_string(view.bias.shape),
                 .expected = "weight [out, in] with its planes, bias [out] or none"});
  weight_ = weight;
  arithmetic_ = view.arithmetic;
  if (view.bias.data) {
    bias_ = Tensor({weight.rows});
    to_floats(view.bias, bias_.data());
  }
}

}  // namespace galago::kernels
