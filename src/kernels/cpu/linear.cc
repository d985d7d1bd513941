// The fast linear layer: chooses the product by the number of rows.
// In: rows x [n, in]. Out: rows y [n, out] with the epilogue applied.
#include <string>

#include "kernels/cpu/bf16.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/products.h"

namespace galago::kernels::cpu {

void linear_each(ConstMatrix x, std::span<const Product> products) {
  if (x.rows <= kFewRows)
    few_row_products(x, products);
  else
    many_row_products(x, products);
}

void feed_forward(ConstMatrix x, std::span<const Product> in, const Product& out) {
  if (x.rows > kFewRows) return many_row_feed_forward(x, in, out);
  few_row_products(x, in);
  few_row_products(in.back().y, {&out, 1});
}

const char* name() {
  static const std::string text = std::string("cpu: ") + simd_name() + (has_bf16_products() ? "+BF16" : "");
  return text.c_str();
}

}  // namespace galago::kernels::cpu
