// Image rows in the places of the placeholders, and what happens when the numbers disagree.
#include "runtime/pack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/devices.h"
#include "support/fixtures.h"

namespace galago {
namespace {

using testing::HasSubstr;

constexpr int32_t kImage = 9;

// Row i of n is (start + i, start + i).
Tensor rows_from(int64_t n, float start) {
  Tensor rows({n, 2});
  for (int64_t i = 0; i < n * 2; ++i) rows.data()[i] = start + static_cast<float>(i / 2);
  return rows;
}

// The first column of the packed rows; embeddings are 0, 1, 2..., image rows 100, 101...
std::vector<float> packed(const std::vector<int32_t>& ids, int64_t image_rows) {
  Tensor embeds = rows_from(static_cast<int64_t>(ids.size()), 0);
  const Tensor images = rows_from(image_rows, 100);
  pack(ids, kImage, images.matrix(), embeds.matrix(), test::device());
  std::vector<float> column;
  for (int64_t i = 0; i < embeds.shape()[0]; ++i) {
    EXPECT_EQ(embeds.data()[i * 2], embeds.data()[i * 2 + 1]);
    column.push_back(embeds.data()[i * 2]);
  }
  return column;
}

TEST(Pack, CountsPlaceholders) {
  EXPECT_EQ(count_placeholders(std::vector<int32_t>{9, 1, 9, 9, 0}, kImage), 3);
  EXPECT_EQ(count_placeholders({}, kImage), 0);
}

TEST(Pack, PutsImageRowsInTheirPlaces) {
  EXPECT_EQ(packed({1, 9, 9, 2, 3}, 2), (std::vector<float>{0, 100, 101, 3, 4}));
}

TEST(Pack, FillsSeveralRunsInOrder) {
  EXPECT_EQ(packed({9, 1, 9, 9, 2, 9}, 4), (std::vector<float>{100, 1, 101, 102, 4, 103}));
}

TEST(Pack, LeavesTextAlone) { EXPECT_EQ(packed({1, 2, 3}, 0), (std::vector<float>{0, 1, 2})); }

TEST(Pack, TakesAnEmptyPrompt) { EXPECT_TRUE(packed({}, 0).empty()); }

TEST(Pack, NamesBothNumbersWhenTheyDisagree) {
  const auto text = [](const std::vector<int32_t>& ids, int64_t image_rows) {
    const Error error = test::error_of([&] { packed(ids, image_rows); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid);
    return std::string(error.what());
  };
  EXPECT_THAT(text({1, 9, 9, 9}, 17), HasSubstr("3 placeholders"));
  EXPECT_THAT(text({1, 9, 9, 9}, 17), HasSubstr("17, one for each image row"));
  EXPECT_THAT(text({1, 9, 9}, 0), HasSubstr("2 placeholders"));
  EXPECT_THAT(text({1, 2}, 5), HasSubstr("0 placeholders"));
}

TEST(Pack, ChangesNothingWhenItRefuses) {
  Tensor embeds = rows_from(3, 0);
  const Tensor images = rows_from(1, 100);
  const std::vector<int32_t> ids{9, 9, 1};
  EXPECT_THROW(pack(ids, kImage, images.matrix(), embeds.matrix(), test::device()), Error);
  EXPECT_EQ(test::values(embeds), test::values(rows_from(3, 0)));
}

TEST(Pack, RefusesRowsOfAnotherWidth) {
  Tensor embeds = rows_from(2, 0);
  const Tensor images({1, 3});
  const std::vector<int32_t> ids{9, 1};
  const Error error =
      test::error_of([&] { pack(ids, kImage, images.matrix(), embeds.matrix(), test::device()); });
  EXPECT_EQ(error.code(), ErrorCode::input_invalid);
  EXPECT_THAT(error.what(), HasSubstr("got 3, expected 2"));
}

TEST(Pack, RefusesEmbeddingsThatAreNotOnePerId) {
  Tensor embeds = rows_from(2, 0);
  const std::vector<int32_t> ids{1, 2, 3};
  const Error error =
      test::error_of([&] { pack(ids, kImage, ConstMatrix(), embeds.matrix(), test::device()); });
  EXPECT_EQ(error.code(), ErrorCode::internal);
}

TEST(Pack, HonoursStrides) {
  Tensor wide({2, 5});  // rows of 2 inside rows of 5
  std::fill_n(wide.data(), 10, -1.0F);
  const Tensor images = rows_from(1, 100);
  const std::vector<int32_t> ids{1, 9};
  pack(ids, kImage, images.matrix(), Matrix(wide.data() + 1, 2, 2, 5), test::device());
  EXPECT_EQ(test::values(wide), (std::vector<float>{-1, -1, -1, -1, -1, -1, 100, 100, -1, -1}));
}

}  // namespace
}  // namespace galago
