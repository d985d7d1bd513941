// Linear: checks the tensors of one layer and keeps them as views; only the bias becomes floats.
// In: a LinearView into a mapped checkpoint. Out: what kernels::linear reads.
#include <string>

#include "galago/error.h"
#include "kernels/cpu/cpu.h"
#include "kernels/kernels.h"

namespace galago::kernels {

Linear::Linear(const LinearView& view) {
  if (!view.weight.data) return;
  const Shape& shape = view.weight.shape;
  const DType dtype = view.weight.dtype;
  if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16)
    throw Error(ErrorCode::model_unsupported, {.where = "weights of a linear layer",
                                               .got = std::string("dtype ") + to_string(dtype),
                                               .expected = "F32, F16 or BF16"});
  if (shape.size() != 2 || (view.bias.data && view.bias.shape != Shape{shape[0]}))
    throw Error(ErrorCode::internal,
                {.where = "kernels::Linear",
                 .got = "weight " + to_string(shape) + ", bias " + to_string(view.bias.shape),
                 .expected = "weight [out, in], bias [out] or none"});
  out_ = shape[0];
  in_ = shape[1];
  weight_ = view.weight;
  if (view.bias.data) {
    bias_ = Tensor({out_});
    to_floats(view.bias, bias_.data());
  }
  prepared_ = cpu::make_prepared();
}

}  // namespace galago::kernels
