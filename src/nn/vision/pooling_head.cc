// The pooling head's forward pass; shapes at the right edge. See the header for sources.
#include "nn/vision/pooling_head.h"

#include <bit>
#include <cmath>
#include <vector>

namespace galago {
namespace {

// Elements [begin, begin + count) of a vector; a view without data stays one.
TensorView part_of(const TensorView& view, int64_t begin, int64_t count) {
  TensorView part = view;
  part.shape = {count};
  if (view.data) part.data += begin * size_of(view.dtype);
  return part;
}

}  // namespace

PoolingHead::PoolingHead(const EncoderShape& shape, const Scope& scope)
    : layernorm_(scope.norm("layernorm", shape.hidden_size), shape.layer_norm_eps, scope.device()),
      mlp_(shape, scope.sub("mlp")) {
  const int64_t c = shape.hidden_size;
  const int64_t head_dim = c / shape.num_attention_heads;
  layout_ = {.heads = shape.num_attention_heads,
             .kv_heads = shape.num_attention_heads,
             .head_dim = head_dim,
             .scale = 1.0F / std::sqrt(static_cast<float>(head_dim))};
  probe_ = scope.device().prepare(scope.tensor("probe", {1, 1, c}));
  const Scope attention = scope.sub("attention");
  const kernels::Weight weight = scope.device().prepare(attention.weight("in_proj_weight", {3 * c, c}));
  const TensorView bias = attention.tensor("in_proj_bias", {3 * c});
  const auto third = [&](int64_t i) {
    return kernels::Linear(weight.slice_rows(i * c, c), part_of(bias, i * c, c), scope.arithmetic(),
                           scope.device());
  };
  q_proj_ = third(0);
  k_proj_ = third(1);
  v_proj_ = third(2);
  out_proj_ = kernels::Linear(attention.linear("out_proj", {c, c}, Bias::yes), scope.device());
}

void PoolingHead::forward(ConstMatrix x, int64_t count, Matrix pooled, Workspace& workspace) const {
  const std::vector<int64_t> all_rows(static_cast<size_t>(count), x.rows / count);
  forward(x, all_rows, pooled, workspace);
}

void PoolingHead::forward(ConstMatrix x, std::span<const int64_t> patches, Matrix pooled,
                          Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const kernels::Device& device = workspace.device();
  const int64_t count = std::ssize(patches);
  const int64_t rows = x.rows / count;
  const Matrix query = workspace.matrix(1, x.cols);          // [1, C], the same for every image
  const Matrix both = workspace.matrix(2 * x.rows, x.cols);  // keys, then values
  const Matrix k = both.slice_rows(0, x.rows);               // [count*P, C]
  const Matrix v = both.slice_rows(x.rows, x.rows);
  device.linear(probe_.matrix(), q_proj_, query);
  device.linear(x, k_proj_, k);
  device.linear(x, v_proj_, v);

  const Matrix mixed = workspace.matrix(count, x.cols);  // [count, C]
  for (int64_t t = 0; t < count; ++t) {
    const auto* const page = reinterpret_cast<const std::byte*>(k.row(t * rows));  // of all its patches
    const kernels::CausalRow own_patches{
        .cache = {.pages = &page,
                  .keys = 0,
                  .values = x.rows * x.cols * size_of(DType::f32),
                  .page_positions = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(rows))),
                  .stride = x.cols},
        .first = 0,
        .last = patches[static_cast<size_t>(t)] - 1};
    device.attention_cached(query, {&own_patches, 1}, layout_, mixed.slice_rows(t, 1));
  }
  device.linear(mixed, out_proj_, pooled);
  layernorm_.forward(pooled, mixed, device);
  mlp_.forward(mixed, pooled, pooled, workspace);
}

}  // namespace galago
