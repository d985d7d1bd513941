// Idefics3 and SmolVLM: a SigLIP tower, pixel unshuffle, a Llama decoder; images cut into tiles, the whole
// image last. Reference: transformers 5.18 Idefics3ForConditionalGeneration, SmolVLMForConditionalGeneration
// and their processors.
#pragma once

#include <memory>

#include "models/frontend.h"

namespace galago {

std::unique_ptr<const Frontend> make_idefics3_frontend(std::shared_ptr<const ModelFiles> files,
                                                       Resizer resizer, kernels::SharedDevice device);
/// The same with the names of image tokens that a SmolVLM tokenizer may carry.
std::unique_ptr<const Frontend> make_smolvlm_frontend(std::shared_ptr<const ModelFiles> files,
                                                      Resizer resizer, kernels::SharedDevice device);

}  // namespace galago
