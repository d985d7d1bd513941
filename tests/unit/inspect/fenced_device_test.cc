// Every family's whole way on a device whose memory the host cannot read: no station touches rows but through
// the device, and what comes out is what the reference device gives, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "inspect/trace.h"
#include "models/registry.h"
#include "runtime/image_encoder.h"
#include "runtime/sequence.h"
#include "support/fenced_device.h"
#include "support/model_files.h"

namespace galago {
namespace {

RgbImage picture(int64_t width, int64_t height) {
  RgbImage image{.width = width, .height = height, .pixels = {}};
  for (int64_t i = 0; i < width * height * 3; ++i) image.pixels.push_back(static_cast<uint8_t>(i * 37 % 251));
  return image;
}

// A model of any container, its weights as they are stored.
struct Loaded {
  Loaded(const std::string& name, const kernels::SharedDevice& device)
      : frontend(load_frontend(test::data_path("models/" + name), test::on(device))),
        checkpoint(frontend->files().checkpoint()),
        engine(frontend->load_engine(checkpoint)) {}

  std::unique_ptr<const Frontend> frontend;
  Checkpoint checkpoint;
  std::unique_ptr<const Engine> engine;
};

Trace trace_of(const Loaded& model, const std::vector<RgbImage>& images) {
  TraceRequest request;
  request.text.prompt = "What is this?";
  request.text.raw = !model.frontend->has_template();
  if (model.frontend->reads_pictures()) request.images = images;
  request.max_new_tokens = 5;
  return run_trace(*model.frontend, *model.engine, request);
}

class EveryFamily : public testing::TestWithParam<const char*> {};

TEST_P(EveryFamily, GivesTheBitsOfTheReferenceDevice) {
  const std::vector<RgbImage> images{picture(90, 70), picture(40, 61)};
  const Loaded here(GetParam(), kernels::reference_device());
  const auto device = std::make_shared<const test::FencedDevice>();
  const Loaded there(GetParam(), device);
  const int64_t weights = device->fenced().used();
  EXPECT_GT(weights, 0);
  const Trace expected = trace_of(here, images), got = trace_of(there, images);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].name, expected[i].name);
    EXPECT_EQ(got[i].shape, expected[i].shape);
    EXPECT_TRUE(got[i].bytes == expected[i].bytes) << got[i].name;
  }
  EXPECT_EQ(device->fenced().used(), weights) << "everything but the weights was given back";
}

TEST_P(EveryFamily, DecodesSeveralSequencesThatShareTheirBeginning) {
  const auto device = std::make_shared<const test::FencedDevice>();
  const auto run = [](const kernels::SharedDevice& on) {
    const Loaded model(GetParam(), on);
    const Decoder& decoder = model.engine->decoder();
    auto pages = std::make_shared<KvPages>(decoder.cache_shape(DType::f16), 0, decoder.device().memory());
    PrefixIndex kept(int64_t{1} << 20, pages->page_bytes());
    DecoderSequences sequences(decoder, pages, &kept);
    std::vector<float> all;
    std::vector<NextToken> next;
    for (const int32_t last : {5, 6, 7}) {
      std::vector<int32_t> ids;
      for (int32_t i = 0; i < 40; ++i) ids.push_back(i % 20 + 1);
      ids.push_back(last);
      const OpenSequence open = sequences.open({ids, {}});
      sequences.grow(open.number, 60);
      const auto rest = std::span(ids).subspan(static_cast<size_t>(open.cached));
      Tensor rows({std::ssize(rest), decoder.config().hidden_size}, decoder.device().memory());
      decoder.embed(rest, rows.matrix());
      const auto logits = sequences.prefill(open.number, rows.matrix());
      all.insert(all.end(), logits.begin(), logits.end());
      if (last == 5)
        sequences.close(open.number);  // its last page, which is not full, is copied by who begins with it
      else
        next.push_back({.sequence = open.number, .id = last + 1});
    }
    for (int step = 0; step < 3; ++step) {
      const ConstMatrix logits = sequences.decode(next);
      for (int64_t i = 0; i < logits.rows; ++i)
        all.insert(all.end(), logits.row(i), logits.row(i) + logits.cols);
    }
    return all;
  };
  EXPECT_EQ(run(device), run(kernels::reference_device()));
}

#ifdef GALAGO_SANITIZED  // the twins take minutes there
const char* const kModels[] = {"smolvlm_tiles", "llava_clip", "text_smollm2"};
#else
const char* const kModels[] = {
    "smolvlm_tiles", "grid26_scale2_partial", "idefics3_llama3", "tied_head",    "swap_clip",
    "llava_clip",    "llava_granite",         "llava_mistral",   "text_smollm2", "text_granite",
    "text_mistral",  "gguf_smolvlm_q8"};
#endif

INSTANTIATE_TEST_SUITE_P(Models, EveryFamily, testing::ValuesIn(kModels),
                         [](const auto& param) { return std::string(param.param); });

class DualEncoders : public testing::TestWithParam<const char*> {};

TEST_P(DualEncoders, GiveTheBitsOfTheReferenceDevice) {
  const std::vector<RgbImage> images{picture(50, 40), picture(31, 64)};
  const std::vector<std::string> texts{"a cat", "two dogs"};
  const auto run = [&](const kernels::SharedDevice& device) {
    const auto encoder =
        load_dual_encoder(test::data_path(std::string("models/") + GetParam()), test::on(device));
    Workspace workspace(encoder->device());
    std::vector<float> all = test::values(on_host(encoder->encode_images(images, workspace)));
    const std::vector<float> more =
        test::values(on_host(encoder->encode_texts(texts, false, workspace).rows));
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_EQ(run(std::make_shared<const test::FencedDevice>()), run(kernels::reference_device()));
}

INSTANTIATE_TEST_SUITE_P(Models, DualEncoders, testing::Values("siglip", "siglip2", "naflex"),
                         [](const auto& param) { return std::string(param.param); });

TEST(FencedDevice, KeepsKnownPicturesWhereTheHostReadsThem) {
  const auto device = std::make_shared<const test::FencedDevice>();
  const Loaded model("smolvlm_tiles", device);
  const RgbImage image = picture(90, 70);
  FeatureCache cache({}, [] { return Digest{}; });
  const PlannedPrompt plan = plan_prompt(*model.frontend, {.prompt = "Hi"}, {{{90, 70}}}, {});
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < 2; ++i) {
    Timings timings;
    CacheCounts counts;
    ImageEncoder encoder(*model.frontend, *model.engine, {.cache = &cache});
    const auto encoded = encoder.encode({.images = {&image}, .videos = {}}, plan, {timings, counts});
    EXPECT_EQ(counts.memory_hits, i);
    EXPECT_EQ(&encoded[0].rows->memory(), &device->memory());
    rows.push_back(test::values(encoded[0].rows->copy()));
  }
  EXPECT_EQ(rows[0], rows[1]);
}

TEST(FencedDevice, MergesAdapters) {
  const auto logits = [](const kernels::SharedDevice& device) {
    ModelOptions options = test::on(device);
    options.lora = {{.directory = test::data_path("adapters/smollm2_all"), .scale = 1}};
    const auto frontend = load_frontend(test::data_path("models/text_smollm2"), options);
    const Checkpoint checkpoint = frontend->files().checkpoint();
    const auto engine = frontend->load_engine(checkpoint);
    TraceRequest request;
    request.text.prompt = "Hi";
    request.max_new_tokens = 1;
    return find(run_trace(*frontend, *engine, request), "logits")->bytes;
  };
  EXPECT_TRUE(logits(std::make_shared<const test::FencedDevice>()) == logits(kernels::reference_device()));
}

using FencedDeviceDeathTest = testing::Test;

TEST(FencedDeviceDeathTest, AStationThatReadsItsRowsDies) {
  const test::FencedDevice device;
  Tensor rows({2, 3}, device.memory());
  device.copy_in(test::tensor_of({2, 3}, {1, 2, 3, 4, 5, 6}).matrix(), rows.matrix());
  EXPECT_EQ(test::values(rows.copy()), (std::vector<float>{1, 2, 3, 4, 5, 6}));
#ifdef GALAGO_SANITIZED  // which tell of the signal themselves, and exit
  EXPECT_DEATH(std::fill_n(rows.data(), 6, 1.0F), "SEGV");
#else
  EXPECT_EXIT(std::fill_n(rows.data(), 6, 1.0F), testing::KilledBySignal(SIGSEGV), "");
#endif
  const Tensor host = test::tensor_of({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THROW(device.copy(host.matrix(), rows.matrix()), std::logic_error);
}

}  // namespace
}  // namespace galago
