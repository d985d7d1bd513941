// Position ids against those of transformers at every table size and number of patches up to 64.
#include "nn/vision/position_ids.h"

#include <gtest/gtest.h>

#include "formats/json.h"
#include "support/fixtures.h"

namespace galago {
namespace {

uint32_t crc32(const std::vector<int64_t>& values) {
  uint32_t crc = ~0U;
  for (const int64_t value : values)
    for (int byte = 0; byte < 8; ++byte) {
      crc ^= static_cast<uint32_t>(value >> (8 * byte) & 0xff);
      for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
    }
  return ~crc;
}

class PositionIds : public testing::Test {
 protected:
  PositionIds()
      : document_(parse_json(test::read_bytes(test::data_path("goldens/position_ids.json")), "golden")) {}
  Json document_;
};

TEST_F(PositionIds, RowBucketsAgreeAtEverySideAndCount) {
  int compared = 0;
  for (const Json& entry : document_["sides"]) {
    const auto side = entry["side"].get<int64_t>();
    for (int64_t present = 1; present <= 64; ++present) {
      const std::vector<uint8_t> mask(static_cast<size_t>(present), 1);
      const std::vector<int32_t> ids = vision_position_ids(mask, present, 1, side);
      std::vector<int64_t> buckets;
      for (const int32_t id : ids) buckets.push_back(id / side);
      ASSERT_EQ(crc32(buckets), entry["crc32"][static_cast<size_t>(present - 1)].get<uint32_t>())
          << "side " << side << ", " << present << " patches";
      ++compared;
    }
  }
  EXPECT_EQ(compared, 64 * 64);
}

TEST_F(PositionIds, ColumnBucketsAreTheRowBuckets) {
  for (int64_t side = 1; side <= 64; ++side)
    for (int64_t present = 1; present <= 64; ++present) {
      const std::vector<uint8_t> mask(static_cast<size_t>(present), 1);
      const std::vector<int32_t> rows = vision_position_ids(mask, present, 1, side);
      const std::vector<int32_t> cols = vision_position_ids(mask, 1, present, side);
      for (size_t i = 0; i < mask.size(); ++i) ASSERT_EQ(rows[i], cols[i] * side) << side << " " << present;
    }
}

TEST_F(PositionIds, WholeTilesWithPaddingAgree) {
  ASSERT_EQ(document_["tiles"].size(), 8U);
  for (const Json& entry : document_["tiles"]) {
    const auto height = entry["tile"][0].get<int64_t>();
    const auto width = entry["tile"][1].get<int64_t>();
    std::vector<uint8_t> mask(static_cast<size_t>(height * width), 0);
    for (int64_t y = 0; y < entry["present"][0].get<int64_t>(); ++y)
      for (int64_t x = 0; x < entry["present"][1].get<int64_t>(); ++x)
        mask[static_cast<size_t>(y * width + x)] = 1;
    EXPECT_EQ(vision_position_ids(mask, height, width, entry["side"].get<int64_t>()),
              entry["ids"].get<std::vector<int32_t>>())
        << entry["side"] << " " << entry["tile"] << " " << entry["present"];
  }
}

TEST(PositionIdsByHand, HalfATileSpreadsOverTheWholeTable) {
  // 2 of 4 rows and 4 of 4 columns of a 4 x 4 table: rows 0 and 1/2 fall into buckets 0 and 2.
  const std::vector<uint8_t> mask{1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(vision_position_ids(mask, 4, 4, 4),
            (std::vector<int32_t>{0, 1, 2, 3, 8, 9, 10, 11, 0, 0, 0, 0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace galago
