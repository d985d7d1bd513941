// The two ways to multiply rows by weights: packed weights through oneDNN (many rows, bound by arithmetic)
// and weights as they lie in the checkpoint (few rows, bound by reading them).
#pragma once

#include <mutex>

#include "kernels/kernels.h"

namespace galago::kernels {

/// The packed copy of one layer's weights, made by the first product of many rows.
struct Linear::Prepared {
  std::once_flag once;
  Tensor packed;  ///< in oneDNN's order for [in, out]
};

namespace cpu {

/// Linear with an epilogue whose residual is y itself or none; Error{internal} or Error{resource} from
/// oneDNN.
void many_row_product(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue);

/// The same for at most kFewRows rows and any residual.
void few_row_product(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue);
inline constexpr int64_t kFewRows = 8;
/// Outputs that few_row_product finishes together; also what one thread takes at least.
inline constexpr int64_t kOutputBlock = 16;

/// The instruction set that Highway chose, e.g. "AVX3".
const char* simd_name();
/// "2.6.3"
const char* onednn_version();

}  // namespace cpu
}  // namespace galago::kernels
