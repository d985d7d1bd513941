// The text tower's forward pass; shapes at the right edge. See the header for sources.
#include "nn/vision/siglip_text.h"

#include <algorithm>
#include <string>

#include "galago/error.h"

namespace galago {
namespace {

EncoderShape text_shape(const SiglipTextConfig& config) {
  return {.hidden_size = config.hidden_size,
          .intermediate_size = config.intermediate_size,
          .num_hidden_layers = config.num_hidden_layers,
          .num_attention_heads = config.num_attention_heads,
          .layer_norm_eps = config.layer_norm_eps,
          .activation = activation_from_name(config.hidden_act, "config.json: text_config.hidden_act")};
}

}  // namespace

SiglipTextTower::SiglipTextTower(const SiglipTextConfig& config, const Scope& scope)
    : config_(config),
      encoder_(text_shape(config), scope.sub("encoder")),
      final_layer_norm_(scope.norm("final_layer_norm", config.hidden_size), config.layer_norm_eps,
                        scope.device()),
      head_(scope.linear("head", {config.projection_size, config.hidden_size}, Bias::yes), scope.device()) {
  const Scope embeddings = scope.sub("embeddings");
  token_embedding_ = scope.device().prepare(
      embeddings.sub("token_embedding").weight("weight", {config.vocab_size, config.hidden_size}));
  position_embedding_ =
      scope.device().prepare(embeddings.sub("position_embedding")
                                 .tensor("weight", {config.max_position_embeddings, config.hidden_size}));
}

void SiglipTextTower::check_ids(std::span<const int32_t> ids, int64_t count,
                                std::span<const uint8_t> key_mask) const {
  const auto all = static_cast<int64_t>(ids.size());
  if (count < 1 || all < count || all % count != 0 || all / count > config_.max_position_embeddings)
    throw Error(ErrorCode::input_invalid,
                {.where = "text tower input",
                 .got = std::to_string(all) + " ids for " + std::to_string(count) + " texts",
                 .expected = "texts of one length, 1 to " + std::to_string(config_.max_position_embeddings)});
  for (const int32_t id : ids)
    if (id < 0 || id >= config_.vocab_size)
      throw Error(ErrorCode::input_invalid, {.where = "text tower input",
                                             .got = "id " + std::to_string(id),
                                             .expected = "0.." + std::to_string(config_.vocab_size - 1)});
  if (key_mask.empty()) return;
  const auto size = static_cast<std::ptrdiff_t>(all / count);
  if (std::ssize(key_mask) != all)
    throw Error(ErrorCode::input_invalid, {.where = "text tower mask",
                                           .got = std::to_string(key_mask.size()) + " bytes",
                                           .expected = std::to_string(all) + ", one for each id"});
  for (auto text = key_mask.begin(); text != key_mask.end(); text += size)
    if (std::all_of(text, text + size, [](uint8_t seen) { return seen == 0; }))
      throw Error(ErrorCode::input_invalid, {.where = "text tower input",
                                             .got = "a text without ids, all of it padding that is masked",
                                             .expected = "at least one id"});
}

Tensor SiglipTextTower::forward(std::span<const int32_t> ids, int64_t count,
                                std::span<const uint8_t> key_mask, Workspace& workspace) const {
  check_ids(ids, count, key_mask);
  Workspace::Frame frame(workspace);
  const kernels::Device& device = workspace.device();
  const auto rows = static_cast<int64_t>(ids.size());
  const int64_t length = rows / count;
  const Matrix x = workspace.matrix(rows, config_.hidden_size);  // [count*L, C]
  device.gather_rows(token_embedding_.view, ids, x);
  for (int64_t t = 0; t < count; ++t)
    device.add(position_embedding_.matrix().slice_rows(0, length), x.slice_rows(t * length, length));
  encoder_.forward(x, count, key_mask, workspace);

  // Only the last row of each text is asked for, and the norm works row by row.
  const ConstMatrix last(x.row(length - 1), count, x.cols, length * x.cols);
  const Matrix normed = workspace.matrix(count, x.cols);  // [count, C]
  final_layer_norm_.forward(last, normed, device);
  Tensor pooled({count, config_.projection_size}, device.memory());
  device.linear(normed, head_, pooled.matrix());  // [count, projection]
  return pooled;
}

}  // namespace galago
