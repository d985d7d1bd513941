// Idefics3 and SmolVLM: a SigLIP tower, pixel unshuffle, a Llama decoder; images cut into tiles, the whole
// image last. Reference: transformers 5.18 Idefics3ForConditionalGeneration, SmolVLMForConditionalGeneration
// and their processors.
#pragma once

#include <memory>

#include "io/safetensors.h"
#include "models/engine.h"
#include "models/frontend.h"

namespace galago {

std::unique_ptr<const Frontend> make_idefics3_frontend(ModelDirectory settings);
/// The same with the names of image tokens that a SmolVLM tokenizer may carry.
std::unique_ptr<const Frontend> make_smolvlm_frontend(ModelDirectory settings);
std::unique_ptr<const Engine> make_idefics3_engine(const Frontend& frontend, const Checkpoint& checkpoint);

}  // namespace galago
