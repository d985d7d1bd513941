// See the header; each function is one step of docs/architecture.md.
#include "runtime/pipeline.h"

#include <algorithm>

#include "core/limits.h"
#include "galago/error.h"
#include "runtime/options.h"
#include "runtime/pack.h"

namespace galago {

namespace {

// A tokenizer may know tokens that the model has no row for.
void check_vocabulary(const Frontend& frontend, std::span<const int32_t> ids) {
  const int64_t rows = frontend.config().text.vocab_size;
  for (const int32_t id : ids)
    if (id >= rows)
      throw Error(ErrorCode::model_invalid,
                  {.where = "tokenizer.json",
                   .got = "token id " + std::to_string(id),
                   .expected = "below the vocab_size of config.json, " + std::to_string(rows)});
}

void check_count(const char* where, size_t count, int most) {
  if (count > static_cast<size_t>(most))
    throw Error(
        ErrorCode::input_too_large,
        {.where = where, .got = std::to_string(count), .expected = "at most " + std::to_string(most)});
}

}  // namespace

PlannedPrompt plan_prompt(const Frontend& frontend, const PromptText& text, std::span<const ImageSize> sizes,
                          std::optional<bool> split, std::span<const VideoFacts> videos,
                          std::span<const std::optional<bool>> own_split) {
  check_count("images in one prompt", sizes.size(), limits::kImagesPerPrompt);
  check_count("videos in one prompt", videos.size(), limits::kVideosPerPrompt);
  PlannedPrompt plan;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const std::optional<bool> own = i < own_split.size() && own_split[i] ? own_split[i] : split;
    ImagePlan& image = plan.images.emplace_back(frontend.plan(sizes[i], own));
    image.split = own;
    plan.tiles += image.tiles;
  }
  for (const VideoFacts& video : videos) {
    plan.videos.push_back(frontend.require_video().plan(video));
    plan.tiles += static_cast<int64_t>(plan.videos.back().frames.size());
  }
  plan.ids = frontend.prompt_ids(text, plan.images, plan.videos);
  check_vocabulary(frontend, plan.ids);
  plan.image_tokens = count_placeholders(plan.ids, static_cast<int32_t>(frontend.config().image_token_id));
  token_budget(static_cast<int64_t>(plan.ids.size()), frontend.config().text.max_position_embeddings, 1);
  return plan;
}

Tensor pack_prompt(const Frontend& frontend, const Engine& engine, std::span<const int32_t> ids,
                   std::span<const ConstMatrix> image_rows) {
  const Decoder& decoder = engine.decoder();
  const int64_t width = decoder.config().hidden_size;
  int64_t count = 0;
  for (const ConstMatrix& rows : image_rows) count += rows.rows;
  const kernels::Device& device = decoder.device();
  Tensor all({count, width}, device.memory());
  int64_t next = 0;
  for (const ConstMatrix& rows : image_rows) {
    device.copy(rows, all.matrix().slice_rows(next, rows.rows));
    next += rows.rows;
  }
  Tensor embeds({static_cast<int64_t>(ids.size()), width}, device.memory());  // [L, D]
  decoder.embed(ids, embeds.matrix());
  pack(ids, static_cast<int32_t>(frontend.config().image_token_id), all.matrix(), embeds.matrix(), device);
  return embeds;
}

TokenRules token_rules(const Frontend& frontend) {
  return {.model = frontend.generation().rules, .end_ids = frontend.generation().eos_token_id};
}

}  // namespace galago
