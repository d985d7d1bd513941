// See the header: counts first, then copies.
#include "runtime/pack.h"

#include <algorithm>
#include <string>

#include "galago/error.h"

namespace galago {

int64_t count_placeholders(std::span<const int32_t> ids, int32_t image_token_id) {
  return std::count(ids.begin(), ids.end(), image_token_id);
}

void pack(std::span<const int32_t> ids, int32_t image_token_id, ConstMatrix image_rows, Matrix embeds,
          const kernels::Device& device) {
  if (static_cast<int64_t>(ids.size()) != embeds.rows)
    throw Error(ErrorCode::internal, {.where = "pack: embeddings",
                                      .got = std::to_string(embeds.rows) + " rows",
                                      .expected = std::to_string(ids.size())});
  const int64_t placeholders = count_placeholders(ids, image_token_id);
  if (placeholders != image_rows.rows)
    throw Error(ErrorCode::input_invalid,
                {.where = "pack: image placeholders",
                 .got = std::to_string(placeholders) + " placeholders in the prompt",
                 .expected = std::to_string(image_rows.rows) + ", one for each image row"});
  if (placeholders > 0 && image_rows.cols != embeds.cols)
    throw Error(ErrorCode::input_invalid,
                {.where = "pack: width of image rows",
                 .got = std::to_string(image_rows.cols),
                 .expected = std::to_string(embeds.cols) + ", the text model's width"});
  int64_t next = 0;
  for (int64_t i = 0, end; i < embeds.rows; i = end) {
    const bool image = ids[static_cast<size_t>(i)] == image_token_id;
    for (end = i + 1; end < embeds.rows; ++end)  // a run of placeholders, or of other ids
      if ((ids[static_cast<size_t>(end)] == image_token_id) != image) break;
    if (!image) continue;
    device.copy(image_rows.slice_rows(next, end - i), embeds.slice_rows(i, end - i));
    next += end - i;
  }
}

}  // namespace galago
