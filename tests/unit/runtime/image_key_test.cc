// Keys: everything that changes rows changes a key, and nothing else does.
#include "runtime/image_key.h"

#include <gtest/gtest.h>

#include <set>

#include "kernels/kernels.h"
#include "support/devices.h"
#include "support/model_files.h"

namespace galago {
namespace {

RgbImage flat(int64_t width, int64_t height) {
  return {.width = width,
          .height = height,
          .pixels = std::vector<uint8_t>(static_cast<size_t>(width * height * 3), 7)};
}

TEST(PictureKey, IsOfPixelsSizeKindAndSplitting) {
  const RgbImage image = flat(6, 4);
  RgbImage other = image;
  ++other.pixels.back();
  const std::set<Digest> keys{
      picture_key(image, PictureKind::image, {}),      picture_key(image, PictureKind::image, true),
      picture_key(image, PictureKind::image, false),   picture_key(image, PictureKind::frame, {}),
      picture_key(flat(4, 6), PictureKind::image, {}), picture_key(flat(24, 1), PictureKind::image, {}),
      picture_key(other, PictureKind::image, {})};
  EXPECT_EQ(keys.size(), 7U);
  EXPECT_EQ(picture_key(image, PictureKind::image, {}), picture_key(flat(6, 4), PictureKind::image, {}));
}

TEST(TileKeys, AreOfBytesSizeAndKind) {
  Tiles tiles{.grid = {}, .count = 3, .height = 2, .width = 4, .pixels = std::vector<uint8_t>(72, 1)};
  tiles.pixels[2 * 24] = 2;
  const std::vector<Digest> keys = tile_keys(tiles, PictureKind::image);
  ASSERT_EQ(keys.size(), 3U);
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_NE(keys[0], keys[2]);
  EXPECT_NE(tile_keys(tiles, PictureKind::frame)[0], keys[0]);
  std::swap(tiles.height, tiles.width);
  EXPECT_NE(tile_keys(tiles, PictureKind::image)[0], keys[0]);
}

Digest key_of(const std::filesystem::path& directory, const std::string& dtype = "auto",
              test::Backend backend = test::Backend::cpu) {
  const test::Loaded model(directory, test::shared_device(backend));
  return model_key(*model.frontend, model.checkpoint, dtype);
}

// One byte of one tensor, changed: its last or its first.
void touch(const test::ModelCopy& copy, const std::string& part, bool last = true) {
  std::vector<std::byte> bytes;
  copy.change_weights([&](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& tensor : tensors) {
      if (tensor.name.find(part) == std::string::npos) continue;
      bytes.assign(tensor.view.data, tensor.view.data + tensor.view.count() * size_of(tensor.view.dtype));
      (last ? bytes.back() : bytes.front()) ^= std::byte{1};
      tensor.view.data = bytes.data();
      return;
    }
    ADD_FAILURE() << "no tensor " << part;
  });
}

TEST(ModelKey, IsOfTheWeightsThatPicturesGoThrough) {
  const Digest whole = key_of(test::ModelCopy().path());
  EXPECT_EQ(key_of(test::ModelCopy().path()), whole);
  for (const char* part : {"vision_model.encoder", "vision_model.embeddings.position", "connector."}) {
    const test::ModelCopy copy;
    touch(copy, part);
    EXPECT_NE(key_of(copy.path()), whole) << part;
  }
  const test::ModelCopy copy;
  touch(copy, "text_model.layers");
  EXPECT_EQ(key_of(copy.path()), whole);
}

TEST(ModelKey, CoversEveryPartOfLlavaNext) {
  const Digest whole = key_of(test::ModelCopy("llava_clip").path());
  for (const char* part : {"vision_tower.", "multi_modal_projector.", "image_newline"}) {
    const test::ModelCopy copy("llava_clip");
    touch(copy, part);
    EXPECT_NE(key_of(copy.path()), whole) << part;
  }
}

TEST(ModelKey, IsOfTheSettings) {
  const Digest whole = key_of(test::ModelCopy().path());
  const test::ModelCopy resampled, eps;
  const std::string file = std::filesystem::exists(resampled.path() / "preprocessor_config.json")
                               ? "preprocessor_config.json"
                               : "processor_config.json";
  resampled.edit(file, "\"resample\": 1", "\"resample\": 3");
  EXPECT_NE(key_of(resampled.path()), whole);
  eps.edit("config.json", "\"layer_norm_eps\": 1e-06", "\"layer_norm_eps\": 1e-05");
  EXPECT_NE(key_of(eps.path()), whole);
}

TEST(ModelKey, IsOfDtypeAndKernels) {
  const test::ModelCopy copy;
  const Digest whole = key_of(copy.path());
  EXPECT_NE(key_of(copy.path(), "q8"), whole);
  EXPECT_NE(key_of(copy.path(), "auto", test::Backend::reference), whole);
}

Digest fingerprint_of(const std::filesystem::path& directory) {
  const test::Loaded model(directory, test::shared_device(test::Backend::cpu));
  return model_fingerprint(*model.frontend, model.frontend->files().checkpoint());
}

TEST(ModelFingerprint, IsOfSettingsTokenizerAndEveryPartsTensors) {
  const Digest whole = fingerprint_of(test::ModelCopy().path());
  EXPECT_EQ(fingerprint_of(test::ModelCopy().path()), whole);
  for (const char* part : {"vision_model.encoder", "connector.", "text_model.layers"}) {
    const test::ModelCopy copy;
    touch(copy, part, false);
    EXPECT_NE(fingerprint_of(copy.path()), whole) << part;
  }
  const test::ModelCopy settings, behind;
  settings.edit("tokenizer_config.json", "{", "{ ");
  EXPECT_NE(fingerprint_of(settings.path()), whole);
  touch(behind, "modality_projection.proj");  // the last of more bytes than the sample has
  EXPECT_EQ(fingerprint_of(behind.path()), whole);
}

}  // namespace
}  // namespace galago
