// The text side of the tiny checkpoints, end to end: template, tile expansion and tokenizer give the prompt
// that the reference's processor gave. Goldens: tests/data/goldens, made by tools/oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "text/prompt/chat_template.h"
#include "text/prompt/image_prompt.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {
namespace {

const std::filesystem::path kData = GALAGO_TEST_DATA;

nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return nlohmann::json::parse(file);
}

std::vector<ChatMessage> messages_of(const nlohmann::json& list) {
  std::vector<ChatMessage> messages;
  for (const auto& entry : list) {
    ChatMessage message{entry["role"], {}};
    for (const auto& part : entry["content"]) {
      const bool image = part["type"] == "image";
      message.content.push_back({image ? ContentPart::Type::image : ContentPart::Type::text,
                                 image ? "" : part["text"].get<std::string>()});
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

/// How often `part` occurs in `text`.
size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

class ModelDirectoryText : public testing::TestWithParam<std::string> {
 protected:
  nlohmann::json golden_ = read_json(kData / "goldens" / GetParam() / "golden.json");
  std::filesystem::path model_ = kData / "models" / golden_["model"].get<std::string>();
};

TEST_P(ModelDirectoryText, RendersThePromptOfTheReference) {
  const ChatTemplate chat = ChatTemplate::from_files(DirectoryFiles(model_));
  const Segments prompt =
      chat.render(messages_of(golden_["messages"]), read_template_context(DirectoryFiles(model_)));
  EXPECT_EQ(joined(prompt), golden_["rendered_prompt"].get<std::string>());
}

TEST_P(ModelDirectoryText, DecodesWhatItEncodes) {
  const Tokenizer tokenizer = Tokenizer::from_files(DirectoryFiles(model_));
  const auto expanded = golden_["expanded_prompt"].get<std::string>();
  const std::vector<int32_t> ids = tokenizer.encode(expanded);
  EXPECT_EQ(tokenizer.decode(ids, false), expanded);
  const auto image = tokenizer.token_to_id("<image>");
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(static_cast<size_t>(std::count(ids.begin(), ids.end(), *image)), count_of(expanded, "<image>"));
}

/// The grid of each image, read back from the reference's expanded prompt.
std::vector<TileGrid> grids_of(const std::string& expanded) {
  std::vector<TileGrid> grids(1);
  size_t images = 0;
  const std::string global = "<global-img>";
  for (size_t at = 0; at < expanded.size(); ++at) {
    int row = 0;
    int col = 0;
    if (std::sscanf(expanded.c_str() + at, "<row_%d_col_%d>", &row, &col) == 2)
      grids.back() = {std::max<int64_t>(grids.back().rows, row), std::max<int64_t>(grids.back().cols, col)};
    if (expanded.compare(at, global.size(), global) != 0) continue;
    ++images;
    grids.emplace_back();
  }
  grids.resize(images);
  return grids;
}

TEST_P(ModelDirectoryText, ExpandsImagesAsTheReference) {
  const auto expanded = golden_["expanded_prompt"].get<std::string>();
  const std::vector<TileGrid> grids = grids_of(expanded);
  ASSERT_EQ(grids.size(), golden_["images"].size());
  int64_t tiles = 0;
  for (const TileGrid grid : grids) tiles += grid.tiles();
  const int64_t rows = tiles == 0 ? 0 : static_cast<int64_t>(count_of(expanded, "<image>")) / tiles;
  const Segments prompt = {{golden_["rendered_prompt"].get<std::string>(), false}};
  EXPECT_EQ(joined(expand_image_prompt(prompt, grids, rows, {})), expanded);
}

INSTANTIATE_TEST_SUITE_P(Tiny, ModelDirectoryText,
                         testing::Values("smolvlm_tiles", "two_images", "no_split", "text_only", "tied_head",
                                         "grid27_scale3", "grid26_scale2_partial"),
                         [](const auto& golden) { return golden.param; });

}  // namespace
}  // namespace galago
