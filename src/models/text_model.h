// A text model alone: a Llama-like decoder behind its tokenizer, no tower. It answers a question, or
// continues a text where there is no chat template or none is wanted. Reference: transformers 5.18
// LlamaForCausalLM, MistralForCausalLM, GraniteForCausalLM.
#pragma once

#include <memory>

#include "models/frontend.h"

namespace galago {

std::unique_ptr<const Frontend> make_text_frontend(std::shared_ptr<const ModelFiles> files, Resizer resizer,
                                                   kernels::SharedDevice device);

}  // namespace galago
