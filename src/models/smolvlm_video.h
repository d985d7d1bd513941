// Videos of SmolVLM: frames sampled at a steady rate, each one tile, told with their times in the prompt.
// Reference: transformers 5.18 SmolVLMVideoProcessor and SmolVLMProcessor.
#pragma once

#include <memory>

#include "formats/config/config.h"
#include "formats/model_files.h"
#include "models/video_frontend.h"
#include "text/prompt/image_prompt.h"

namespace galago {

/// The video part of a model whose processor is SmolVLMProcessor; null for others. Error{model_invalid} when
/// a frame's tile would have other patches than the tower's.
std::unique_ptr<const VideoFrontend> make_smolvlm_video(const ModelFiles& files, const Idefics3Config& model,
                                                        const ImageTokens& tokens,
                                                        const kernels::Device& device);

}  // namespace galago
