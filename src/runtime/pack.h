// Where text and image meet: image rows take the places of the image placeholders in the sequence.
// In: token ids [L], their embeddings [L, D], image rows [R, D]. Out: one sequence of rows [L, D].
// Reference: transformers 5.18 Idefics3Model.inputs_merger.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"
#include "kernels/kernels.h"

namespace galago {

/// How often the image token stands in ids.
int64_t count_placeholders(std::span<const int32_t> ids, int32_t image_token_id);

/// Overwrites row i of embeds with the next image row wherever ids[i] is the image token, in order; several
/// images are simply several runs of rows. With no placeholder and no image row nothing changes.
/// Error{input_invalid} naming both numbers when placeholders and rows differ, or widths differ.
void pack(std::span<const int32_t> ids, int32_t image_token_id, ConstMatrix image_rows, Matrix embeds,
          const kernels::Device& device);

}  // namespace galago
