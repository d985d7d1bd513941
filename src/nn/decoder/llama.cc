// The decoder's forward pass; shapes at the right edge. See the header for sources.
#include "nn/decoder/llama.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>

#include "galago/error.h"
#include "nn/decoder/rope.h"

namespace galago {
namespace {

// Farther than any position, so that a row sees all before it.
constexpr int64_t kNoWindow = std::numeric_limits<int64_t>::max();

Bias bias_if(bool has) { return has ? Bias::yes : Bias::no; }

kernels::Activation activation_of(const TextConfig& config) {
  using kernels::Activation;
  const std::string& name = config.hidden_act;
  if (name == "silu" || name == "swish") return Activation::silu;
  if (name == "relu") return Activation::relu;
  if (name == "gelu") return Activation::gelu_erf;
  if (name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
  if (name == "quick_gelu") return Activation::quick_gelu;
  throw Error(ErrorCode::model_unsupported,
              {.where = "config.json: text_config.hidden_act",
               .got = name,
               .expected = "silu, relu, gelu, gelu_pytorch_tanh or quick_gelu"});
}

int64_t bytes_of(std::initializer_list<const kernels::Linear*> layers) {
  int64_t bytes = 0;
  for (const kernels::Linear* layer : layers) bytes += layer->weight().bytes();
  return bytes;
}

void check_place(const RowPlace& place, const KvSequence& sequence, int64_t expected) {
  const std::string where = "decoder: sequence " + std::to_string(place.sequence);
  if (place.position != expected)
    throw Error(ErrorCode::internal, {.where = where,
                                      .got = "position " + std::to_string(place.position),
                                      .expected = std::to_string(expected)});
  if (expected >= sequence.capacity())
    throw Error(ErrorCode::input_too_large,
                {.where = where,
                 .got = "position " + std::to_string(expected),
                 .expected = "at most " + std::to_string(sequence.capacity()) + " positions"});
  if (!sequence.owns(expected))
    throw Error(ErrorCode::internal, {.where = where,
                                      .got = "position " + std::to_string(expected) + " in a shared page",
                                      .expected = "a page of its own"});
}

// Every row continues its sequence; the cache is told the new lengths once all rows are known to fit, so that
// a refused call leaves it as it was.
void advance(std::span<const RowPlace> places, int64_t rows, KvCache& cache, Workspace& workspace) {
  if (std::ssize(places) != rows)
    throw Error(ErrorCode::internal, {.where = "decoder: places",
                                      .got = std::to_string(places.size()),
                                      .expected = std::to_string(rows) + ", one for each row"});
  Workspace::Frame frame(workspace);
  const std::span<int64_t> lengths = workspace.array<int64_t>(cache.sequences());
  for (int64_t s = 0; s < cache.sequences(); ++s)
    lengths[static_cast<size_t>(s)] = cache.has(s) ? cache.length(s) : 0;
  for (const RowPlace& place : places) {
    if (!cache.has(place.sequence))
      throw Error(ErrorCode::internal, {.where = "decoder: sequence",
                                        .got = std::to_string(place.sequence),
                                        .expected = "one that the cache holds"});
    check_place(place, cache.at(place.sequence), lengths[static_cast<size_t>(place.sequence)]++);
  }
  for (const RowPlace& place : places)
    cache.at(place.sequence).set_length(lengths[static_cast<size_t>(place.sequence)]);
}

}  // namespace

RmsNorm::RmsNorm(const TensorView& view, float epsilon, const kernels::Device& device)
    : weight(device.prepare(view)), eps(epsilon) {}

void RmsNorm::forward(ConstMatrix x, Matrix y, const kernels::Device& device) const {
  device.rms_norm(x, weight.data(), eps, y);
}

LlamaAttention::LlamaAttention(const TextConfig& config, const Scope& scope)
    : rope_scale_(config.rope.attention_scaling), prompt_sees_all_(config.prompt_sees_all) {
  const int64_t d = config.hidden_size;
  const int64_t q = config.num_attention_heads * config.head_dim;
  const int64_t kv = config.num_key_value_heads * config.head_dim;
  const Bias bias = bias_if(config.attention_bias);
  layout_ = {
      .heads = config.num_attention_heads,
      .kv_heads = config.num_key_value_heads,
      .head_dim = config.head_dim,
      .scale = config.attention_multiplier.value_or(1.0F / std::sqrt(static_cast<float>(config.head_dim)))};
  residual_multiplier_ = config.residual_multiplier;
  window_ = config.sliding_window.value_or(kNoWindow);
  q_proj_ = kernels::Linear(scope.linear("q_proj", {q, d}, bias), scope.device());
  k_proj_ = kernels::Linear(scope.linear("k_proj", {kv, d}, bias), scope.device());
  v_proj_ = kernels::Linear(scope.linear("v_proj", {kv, d}, bias), scope.device());
  o_proj_ = kernels::Linear(scope.linear("o_proj", {d, q}, bias), scope.device());
  layout_.arithmetic = q_proj_.arithmetic();
}

void LlamaAttention::forward(ConstMatrix x, int64_t layer, const DecoderBatch& batch, ConstMatrix residual,
                             Matrix y, Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const kernels::Device& device = workspace.device();
  const Matrix q = workspace.matrix(x.rows, q_proj_.out_features());  // [n, heads*d]
  const Matrix k = workspace.matrix(x.rows, k_proj_.out_features());  // [n, kv_heads*d]
  const Matrix v = workspace.matrix(x.rows, v_proj_.out_features());  // [n, kv_heads*d]
  device.linear_each(x, {{{&q_proj_, q}, {&k_proj_, k}, {&v_proj_, v}}});
  rotate(q, batch, device);
  rotate(k, batch, device);

  const std::span<kernels::CausalRow> rows = workspace.array<kernels::CausalRow>(x.rows);
  const std::span<void*> key_places = workspace.array<void*>(x.rows);
  const std::span<void*> value_places = workspace.array<void*>(x.rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    const RowPlace place = batch.places[i];
    KvSequence& sequence = batch.cache->at(place.sequence);
    const KvPlace cached = sequence.place(layer, place.position);
    key_places[i] = cached.key;
    value_places[i] = cached.value;
    rows[i] = {.cache = sequence.view(layer), .first = first_seen(place, sequence), .last = place.position};
  }
  device.scatter_rows(k, key_places, batch.cache->shape().dtype);
  device.scatter_rows(v, value_places, batch.cache->shape().dtype);
  const Matrix mixed = workspace.matrix(x.rows, q.cols);  // [n, heads*d]
  device.attention_cached(q, rows, layout_, mixed);
  device.linear(mixed, o_proj_, y, {.scale = residual_multiplier_, .residual = residual});  // [n, D]
}

void LlamaAttention::rotate(Matrix x, const DecoderBatch& batch, const kernels::Device& device) const {
  for (const RopeRun& run : batch.rope)
    device.rope(x.slice_rows(run.begin, run.rows),
                batch.positions.subspan(static_cast<size_t>(run.begin), static_cast<size_t>(run.rows)),
                *run.inv_freq, layout_.head_dim, rope_scale_);
}

int64_t LlamaAttention::first_seen(const RowPlace& place, const KvSequence& sequence) const {
  if (prompt_sees_all_ && place.position < sequence.prompt()) return 0;
  return std::max<int64_t>(0, place.position - window_ + 1);
}

int64_t LlamaAttention::weight_bytes() const { return bytes_of({&q_proj_, &k_proj_, &v_proj_, &o_proj_}); }

LlamaMlp::LlamaMlp(const TextConfig& config, const Scope& scope) : activation_(activation_of(config)) {
  const int64_t d = config.hidden_size;
  const int64_t f = config.intermediate_size;
  const Bias bias = bias_if(config.mlp_bias);
  gate_proj_ = kernels::Linear(scope.linear("gate_proj", {f, d}, bias), scope.device());
  up_proj_ = kernels::Linear(scope.linear("up_proj", {f, d}, bias), scope.device());
  down_proj_ = kernels::Linear(scope.linear("down_proj", {d, f}, bias), scope.device());
  residual_multiplier_ = config.residual_multiplier;
}

void LlamaMlp::forward(ConstMatrix x, ConstMatrix residual, Matrix y, Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const Matrix hidden = workspace.matrix(x.rows, up_proj_.out_features());  // [n, intermediate]
  workspace.device().feed_forward(
      x, {{{&up_proj_, hidden}, {&gate_proj_, hidden, {.activation = activation_, .factor = hidden}}}},
      {&down_proj_, y, {.scale = residual_multiplier_, .residual = residual}});  // [n, D]
}

int64_t LlamaMlp::weight_bytes() const { return bytes_of({&gate_proj_, &up_proj_, &down_proj_}); }

LlamaLayer::LlamaLayer(const TextConfig& config, const Scope& scope)
    : input_layernorm_(scope.tensor("input_layernorm.weight", {config.hidden_size}), config.rms_norm_eps,
                       scope.device()),
      self_attn_(config, scope.sub("self_attn")),
      post_attention_layernorm_(scope.tensor("post_attention_layernorm.weight", {config.hidden_size}),
                                config.rms_norm_eps, scope.device()),
      mlp_(config, scope.sub("mlp")) {}

void LlamaLayer::forward(Matrix x, int64_t layer, const DecoderBatch& batch, Workspace& workspace) const {
  Workspace::Frame frame(workspace);
  const Matrix normed = workspace.matrix(x.rows, x.cols);  // [n, D]
  input_layernorm_.forward(x, normed, workspace.device());
  self_attn_.forward(normed, layer, batch, x, x, workspace);
  post_attention_layernorm_.forward(x, normed, workspace.device());
  mlp_.forward(normed, x, x, workspace);
}

LlamaDecoder::LlamaDecoder(const TextConfig& config, bool tied, const Scope& text, const Scope& head)
    : device_(text.device()),
      config_(config),
      inv_freq_(rope_inverse_frequencies(config.rope, config.head_dim)),
      long_inv_freq_(rope_long_frequencies(config.rope, config.head_dim)) {
  bind_table_and_head(tied, text, head);
  layers_.reserve(static_cast<size_t>(config.num_hidden_layers));
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    layers_.emplace_back(config, text.without_int8().sub("layers", i));
  norm_ = RmsNorm(text.tensor("norm.weight", {config.hidden_size}), config.rms_norm_eps, device_);
}

void LlamaDecoder::bind_table_and_head(bool tied, const Scope& text, const Scope& head) {
  const LinearShape shape{.out = config_.vocab_size, .in = config_.hidden_size};
  const std::string table_name = "embed_tokens.weight", head_name = "lm_head.weight";
  const bool has_table = text.has(table_name), has_head = head.has(head_name);
  // Compared before either is bound: binding may convert a matrix and let its bytes go.
  const bool copy = tied && has_table && has_head && head.repeats(head_name, text, table_name);
  const bool head_alone = tied && !has_table && has_head;
  const bool own_head = has_head ? !copy : !tied;
  embed_tokens_ =
      device_.prepare(head_alone ? head.weight(head_name, shape) : text.weight(table_name, shape));
  lm_head_ = kernels::Linear(
      own_head && !head_alone ? device_.prepare(head.weight(head_name, shape)) : embed_tokens_, {},
      Arithmetic::f32, device_);
}

KvShape LlamaDecoder::cache_shape(DType dtype) const {
  return {.layers = config_.num_hidden_layers,
          .width = config_.num_key_value_heads * config_.head_dim,
          .dtype = dtype};
}

void LlamaDecoder::embed(std::span<const int32_t> ids, Matrix out) const {
  for (const int32_t id : ids)
    if (id < 0 || id >= config_.vocab_size)
      throw Error(ErrorCode::input_invalid,
                  {.where = "token id",
                   .got = std::to_string(id),
                   .expected = "below the vocabulary's " + std::to_string(config_.vocab_size)});
  device_.gather_rows(embed_tokens_.view, ids, out);
}

void LlamaDecoder::forward(ConstMatrix embeds, std::span<const RowPlace> places, KvCache& cache,
                           Workspace& workspace, Matrix hidden) const {
  Workspace::Frame frame(workspace);
  advance(places, embeds.rows, cache, workspace);
  const std::span<int32_t> positions = workspace.array<int32_t>(embeds.rows);
  std::transform(places.begin(), places.end(), positions.begin(),
                 [](const RowPlace& p) { return p.position; });
  const RopeRun all{.begin = 0, .rows = embeds.rows, .inv_freq = &inv_freq_};
  const DecoderBatch batch{
      .positions = positions,
      .rope = long_inv_freq_.empty() ? std::span(&all, 1) : rope_runs(places, cache, workspace),
      .places = places,
      .cache = &cache};

  const Matrix x = workspace.matrix(embeds.rows, embeds.cols);  // [n, D]
  workspace.device().scale(embeds, config_.embedding_multiplier, x);
  for (size_t layer = 0; layer < layers_.size(); ++layer)
    layers_[layer].forward(x, static_cast<int64_t>(layer), batch, workspace);
  norm_.forward(x, hidden, workspace.device());  // [n, D]
}

// A row is long once its prompt is, or what its sequence holds up to it: keys before it stay as they were
// rotated, as in the reference, which gives itself one token a call behind the prompt. Where no prompt is
// known, a call is one.
std::span<const RopeRun> LlamaDecoder::rope_runs(std::span<const RowPlace> places, const KvCache& cache,
                                                 Workspace& workspace) const {
  const std::span<RopeRun> runs = workspace.array<RopeRun>(std::ssize(places));
  size_t count = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    const KvSequence& sequence = cache.at(places[i].sequence);
    const int64_t length = sequence.prompt() > 0
                               ? std::max<int64_t>(sequence.prompt(), places[i].position + 1)
                               : sequence.length();
    const std::vector<float>* inv_freq =
        length > config_.rope.original_max_position_embeddings ? &long_inv_freq_ : &inv_freq_;
    if (count > 0 && runs[count - 1].inv_freq == inv_freq)
      ++runs[count - 1].rows;
    else
      runs[count++] = {.begin = static_cast<int64_t>(i), .rows = 1, .inv_freq = inv_freq};
  }
  return runs.first(count);
}

void LlamaDecoder::logits(ConstMatrix hidden, Matrix logits) const {
  device_.linear(hidden, lm_head_, logits, {.scale = 1 / config_.logits_scaling});
}

int64_t LlamaDecoder::weight_bytes() const {
  int64_t bytes = bytes_of({&lm_head_});
  for (const LlamaLayer& layer : layers_) bytes += layer.weight_bytes();
  return bytes;
}

}  // namespace galago
