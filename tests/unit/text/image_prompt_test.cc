// Image placeholders written out as tiles. Reference: Idefics3Processor's image prompt, worked out by hand
// here and compared with the reference's prompts in model_directory_test.cc.
#include "text/prompt/image_prompt.h"

#include <gtest/gtest.h>

namespace galago {
namespace {

const ImageTokens kShort{.image = "<i>", .fake = "<f>", .global_image = "<g>"};

TEST(ImagePrompt, AnUnsplitImageIsTheGlobalImageAlone) {
  const Segments out = expand_image_prompt({{"a<i>b", false}}, std::vector<TileGrid>(1), 2, kShort);
  EXPECT_EQ(joined(out), "a<f><g><i><i><f>b");
}

TEST(ImagePrompt, TilesComeRowByRowAndTheGlobalImageLast) {
  const std::vector<TileGrid> grids = {{2, 3}};
  EXPECT_EQ(joined(expand_image_prompt({{"<i>", false}}, grids, 1, kShort)),
            "<f><row_1_col_1><i><f><row_1_col_2><i><f><row_1_col_3><i>\n"
            "<f><row_2_col_1><i><f><row_2_col_2><i><f><row_2_col_3><i>\n"
            "\n<f><g><i><f>");
}

TEST(ImagePrompt, CountsTheTokensOfAGridAsTheFormulaSays) {
  // gh * (66 * gw + 1) + 68 ids for 64 rows a tile, when both line breaks before the global image are one id.
  EXPECT_EQ(image_token_count({4, 4}, 64), 1088);
  EXPECT_EQ(image_token_count({0, 0}, 64), 64);
}

TEST(ImagePrompt, PlaceholdersInUserTextStayText) {
  const Segments prompt = {{"x<i>", false}, {"<i>", true}, {"<i", false}, {">", true}};
  const Segments out = expand_image_prompt(prompt, std::vector<TileGrid>(1), 1, kShort);
  EXPECT_EQ(joined(out), "x<f><g><i><f><i><i>");
  ASSERT_EQ(out.size(), 4U);
  EXPECT_EQ(out[1].text, "<i>");
  EXPECT_TRUE(out[1].user);
  const Segments parsed = expand_image_prompt({{"<i>", true}}, std::vector<TileGrid>(1), 1, kShort, true);
  EXPECT_EQ(joined(parsed), "<f><g><i><f>");
}

TEST(ImagePrompt, ImagesTakeTheirGridsInOrder) {
  const std::vector<TileGrid> grids = {{1, 1}, {0, 0}};
  EXPECT_EQ(joined(expand_image_prompt({{"<i>,<i>", false}}, grids, 1, kShort)),
            "<f><row_1_col_1><i>\n\n<f><g><i><f>,<f><g><i><f>");
}

}  // namespace
}  // namespace galago
