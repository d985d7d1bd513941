// Predicted memory: scratch as the stations really take it, and how the parts follow what is asked.
#include "inspect/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nn/decoder/kv_cache.h"
#include "support/devices.h"
#include "support/model_files.h"

namespace galago {
namespace {

const MemoryPart& part(const MemoryPlan& plan, const std::string& name) {
  for (const MemoryPart& candidate : plan.parts)
    if (candidate.name == name) return candidate;
  throw std::runtime_error("no part " + name);
}

class PlannedScratch : public testing::TestWithParam<const char*> {};

TEST_P(PlannedScratch, IsWhatTheDecoderTakes) {
  const test::Loaded model(GetParam());
  const Decoder& decoder = model.engine->decoder();
  for (const int64_t rows : {40, 300}) {
    Workspace workspace(test::device());
    const Matrix hidden = workspace.matrix(rows, decoder.config().hidden_size);  // as DecoderSequence does
    const Tensor embeds = test::random_tensor({rows, decoder.config().hidden_size}, 1);
    KvCache cache = decoder.make_cache(1, rows);
    std::vector<RowPlace> places;
    for (int64_t i = 0; i < rows; ++i) places.push_back({0, static_cast<int32_t>(i)});
    decoder.forward(embeds.matrix(), places, cache, workspace, hidden);
    EXPECT_NEAR(static_cast<double>(decoder_scratch(decoder.config(), rows)) / workspace.most_bytes(), 1,
                0.02)
        << rows;
  }
}

TEST_P(PlannedScratch, IsWhatTowerAndConnectorTake) {
  const test::Loaded model(GetParam());
  const TileShape tile = model.frontend->tile_shape();
  if (tile.side == 0) return;  // a text model
  for (const int64_t tiles : {1, 3}) {
    Workspace workspace(test::device());
    const PixelBatch batch{.pixels = test::random_tensor({tiles, 3, tile.side, tile.side}, 1),
                           .patch_mask = {}};
    const Tensor features = model.engine->encode_image(batch, workspace, {});
    EXPECT_EQ(features.shape().back(), tile.features);
    const Tensor connected = model.engine->connect(features, workspace);
    EXPECT_EQ(connected.shape(), (Shape{tiles, tile.rows, tile.width}));
    EXPECT_NEAR(static_cast<double>(tower_scratch(model.frontend->config().vision, tile, tiles)) /
                    workspace.most_bytes(),
                1, 0.05)
        << tiles;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, PlannedScratch,
                         testing::Values("smolvlm_tiles", "llava_mistral", "llava_clip", "idefics3_granite",
                                         "swap_clip", "text_smollm2"),
                         [](const auto& param) { return param.param; });

class Planned : public testing::Test {
 protected:
  MemoryPlan plan(const MemoryRequest& request) const {
    return plan_memory(*frontend_, frontend_->files().checkpoint(), request);
  }
  MemoryRequest with_picture() const {
    const ImagePlan image = frontend_->plan({.width = 300, .height = 200}, std::nullopt);
    return {.images = {image}, .prompt_tokens = image.tokens + 20, .max_new_tokens = 11};
  }

  std::unique_ptr<const Frontend> frontend_ = load_frontend(test::data_path("models/smolvlm_tiles"));
};

TEST_F(Planned, SumsItsParts) {
  const MemoryPlan memory = plan(with_picture());
  int64_t image = 0, text = 0;
  for (const MemoryPart& line : memory.parts) {
    EXPECT_GE(line.image, 0);
    EXPECT_GE(line.text, 0);
    image += line.image;
    text += line.text;
  }
  EXPECT_EQ(memory.image(), image);
  EXPECT_EQ(memory.text(), text);
  EXPECT_EQ(memory.peak(), std::max(image, text));
}

TEST_F(Planned, AQuestionWithoutPicturesHasNoFirstHalf) {
  const MemoryPlan memory = plan({.prompt_tokens = 20});
  EXPECT_EQ(memory.image(), 0);
  EXPECT_EQ(memory.peak(), memory.text());
}

// config.json says tied; what the file holds decides.
TEST(PlannedHead, CountsACopyOnceAndAnOwnHeadBesideTheTable) {
  const std::string table = "model.text_model.embed_tokens.weight";
  const auto weights_with = [&](const std::function<void(std::vector<NamedTensor>&)>& change) {
    const test::ModelCopy model("tied_head");
    model.change_weights(change);
    const auto frontend = load_frontend(model.path());
    const MemoryRequest request{.prompt_tokens = 4, .max_new_tokens = 1};
    return part(plan_memory(*frontend, frontend->files().checkpoint(), request, {.touched_row = 256}),
                "weights")
        .text;
  };
  const Checkpoint original = Checkpoint::open_directory(test::data_path("models/tied_head"));
  const TensorView stored = *original.find(table);
  const int64_t bytes = stored.count() * size_of(stored.dtype);
  std::vector<std::byte> other(stored.data, stored.data + bytes);
  other.back() ^= std::byte{1};
  const int64_t plain = weights_with([](auto&) {});
  EXPECT_EQ(weights_with([&](std::vector<NamedTensor>& tensors) {
              tensors.push_back({"lm_head.weight", stored});
            }),
            plain);
  EXPECT_EQ(weights_with([&](std::vector<NamedTensor>& tensors) {
              tensors.push_back({"lm_head.weight", {stored.dtype, stored.shape, other.data()}});
            }),
            plain + 5 * 256);  // the head is read whole in the table's place, the table a row a token
}

// 3 layers, 2 heads of 16: a position is 3 * 2 * 32 floats.
TEST_F(Planned, TheCacheHoldsEveryPositionButTheLastInWholePages) {
  for (const int64_t pages : {1, 2}) {
    MemoryRequest request{.prompt_tokens = kPagePositions, .max_new_tokens = pages};
    const int64_t numbers = pages * kPagePositions * 3 * 2 * 32;
    EXPECT_EQ(part(plan(request), "key-value cache").text, numbers * 4);
    request.cache_dtype = DType::f16;
    EXPECT_EQ(part(plan(request), "key-value cache").text, numbers * 2);
  }
}

TEST_F(Planned, WeightsCountWhileTheyAreNeeded) {
  MemoryRequest request = with_picture();
  const MemoryPart gone = part(plan(request), "weights");
  request.low_memory = false;
  const MemoryPart kept = part(plan(request), "weights");
  EXPECT_EQ(kept.image, gone.image);
  EXPECT_EQ(kept.text, gone.text + gone.image);
  EXPECT_EQ(kept.text, frontend_->files().checkpoint().bytes());  // the small table is touched whole
}

TEST_F(Planned, ConvertedWeightsStayAndTakeWhatTheirFormatTakes) {
  MemoryRequest request = with_picture();
  request.weights = WeightDtype::q8;
  const MemoryPart q8 = part(plan(request), "weights");
  request.weights = WeightDtype::q4;
  const MemoryPart q4 = part(plan(request), "weights");
  request.weights = WeightDtype::as_stored;
  const MemoryPart stored = part(plan(request), "weights");
  EXPECT_GT(q8.image, stored.image);  // the text model's are there from the start
  EXPECT_LT(q8.text, stored.text + stored.image);
  EXPECT_LT(q4.text, q8.text);
  int64_t expected = 0;  // 34 bytes for 32 weights of each matrix
  const Checkpoint outline = frontend_->files().checkpoint();
  for (const auto& [name, view] : outline.tensors())
    if (view.shape.size() == 2 && view.shape[1] % 32 == 0) expected += view.count() * 34 / 32;
  EXPECT_GE(q8.text, expected);
  EXPECT_LT(q8.text, expected + 20'000);  // what stays as it is
}

TEST_F(Planned, CopiedWeightsAreThereAllTheTime) {
  MemoryRequest request = with_picture();
  request.mmap = false;
  const MemoryPart copied = part(plan(request), "weights");
  int64_t matrices = 0;
  const Checkpoint outline = frontend_->files().checkpoint();
  for (const auto& [name, view] : outline.tensors())
    if (view.shape.size() == 2) matrices += view.count() * size_of(view.dtype);
  EXPECT_GE(copied.image, matrices);
  EXPECT_GE(copied.text, matrices);
  EXPECT_LE(std::max(copied.image, copied.text), outline.bytes());
}

// Rows of 64 bfloat16 numbers: 128 bytes, two of them in each group of 256 bytes.
TEST_F(Planned, OnlyTheGroupsOfTheEmbeddingTableThatTokensLieInAreTouched) {
  MemoryRequest request{.prompt_tokens = 4, .max_new_tokens = 1};
  const auto weights = [&] {
    return part(plan_memory(*frontend_, frontend_->files().checkpoint(), request, {.touched_row = 256}),
                "weights")
        .text;
  };
  const int64_t each_another = weights();
  request.ids = {6, 7, 6, 9};
  EXPECT_EQ(each_another - weights(), 2 * 256);
}

TEST_F(Planned, ChunksMakeThePrefillSmall) {
  MemoryRequest request = with_picture();
  const int64_t whole = part(plan(request), "prompt rows and prefill").text;
  request.prefill_chunk = 16;
  const int64_t chunked = part(plan(request), "prompt rows and prefill").text;
  EXPECT_EQ(whole - chunked, decoder_scratch(frontend_->config().text, request.prompt_tokens) -
                                 decoder_scratch(frontend_->config().text, 16));
  for (const int64_t chunk : {0, 512, 1 << 20}) {
    request.prefill_chunk = chunk;
    EXPECT_EQ(part(plan(request), "prompt rows and prefill").text, whole);
  }
  request.prompt_tokens = 700;  // by itself a prompt is read in pieces of 512
  const int64_t large = part(plan(request), "prompt rows and prefill").text;
  request.prefill_chunk = 0;
  EXPECT_EQ(large - part(plan(request), "prompt rows and prefill").text,
            decoder_scratch(frontend_->config().text, 700) - decoder_scratch(frontend_->config().text, 512));
}

}  // namespace
}  // namespace galago
