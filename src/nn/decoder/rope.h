// The rotary frequencies of a config. In: theta, head width, scaling. Out: one angle per position step and
// pair. Reference: transformers 5.18 modeling_rope_utils.py.
#pragma once

#include <vector>

#include "formats/config/config.h"

namespace galago {

/// inv_freq[j] = theta^(-2j/head_dim), j < head_dim/2, changed as rope_type asks. Error{model_unsupported}
/// for others, and for divisors that are not one for each pair.
std::vector<float> rope_inverse_frequencies(const RopeConfig& rope, int64_t head_dim);
/// The same in texts of more than rope.original_max_position_embeddings; empty: the same ones.
std::vector<float> rope_long_frequencies(const RopeConfig& rope, int64_t head_dim);

}  // namespace galago
