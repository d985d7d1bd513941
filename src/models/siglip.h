// SigLIP and SigLIP2 at a fixed resolution, alone: two towers, compared by a dot product.
// Reference: transformers 5.18 SiglipModel, SiglipProcessor.
#pragma once

#include <memory>

#include "formats/config/config.h"
#include "models/dual_encoder.h"

namespace galago {

/// Reads settings, tokenizer and weights.
std::unique_ptr<const DualEncoder> make_siglip(std::shared_ptr<const ModelFiles> files, Resizer resizer);

}  // namespace galago
