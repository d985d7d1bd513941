// The definition of the linear layer and its activations: y = activation(x W^T + b) * factor * scale
// + residual.
// In: rows of floats, weights [out, in] in any format. Out: rows of floats. Sums in double. With int8 both
// rows of a sum become whole numbers with a factor first: x_c ~ q_c f with f = max|x_c| / 127 and q_c = x_c *
// (127 / max|x_c|), rounded.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/int8_scale.h"
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

/// Numbers with what each of them is multiplied by in the end.
struct Numbers {
  std::vector<float> values;
  float factor = 1;

  Numbers(const float* row, int64_t count) : values(row, row + count) {}
  void make_int8() {
    float most = 0;
    bool finite = true;
    for (const float value : values) {
      most = std::max(most, std::abs(value));
      finite &= std::isfinite(value);
    }
    const Int8Scale scale = int8_scale(most, finite);
    factor = scale.factor;
    for (float& value : values) value = finite ? std::nearbyint(value * scale.inverse) : 0;
  }
};

double dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (size_t c = 0; c < a.values.size(); ++c) sum += double{a.values[c]} * double{b.values[c]};
  return sum * double{a.factor} * double{b.factor};
}

void linear_one(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue) {
  const int64_t in = layer.in_features();
  const bool int8 = layer.arithmetic() == Arithmetic::int8 && x.rows > kFewRows && in <= kMostInt8Columns;
  std::vector<Numbers> rows;
  for (int64_t i = 0; i < x.rows; ++i) {
    rows.emplace_back(x.row(i), in);
    if (int8) rows.back().make_int8();
  }
  std::vector<float> floats(static_cast<size_t>(in));
  for (int64_t o = 0; o < layer.out_features(); ++o) {
    to_floats(layer.weight(), o, 0, in, floats.data());
    Numbers weight(floats.data(), in);
    if (int8) weight.make_int8();
    for (int64_t i = 0; i < x.rows; ++i) {
      const double sum = dot(rows[static_cast<size_t>(i)], weight) + (layer.bias() ? layer.bias()[o] : 0);
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
