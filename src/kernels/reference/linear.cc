// The definition of the linear layer and its activations: y = activation(x W^T + b) * factor * scale
// + residual.
// In: rows of floats, weights [out, in] in any format. Out: rows of floats. Sums in double.
#include <cmath>
#include <vector>

#include "kernels/reference/reference.h"

namespace galago::kernels::reference {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double activate_exactly(Activation activation, double x) {
  constexpr double kSqrt2OverPi = 0.79788456080286535588;
  constexpr double kSqrtHalf = 0.70710678118654752440;
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(kSqrt2OverPi * (x + 0.044715 * x * x * x)));
    case Activation::gelu_erf:
      return 0.5 * x * (1 + std::erf(x * kSqrtHalf));
    case Activation::quick_gelu:
      return x * sigmoid(1.702 * x);
    case Activation::silu:
      return x * sigmoid(x);
    case Activation::relu:
      return x > 0 ? x : 0;
  }
  return x;
}

void linear_one(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue) {
  const int64_t in = layer.in_features();
  std::vector<float> weight(static_cast<size_t>(in));
  for (int64_t o = 0; o < layer.out_features(); ++o) {
    to_floats(layer.weight(), o, 0, in, weight.data());
    for (int64_t i = 0; i < x.rows; ++i) {
      double sum = layer.bias() ? layer.bias()[o] : 0;
      for (int64_t c = 0; c < in; ++c) sum += double{x.row(i)[c]} * double{weight[static_cast<size_t>(c)]};
      double value = activate_exactly(epilogue.activation, sum);
      if (epilogue.factor.data) value *= epilogue.factor.row(i)[o];
      value *= double{epilogue.scale};
      if (epilogue.residual.data) value += epilogue.residual.row(i)[o];
      y.row(i)[o] = static_cast<float>(value);
    }
  }
}

}  // namespace

float activate(Activation activation, float x) { return static_cast<float>(activate_exactly(activation, x)); }

void linear_each(ConstMatrix x, std::span<const Product> products) {
  for (const auto& [layer, y, epilogue] : products) linear_one(x, *layer, y, epilogue);
}

void feed_forward(ConstMatrix x, std::span<const Product> in, const Product& out) {
  reference::linear_each(x, in);
  reference::linear_each(in.back().y, {&out, 1});
}

}  // namespace galago::kernels::reference
