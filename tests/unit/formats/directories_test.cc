// Every model directory in the tree parses, and its weights open.
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/config/config.h"
#include "formats/safetensors/safetensors.h"
#include "galago/error.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> model_directories() {
  std::vector<fs::path> found;
  for (const fs::path& root : {fs::path(GALAGO_TEST_DATA) / "models", fs::path(GALAGO_SOURCE_DIR) / "models"})
    if (fs::is_directory(root))
      for (const auto& entry : fs::directory_iterator(root))
        if (fs::exists(entry.path() / "config.json")) found.push_back(entry.path());
  return found;
}

TEST(ModelDirectories, AllParse) {
  const std::vector<fs::path> directories = model_directories();
  ASSERT_GE(directories.size(), 4u);
  for (const fs::path& path : directories) {
    SCOPED_TRACE(path.string());
    try {
      const DirectoryFiles files(path);
      const std::string model_type = read_model_type(files);
      if (model_type != "idefics3" && model_type != "smolvlm") continue;
      const Idefics3Settings directory = read_idefics3_settings(files);
      const Idefics3Config& model = directory.model;
      EXPECT_GT(model.image_token_id, 0);
      EXPECT_LT(model.image_token_id, model.text.vocab_size);
      EXPECT_EQ(directory.preprocessor.max_image_size_longest_edge, model.vision.image_size);
      const int64_t side = model.vision.patches_per_side() / model.scale_factor;
      EXPECT_EQ(directory.processor.image_seq_len, side * side);
      EXPECT_FALSE(read_generation_config(files).eos_token_id.empty());
      const Checkpoint checkpoint = files.checkpoint();
      EXPECT_GT(checkpoint.tensors().size(), 20u);
      const TensorView* embedding = checkpoint.find("model.text_model.embed_tokens.weight");
      ASSERT_NE(embedding, nullptr);
      EXPECT_EQ(embedding->shape, (Shape{model.text.vocab_size, model.text.hidden_size}));
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

}  // namespace
}  // namespace galago
