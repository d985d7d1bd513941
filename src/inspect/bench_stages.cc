// See the header. Sizes come from config.json and from the checkpoint's header, never from a clock.
#include "inspect/bench_stages.h"

#include <algorithm>
#include <cmath>

#include "galago/error.h"
#include "inspect/inspect.h"
#include "runtime/image_encoder.h"
#include "runtime/pipeline.h"
#include "runtime/sequence.h"

namespace galago {

TowerFlops tower_flops(const VisionConfig& config, int64_t patches) {
  const auto p = static_cast<double>(patches), c = static_cast<double>(config.hidden_size);
  const auto inner = static_cast<double>(config.intermediate_size);
  const auto layers = static_cast<double>(config.num_hidden_layers);
  const auto pixels = static_cast<double>(config.num_channels * config.patch_size * config.patch_size);
  return {.linear = layers * 2 * p * (4 * c * c + 2 * c * inner),  // q, k, v, out; fc1, fc2
          .attention = layers * 2 * 2 * p * p * c,                 // q k^T and the product with v
          .patches = 2 * p * c * pixels};
}

double decoder_flops(const TextConfig& config, int64_t begin, int64_t end) {
  const auto d = static_cast<double>(config.hidden_size),
             inner = static_cast<double>(config.intermediate_size);
  const auto head = static_cast<double>(config.head_dim);
  const auto q = static_cast<double>(config.num_attention_heads) * head;
  const auto kv = static_cast<double>(config.num_key_value_heads) * head;
  const auto rows = static_cast<double>(end - begin);
  const double weights = 2 * d * q + 2 * d * kv + 3 * d * inner;  // q, o; k, v; gate, up, down
  double seen = 0;  // keys, summed over the rows: a row sees itself and what is before it
  for (int64_t position = begin; position < end; ++position)
    seen += static_cast<double>(std::min(position + 1, config.sliding_window.value_or(position + 1)));
  return static_cast<double>(config.num_hidden_layers) * (2 * rows * weights + 2 * 2 * seen * q) +
         2 * d * static_cast<double>(config.vocab_size);
}

namespace {

constexpr int64_t kMadeWidth = 640, kMadeHeight = 480;

// A picture with something in it everywhere: no two tiles are equal.
RgbImage made_picture() {
  RgbImage image{.width = kMadeWidth, .height = kMadeHeight, .pixels = {}};
  image.pixels.resize(static_cast<size_t>(kMadeWidth * kMadeHeight * 3));
  for (int64_t y = 0; y < kMadeHeight; ++y)
    for (int64_t x = 0; x < kMadeWidth; ++x) {
      uint8_t* pixel = image.row(y) + x * 3;
      pixel[0] = static_cast<uint8_t>(x * 255 / kMadeWidth);
      pixel[1] = static_cast<uint8_t>(y * 255 / kMadeHeight);
      pixel[2] = static_cast<uint8_t>((x ^ y) & 255);
    }
  return image;
}

// Tile `tile` of a batch, alone.
PixelBatch one_tile(const PixelBatch& batch, int64_t tile) {
  const Shape& shape = batch.pixels.shape();
  const int64_t floats = batch.pixels.size() / shape[0];
  PixelBatch one{.pixels = Tensor({1, shape[1], shape[2], shape[3]}), .patch_mask = {}};
  std::copy_n(batch.pixels.data() + tile * floats, floats, one.pixels.data());
  if (const auto patches = static_cast<int64_t>(batch.patch_mask.size()) / shape[0]; patches > 0)
    one.patch_mask.assign(batch.patch_mask.begin() + tile * patches,
                          batch.patch_mask.begin() + (tile + 1) * patches);
  return one;
}

std::string count(int64_t number, const std::string& one, const std::string& many) {
  return std::to_string(number) + " " + (number == 1 ? one : many);
}

std::string size_text(const RgbImage& image) {
  return std::to_string(image.width) + "x" + std::to_string(image.height);
}

}  // namespace

/// Inputs and outputs of the stages.
struct BenchStages::State {
  const Frontend& frontend;
  const Engine& engine;
  BenchOptions options;
  std::vector<ModuleSize> modules;
  RgbImage image;
  PlannedPrompt plan;
  Tiles tiles;
  PixelBatch batch;     // of the whole picture
  PixelBatch tile;      // its first tile alone
  Tensor features;      // [1, P, C] of that tile
  int64_t rows = 0;     // that the connector makes of a tile
  Tensor embeds;        // [context, D]
  Tensor hidden;        // [context, D]
  Tensor logits;        // [1, V]
  int64_t context = 0;  // rows of prefill, positions before the decode step
  KvCache cache{nullptr};
  KvCache together{nullptr};  // as many sequences as a batch decodes, after the same positions
  Tensor batch_logits;        // [sequences, V]
  Workspace workspace{engine.decoder().device()};

  bool sees() const { return frontend.config().vision.num_hidden_layers > 0; }

  // What the checkpoint holds for a module; nothing for a tied head.
  ModuleSize module(const std::string& name) const {
    for (const ModuleSize& size : modules)
      if (size.shape.name == name) return size;
    return {};
  }
  // Weights that a row of text goes through: all layers and the head, which may be the embedding table.
  double text_bytes() const { return static_cast<double>(engine.decoder().weight_bytes()); }
  // Keys and values of `positions` positions in all layers.
  double cache_bytes(int64_t positions) const {
    const TextConfig& text = frontend.config().text;
    return static_cast<double>(size_of(options.cache_dtype)) * 2 *
           static_cast<double>(text.num_hidden_layers * text.num_key_value_heads * text.head_dim * positions);
  }

  void make_picture();
  void make_rows();
  void forward(ConstMatrix rows_in, int64_t begin);
  void fill_batch();
  void decode_batch();
  void first_token();

  BenchStage decode_image_stage();
  BenchStage tiling_stage();
  BenchStage normalise_stage();
  BenchStage tower_stage();
  BenchStage connector_stage();
  BenchStage tokenizer_stage();
  BenchStage prefill_stage();
  BenchStage decode_stage();
  BenchStage decode_batch_stage();
  BenchStage first_token_stage();
};

// Decodes, plans and tiles the picture. The tower's and the connector's outputs are made when first needed.
void BenchStages::State::make_picture() {
  const PromptText text{.prompt = options.prompt};
  std::vector<ImageSize> sizes;
  if (sees()) {
    image =
        options.image_file.empty() ? made_picture() : decode_image(options.image_file, options.image_name);
    sizes.push_back({.width = image.width, .height = image.height});
  }
  plan = plan_prompt(frontend, text, sizes, options.split);
  if (!sees()) return;
  tiles = frontend.tiles(image, options.split);
  batch = frontend.pixels(tiles);
  tile = one_tile(batch, 0);
}

// Rows of some text, as long as the context asked for.
void BenchStages::State::make_rows() {
  const TextConfig& text = frontend.config().text;
  context = options.context > 0 ? options.context : static_cast<int64_t>(plan.ids.size());
  if (context >= text.max_position_embeddings)
    throw Error(ErrorCode::usage,
                {.where = "context",
                 .got = std::to_string(context),
                 .expected = "below the model's " + std::to_string(text.max_position_embeddings)});
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < context; ++i)
    ids.push_back(static_cast<int32_t>(i * 7919 % text.vocab_size));  // all over the table
  embeds = Tensor({context, text.hidden_size}, engine.decoder().device().memory());
  hidden = Tensor({context, text.hidden_size}, engine.decoder().device().memory());
  logits = Tensor({1, text.vocab_size}, engine.decoder().device().memory());
  cache = engine.decoder().make_cache(1, context + 1, options.cache_dtype);
  engine.decoder().embed(ids, embeds.matrix());
}

// Rows at positions begin, begin + 1, ... and the logits of the last.
void BenchStages::State::forward(ConstMatrix rows_in, int64_t begin) {
  cache.at(0).set_length(begin);
  const Matrix out = hidden.matrix().slice_rows(0, rows_in.rows);
  engine.decoder().forward(rows_in, next_places(cache, 0, rows_in.rows), cache, workspace, out);
  engine.decoder().logits(out.slice_rows(rows_in.rows - 1, 1), logits.matrix());
}

BenchStage BenchStages::State::decode_image_stage() {
  const auto bytes = static_cast<double>(options.image_file.size() + image.pixels.size());
  return {.name = "decode image",
          .work = size_text(image),
          .cost = {.flops = 0, .bytes = bytes},
          .items = static_cast<double>(image.width * image.height) / 1e6,
          .item = "megapixels",
          .run = [this] { image = decode_image(options.image_file, options.image_name); },
          .warm_up = {}};
}

BenchStage BenchStages::State::tiling_stage() {
  const auto bytes = static_cast<double>(image.pixels.size() + tiles.pixels.size());
  return {.name = "resize and tile",
          .work = size_text(image) + " to " + count(tiles.count, "tile", "tiles"),
          .cost = {.flops = 0, .bytes = bytes},
          .items = static_cast<double>(tiles.count),
          .item = "tiles",
          .run = [this] { tiles = frontend.tiles(image, options.split); },
          .warm_up = {}};
}

BenchStage BenchStages::State::normalise_stage() {
  const auto bytes = static_cast<double>(tiles.pixels.size()) * (1 + sizeof(float));
  return {.name = "normalise",
          .work = count(tiles.count, "tile", "tiles") + " of " + std::to_string(tiles.width) + "x" +
                  std::to_string(tiles.height),
          .cost = {.flops = 0, .bytes = bytes},
          .items = static_cast<double>(tiles.count),
          .item = "tiles",
          .run = [this] { batch = frontend.pixels(tiles); },
          .warm_up = {}};
}

BenchStage BenchStages::State::tower_stage() {
  const Shape& shape = tile.pixels.shape();
  const int64_t patches = shape[2] / engine.patch_size() * (shape[3] / engine.patch_size());
  const VisionConfig& vision = frontend.config().vision;
  const auto moved = static_cast<double>(tile.pixels.size() + patches * vision.hidden_size) * sizeof(float);
  return {.name = "vision tower",
          .work = "1 tile of " + std::to_string(patches) + " patches",
          .cost = {.flops = tower_flops(vision, patches).total(),
                   .bytes = static_cast<double>(module("vision tower").bytes) + moved},
          .many_rows = patches > kernels::kFewRows,
          .items = 1,
          .item = "tiles",
          .run = [this] { features = engine.encode_image(tile, workspace, options.progress); },
          .warm_up = {}};
}

BenchStage BenchStages::State::connector_stage() {
  features = engine.encode_image(tile, workspace, options.progress);
  const Tensor connected = engine.connect(features, workspace);  // [1, T, D']
  const ModuleSize size = module("connector");
  const auto moved = static_cast<double>(features.size() + connected.size()) * sizeof(float);
  return {.name = "connector",
          .work = "1 tile to " + std::to_string(connected.shape()[1]) + " rows",
          // every row of the output comes through every weight once
          .cost = {.flops = 2.0 * static_cast<double>(connected.shape()[1] * size.parameters),
                   .bytes = static_cast<double>(size.bytes) + moved},
          .many_rows = connected.shape()[1] > kernels::kFewRows,
          .items = 1,
          .item = "tiles",
          .run = [this] { engine.connect(features, workspace); },
          .warm_up = {}};
}

BenchStage BenchStages::State::tokenizer_stage() {
  return {.name = "tokenizer",
          .work = "prompt of " + std::to_string(plan.ids.size()) + " tokens",
          .cost = {},
          .items = static_cast<double>(plan.ids.size()),
          .item = "tokens",
          .run = [this] { plan.ids = frontend.prompt_ids({.prompt = options.prompt}, plan.images); },
          .warm_up = {}};
}

BenchStage BenchStages::State::prefill_stage() {
  return {.name = "prefill",
          .work = std::to_string(context) + " rows",
          .cost = {.flops = decoder_flops(frontend.config().text, 0, context),
                   .bytes = text_bytes() + cache_bytes(context)},
          .many_rows = context > kernels::kFewRows,
          .of_decoder = true,
          .items = static_cast<double>(context),
          .item = "tokens",
          .run = [this] { forward(embeds.matrix(), 0); },
          .warm_up = {}};
}

BenchStage BenchStages::State::decode_stage() {
  return {.name = "decode",
          .work = "1 row after " + std::to_string(context),
          .cost = {.flops = decoder_flops(frontend.config().text, context, context + 1),
                   .bytes = text_bytes() + cache_bytes(context + 1)},
          .items = 1,
          .item = "tokens",
          .run = [this] { forward(embeds.matrix().slice_rows(0, 1), context); },
          .warm_up =
              [this] {
                forward(embeds.matrix(), 0);  // the positions that the step looks back on
                forward(embeds.matrix().slice_rows(0, 1), context);
              }};
}

// The sequences of a batch, all with the positions of the prefill stage.
void BenchStages::State::fill_batch() {
  forward(embeds.matrix(), 0);
  together = engine.decoder().make_cache(options.sequences, context + 1, options.cache_dtype);
  for (int64_t s = 0; s < options.sequences; ++s)
    for (size_t i = 0; i < cache.at(0).pages().size(); ++i)
      cache.pages()->memory().copy(cache.at(0).pages()[i]->data(), together.at(s).pages()[i]->data(),
                                   cache.pages()->page_bytes());
  batch_logits =
      Tensor({options.sequences, frontend.config().text.vocab_size}, engine.decoder().device().memory());
}

// One token for each of them.
void BenchStages::State::decode_batch() {
  Workspace::Frame frame(workspace);
  const int64_t width = embeds.shape()[1];
  const Matrix rows_in = workspace.matrix(options.sequences, width),
               out = workspace.matrix(options.sequences, width);
  const std::span<RowPlace> here = workspace.array<RowPlace>(options.sequences);
  for (int64_t s = 0; s < options.sequences; ++s) {
    workspace.device().copy(embeds.matrix().slice_rows(s % context, 1), rows_in.slice_rows(s, 1));
    here[static_cast<size_t>(s)] = {.sequence = static_cast<int32_t>(s),
                                    .position = static_cast<int32_t>(context)};
    together.at(s).set_length(context);
  }
  engine.decoder().forward(rows_in, here, together, workspace, out);
  engine.decoder().logits(out, batch_logits.matrix());
}

BenchStage BenchStages::State::decode_batch_stage() {
  return {.name = "decode batch",
          .work = "1 row of each of " + std::to_string(options.sequences) + " sequences after " +
                  std::to_string(context),
          .cost = {.flops = static_cast<double>(options.sequences) *
                            decoder_flops(frontend.config().text, context, context + 1),
                   .bytes = text_bytes() + options.sequences * cache_bytes(context + 1)},
          .many_rows = options.sequences > kernels::kFewRows,
          .of_decoder = true,
          .items = static_cast<double>(options.sequences),
          .item = "tokens",
          .run = [this] { decode_batch(); },
          .warm_up =
              [this] {
                fill_batch();
                decode_batch();
              }};
}

// From the bytes of a picture to the first token's logits, as an answer does it.
void BenchStages::State::first_token() {
  const RgbImage picture =
      options.image_file.empty() ? image : decode_image(options.image_file, options.image_name);
  const ImageSize size{.width = picture.width, .height = picture.height};
  const PlannedPrompt request = plan_prompt(frontend, {.prompt = options.prompt}, {&size, 1}, options.split);
  ImageEncoder encoder(frontend, engine, {});
  Timings timings;
  CacheCounts counts;
  const auto encoded =
      encoder.encode({.images = {&picture}, .videos = {}}, request, {timings, counts}, options.progress);
  const Tensor packed = pack_prompt(frontend, engine, request.ids, views(encoded));
  KvCache fresh = engine.decoder().make_cache(1, packed.shape()[0] + 1, options.cache_dtype);
  Tensor out(packed.shape());
  engine.decoder().forward(packed.matrix(), next_places(fresh, 0, packed.shape()[0]), fresh, workspace,
                           out.matrix());
  engine.decoder().logits(out.matrix().slice_rows(packed.shape()[0] - 1, 1), logits.matrix());
}

BenchStage BenchStages::State::first_token_stage() {
  const double tile_flops = tower_stage().cost.flops + connector_stage().cost.flops;
  const auto length = static_cast<int64_t>(plan.ids.size());
  return {.name = "first token",
          .work = size_text(image) + ", " + count(tiles.count, "tile", "tiles") + ", prompt of " +
                  std::to_string(length) + " tokens",
          .cost = {.flops = static_cast<double>(tiles.count) * tile_flops +
                            decoder_flops(frontend.config().text, 0, length),
                   .bytes = 0},
          .many_rows = true,
          .items = 1,
          .item = "pictures",
          .run = [this] { first_token(); },
          .warm_up = [this] {  // every weight once, without the wait for all tiles
            features = engine.encode_image(tile, workspace, options.progress);
            engine.connect(features, workspace);
            forward(embeds.matrix(), 0);
          }};
}

BenchStages::BenchStages(const Frontend& frontend, const Checkpoint& checkpoint, const Engine& engine,
                         BenchOptions options)
    : state_(new State{.frontend = frontend, .engine = engine, .options = std::move(options)}) {
  state_->modules = inspect(frontend, checkpoint);
  state_->make_picture();
  state_->make_rows();
}

BenchStages::~BenchStages() = default;

std::vector<std::string> BenchStages::names() {
  return {"decode image", "resize and tile", "normalise", "vision tower", "connector",
          "tokenizer",    "prefill",         "decode",    "decode batch", "first token"};
}

std::vector<BenchStage> BenchStages::stages(std::span<const std::string> only) const {
  State& state = *state_;
  std::vector<BenchStage> list;
  const auto add = [&](const char* name, BenchStage (State::*make)()) {
    if (only.empty() || std::find(only.begin(), only.end(), name) != only.end())
      list.push_back((state.*make)());
  };
  if (state.sees()) {
    if (!state.options.image_file.empty()) add("decode image", &State::decode_image_stage);
    add("resize and tile", &State::tiling_stage);
    add("normalise", &State::normalise_stage);
    add("vision tower", &State::tower_stage);
    add("connector", &State::connector_stage);
  }
  add("tokenizer", &State::tokenizer_stage);
  add("prefill", &State::prefill_stage);
  add("decode", &State::decode_stage);
  add("decode batch", &State::decode_batch_stage);
  if (state.sees()) add("first token", &State::first_token_stage);
  return list;
}

}  // namespace galago
