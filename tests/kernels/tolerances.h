// How far a fast kernel may be from its scalar twin, in one table. The twin sums in double, so the difference
// is the fast kernel's rounding: |fast - twin| <= bound * size, where size is what the comment names.
#pragma once

namespace galago::kernels {

inline constexpr double kLinearBound = 4e-7;  ///< of |x| |W|^T + |b| + |residual|, summed over the columns
/// Of each group's largest |x| times the sizes of its weights: half a step of 16-bit integers, and rounding.
inline constexpr double kQuantisedBound = 1.6e-5;
inline constexpr double kGeluBound = 3e-7;           ///< of |x|, on top of the product's own bound
inline constexpr double kNormBound = 3e-6;           ///< of 1 + |twin|
inline constexpr double kAttentionBound = 3e-6;      ///< of the largest |value|
inline constexpr double kBf16AttentionBound = 2e-2;  ///< weights of 8 bits; values are below 5
inline constexpr double kInt8AttentionBound = 1e-1;  ///< queries and keys of 8 bits; values are below 5
inline constexpr double kRopeBound = 4e-7;           ///< of |a| + |b| of the pair

}  // namespace galago::kernels
