// The fast linear layer: chooses the product by the number of rows.
// In: rows x [n, in]. Out: rows y [n, out] with the epilogue applied.
#include <cstring>
#include <string>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/products.h"

namespace galago::kernels::cpu {
namespace {

void copy_rows(ConstMatrix from, Matrix to) {
  parallel_for(to.rows, to.cols, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      std::memcpy(to.row(i), from.row(i), static_cast<size_t>(to.cols) * sizeof(float));
  });
}

}  // namespace

std::shared_ptr<Linear::Prepared> make_prepared() { return std::make_shared<Linear::Prepared>(); }

void linear(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue) {
  if (x.rows <= kFewRows) {
    few_row_product(x, layer, y, epilogue);
    return;
  }
  if (epilogue.residual.data && epilogue.residual.data != y.data) copy_rows(epilogue.residual, y);
  many_row_product(x, layer, y, epilogue);
}

const char* name() {
  static const std::string text = std::string("cpu: oneDNN ") + onednn_version() + ", " + simd_name();
  return text.c_str();
}

}  // namespace galago::kernels::cpu
