// The stations in order, each result copied into the trace as it appears.
#include "inspect/trace.h"

#include <cstring>
#include <utility>

#include "formats/safetensors/safetensors.h"
#include "galago/galago.h"
#include "runtime/generate.h"
#include "runtime/options.h"
#include "runtime/pipeline.h"
#include "runtime/sequence.h"

namespace galago {
namespace {

template <class T>
TraceTensor trace_tensor(std::string name, DType dtype, Shape shape, const T* data, int64_t count) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  return {.name = std::move(name),
          .dtype = dtype,
          .shape = std::move(shape),
          .bytes = {bytes, bytes + count * static_cast<int64_t>(sizeof(T))}};
}

TraceTensor trace_tensor(std::string name, const Tensor& tensor) {
  if (!tensor.memory().is_host()) return trace_tensor(std::move(name), tensor.copy());
  return trace_tensor(std::move(name), DType::f32, tensor.shape(), tensor.data(), tensor.size());
}

TraceTensor trace_ids(std::string name, std::span<const int32_t> ids, Shape shape) {
  const std::vector<int64_t> wide(ids.begin(), ids.end());
  return trace_tensor(std::move(name), DType::i64, std::move(shape), wide.data(),
                      static_cast<int64_t>(wide.size()));
}

// Appends along the first dimension: tensors of several images become one.
void append(Trace& trace, TraceTensor tensor) {
  for (TraceTensor& earlier : trace)
    if (earlier.name == tensor.name) {
      earlier.shape[0] += tensor.shape[0];
      earlier.bytes.insert(earlier.bytes.end(), tensor.bytes.begin(), tensor.bytes.end());
      return;
    }
  trace.push_back(std::move(tensor));
}

// Tower to image rows for one batch of tiles.
Tensor trace_encoding(const Engine& engine, const PixelBatch& batch, const ImagePlan& plan,
                      const TileProgress& progress, Trace& trace) {
  Workspace workspace(engine.decoder().device());
  const Tensor features = engine.encode_image(batch, workspace, progress);
  append(trace, trace_tensor("pixel_values", batch.pixels));
  const std::vector<int32_t> ids = engine.position_ids(batch);
  const int64_t tiles = batch.pixels.shape()[0];
  append(trace, trace_ids("vision_position_ids", ids, {tiles, static_cast<int64_t>(ids.size()) / tiles}));
  append(trace, trace_tensor("vision_last_hidden_state", features));
  Tensor connected = engine.connect(features, workspace);
  append(trace, trace_tensor("connector_output", connected));
  Tensor rows = engine.image_rows(std::move(connected), plan);
  append(trace, trace_tensor("image_rows", rows));
  return rows;
}

PixelBatch given_batch(const Engine& engine, const GivenPixels& given) {
  PixelBatch batch{.pixels = given.pixels.copy(), .patch_mask = {}};
  const Shape& shape = given.pixels.shape();
  if (!given.attention_mask.empty())
    batch.patch_mask =
        patch_mask_from_pixels(given.attention_mask, shape[0], shape[2], shape[3], engine.patch_size());
  return batch;
}

// The bytes of tiles, and the mask that the reference's processor gives with them.
void trace_tiles(const Frontend& frontend, const Tiles& tiles, Trace& trace) {
  append(trace, trace_tensor("pixel_values_u8", DType::u8, {tiles.count, 3, tiles.height, tiles.width},
                             tiles.pixels.data(), static_cast<int64_t>(tiles.pixels.size())));
  if (!frontend.has_pixel_mask()) return;
  // Every tile of the preprocessor is full: 1 everywhere.
  const std::vector<uint8_t> mask(static_cast<size_t>(tiles.count * tiles.height * tiles.width), 1);
  append(trace, trace_tensor("pixel_attention_mask", DType::u8, {tiles.count, tiles.height, tiles.width},
                             mask.data(), static_cast<int64_t>(mask.size())));
}

std::vector<Tensor> trace_visuals(const Frontend& frontend, const Engine& engine, const TraceRequest& request,
                                  const PlannedPrompt& plan, Trace& trace) {
  std::vector<Tensor> rows;
  if (request.given) {  // the tiles of all images at once
    const ImagePlan first = plan.images.empty() ? ImagePlan{} : plan.images[0];
    rows.push_back(
        trace_encoding(engine, given_batch(engine, *request.given), first, request.progress, trace));
    return rows;
  }
  for (size_t i = 0; i < plan.images.size(); ++i) {
    const Tiles tiles = frontend.tiles(request.images[i], request.split);
    trace_tiles(frontend, tiles, trace);
    rows.push_back(trace_encoding(engine, frontend.pixels(tiles), plan.images[i], request.progress, trace));
  }
  for (size_t i = 0; i < plan.videos.size(); ++i) {
    request.videos[i]->decode(plan.videos[i].frames, [&](int64_t, const RgbImage& frame) {
      const Tiles tile = frontend.require_video().tile(frame);
      trace_tiles(frontend, tile, trace);
      rows.push_back(
          trace_encoding(engine, frontend.require_video().pixels(tile), {}, request.progress, trace));
    });
  }
  return rows;
}

Tensor prompt_logits(const Decoder& decoder, const Tensor& embeds) {
  const int64_t length = embeds.shape()[0];
  KvCache cache = decoder.make_cache(1, length);
  cache.at(0).set_prompt(length);
  Workspace workspace(decoder.device());
  Tensor hidden(embeds.shape(), decoder.device().memory());
  decoder.forward(embeds.matrix(), next_places(cache, 0, length), cache, workspace, hidden.matrix());
  Tensor logits({length, decoder.config().vocab_size}, decoder.device().memory());
  decoder.logits(hidden.matrix(), logits.matrix());
  return logits;
}

}  // namespace

const TraceTensor* find(const Trace& trace, const std::string& name) {
  for (const TraceTensor& tensor : trace)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

Trace run_trace(const Frontend& frontend, const Engine& engine, const TraceRequest& request) {
  std::vector<ImageSize> sizes;
  for (const RgbImage& image : request.images)
    sizes.push_back({.width = image.width, .height = image.height});
  GenerateRequest generate;
  generate.options.max_new_tokens = request.max_new_tokens;
  check_options(generate.options);
  std::vector<VideoFacts> videos;
  for (const auto& video : request.videos) videos.push_back(video->facts());
  const PlannedPrompt plan = plan_prompt(frontend, request.text, sizes, request.split, videos);
  const auto length = static_cast<int64_t>(plan.ids.size());

  Trace trace;
  const std::vector<Tensor> rows = trace_visuals(frontend, engine, request, plan, trace);
  trace.push_back(trace_ids("input_ids", plan.ids, {length}));
  std::vector<ConstMatrix> image_rows;
  for (const Tensor& part : rows) image_rows.push_back(part.matrix());
  const Tensor embeds = pack_prompt(frontend, engine, plan.ids, image_rows);
  trace.push_back(trace_tensor("inputs_embeds", embeds));
  trace.push_back(trace_tensor("logits", prompt_logits(engine.decoder(), embeds)));

  DecoderSequences sequences(engine.decoder());
  TokenizerText text(frontend.tokenizer(), false);
  generate.ids = plan.ids;
  generate.end_ids = frontend.generation().eos_token_id;
  generate.rules = token_rules(frontend);
  const Generation generation = galago::generate(sequences, generate, {.rows = embeds.matrix()}, text);
  trace.push_back(
      trace_ids("generated_ids", generation.token_ids, {static_cast<int64_t>(generation.token_ids.size())}));
  return trace;
}

void write_trace(const std::filesystem::path& file, const Trace& trace,
                 std::map<std::string, std::string> metadata) {
  metadata.emplace("galago", version());
  std::vector<NamedTensor> tensors;
  for (const TraceTensor& tensor : trace) tensors.push_back({.name = tensor.name, .view = tensor.view()});
  write_safetensors(file, tensors, metadata);
}

}  // namespace galago
