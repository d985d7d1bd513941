// The rotary frequencies of a config. In: theta, head width, scaling. Out: one angle per position step and
// pair. Reference: transformers 5.18 modeling_rope_utils.py (default, linear, llama3,
// longrope whose lists do not depend on the text's length).
#pragma once

#include <vector>

#include "io/config.h"

namespace galago {

/// inv_freq[j] = theta^(-2j/head_dim), j < head_dim/2, changed as rope_type asks. Error{model_unsupported}
/// for others.
std::vector<float> rope_inverse_frequencies(const RopeConfig& rope, int64_t head_dim);

}  // namespace galago
