// model_type llava_next: LLaVA-1.6 and Granite Vision. A SigLIP or CLIP tower whose chosen layers are tapped,
// an MLP projector, any-resolution tiles, and a Llama, Mistral or Granite decoder; config.json picks each.
// Reference: transformers 5.18 modeling_llava_next.py, processing_llava_next.py.
#pragma once

#include <memory>

#include "models/frontend.h"

namespace galago {

std::unique_ptr<const Frontend> make_llava_next_frontend(std::shared_ptr<const ModelFiles> files,
                                                         Resizer resizer, kernels::SharedDevice device);

}  // namespace galago
