// SigLIP and SigLIP2, alone: two towers, compared by a dot product.
// Reference: transformers 5.18 SiglipModel, Siglip2Model and their processors.
#pragma once

#include <memory>

#include "formats/config/config.h"
#include "models/dual_encoder.h"

namespace galago {

/// Reads settings, tokenizer and weights of a model for pictures of one size.
std::unique_ptr<const DualEncoder> make_siglip(std::shared_ptr<const ModelFiles> files, Resizer resizer,
                                               kernels::SharedDevice device);
/// The same of a model for pictures of any shape (NaFlex).
std::unique_ptr<const DualEncoder> make_siglip2(std::shared_ptr<const ModelFiles> files, Resizer resizer,
                                                kernels::SharedDevice device);

}  // namespace galago
