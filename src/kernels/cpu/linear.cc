// The fast linear layer: chooses the product by the number of rows and the weights' layout.
// In: rows x [n, in]. Out: rows y [n, out] with the epilogue applied.
#include <algorithm>
#include <string>

#include "kernels/cpu/amx.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/instructions.h"
#include "kernels/cpu/products.h"

namespace galago::kernels::cpu {
namespace {

/// Whether products of few rows can read the weights where they lie: floats, and panels.
bool can_be_few(const Product& product) {
  const WeightView& weight = product.layer->weight();
  return !is_quantised(weight.format) || weight.in_panels();
}

bool are_few(ConstMatrix x, std::span<const Product> products) {
  return x.rows <= kFewRows && std::ranges::all_of(products, can_be_few);
}

}  // namespace

void linear_each(Pool& pool, const Ways& ways, ConstMatrix x, std::span<const Product> products) {
  if (are_few(x, products))
    few_row_products(pool, ways, x, products);
  else
    many_row_products(pool, ways, x, products);
}

void feed_forward(Pool& pool, const Ways& ways, ConstMatrix x, std::span<const Product> in,
                  const Product& out) {
  if (x.rows > kFewRows) return many_row_feed_forward(pool, ways, x, in, out);
  cpu::linear_each(pool, ways, x, in);
  cpu::linear_each(pool, ways, in.back().y, {&out, 1});
}

std::string name() {
  const std::string cap = cap_word();
  return std::string("cpu: ") + simd_name() + (has_bf16_products() ? "+BF16" : "") +
         (has_amx() ? "+AMX" : "") + (cap.empty() ? "" : std::string(" (") + kCapVariable + "=" + cap + ")");
}

}  // namespace galago::kernels::cpu
