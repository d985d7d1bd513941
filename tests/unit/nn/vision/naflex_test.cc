// The table of positions at other resolutions, and the tower that hides padding.
#include "nn/vision/naflex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "formats/config/siglip_config.h"
#include "nn/vision/position_resize.h"
#include "support/devices.h"
#include "support/fixtures.h"

namespace galago {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<float> resized(const Tensor& table, PatchGrid grid) {
  Tensor out({grid.patches(), table.shape()[1]});
  Workspace workspace(test::device());
  resize_positions(table.matrix(), grid, out.matrix(), workspace);
  return test::values(out);
}

TEST(ResizePositions, ByHand) {
  const Tensor table = test::tensor_of({4, 1}, {0, 1, 2, 3});
  EXPECT_THAT(resized(table, {.rows = 2, .cols = 2}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(resized(table, {.rows = 1, .cols = 1}), ElementsAre(1.5F));  // every place counts, not one
  EXPECT_THAT(resized(table, {.rows = 1, .cols = 3}), ElementsAre(1, 1.5F, 2));
  EXPECT_THAT(resized(table, {.rows = 3, .cols = 2}), ElementsAre(0, 1, 1, 2, 2, 3));
  EXPECT_THAT(resized(table, {.rows = 2, .cols = 1}), ElementsAre(0.5F, 2.5F));
  EXPECT_THAT(resized(table, {.rows = 3, .cols = 1}), ElementsAre(0.5F, 0.5F, 0.5F));  // torch's habit
  EXPECT_THAT(resized(test::tensor_of({1, 2}, {5, 7}), {.rows = 1, .cols = 2}), ElementsAre(5, 7, 5, 7));
}

TEST(ResizePositions, AsTorchDoesInEveryDirection) {
  const Checkpoint golden = Checkpoint::open_file(test::data_path("goldens/naflex_positions.safetensors"));
  int cases = 0;
  double largest = 0;
  for (const auto& [name, view] : golden.tensors()) {
    long side = 0, rows = 0, cols = 0;
    if (std::sscanf(name.c_str(), "%ld_%ldx%ld", &side, &rows, &cols) != 3) continue;
    const Tensor table = to_tensor(*golden.find("table_" + std::to_string(side)));
    const Tensor expected = to_tensor(view);
    const std::vector<float> ours = resized(table, {.rows = rows, .cols = cols});
    const double difference =
        test::max_difference({ours.data(), rows * cols, table.shape()[1]}, expected.matrix());
    EXPECT_LT(difference, 1e-6) << name;
    if (rows == side && cols == side) {
      EXPECT_EQ(difference, 0) << name;
    }
    largest = std::max(largest, difference);
    ++cases;
  }
  EXPECT_EQ(cases, 30);
  RecordProperty("largest_difference", std::to_string(largest));
}

class NaflexTowerTest : public testing::Test {
 protected:
  NaflexTower tower() { return {settings_.model.vision, binder_.root().sub("vision_model")}; }
  // Pictures of these grids in L rows each, all of noise: nobody may look at what is behind a grid.
  static PatchBatch noise(const std::vector<PatchGrid>& grids, int64_t length, unsigned seed = 3) {
    return {.patches = test::random_tensor({std::ssize(grids), length, 192}, seed), .grids = grids};
  }

  DirectoryFiles files_{test::data_path("models/naflex")};
  NaflexSettings settings_ = read_naflex_settings(files_);
  Checkpoint checkpoint_ = files_.checkpoint();
  Binder binder_{checkpoint_, test::device()};
  Workspace workspace_{test::device()};
};

TEST_F(NaflexTowerTest, APictureIsTheSameAloneAndBesideALargerOne) {
  const NaflexTower tower = this->tower();
  const PatchBatch both = noise({{.rows = 3, .cols = 4}, {.rows = 6, .cols = 4}}, 24);
  PatchBatch alone{.patches = Tensor({1, 12, 192}), .grids = {both.grids[0]}};
  std::copy_n(both.patches.data(), alone.patches.size(), alone.patches.data());
  const TowerOutput small = tower.forward(alone, workspace_);
  const TowerOutput pair = tower.forward(both, workspace_);
  EXPECT_EQ(pair.last_hidden_state->shape(), (Shape{2, 24, 24}));
  EXPECT_EQ(pair.pooler_output->shape(), (Shape{2, 24}));
  EXPECT_LT(test::max_difference(small.last_hidden_state->matrix(),
                                 pair.last_hidden_state->matrix().slice_rows(0, 12)),
            1e-5);
  EXPECT_LT(
      test::max_difference(small.pooler_output->matrix(), pair.pooler_output->matrix().slice_rows(0, 1)),
      1e-5);
}

TEST_F(NaflexTowerTest, TheSamePatchesInAnotherGridAreAnotherPicture) {
  const NaflexTower tower = this->tower();
  const PatchBatch tall = noise({{.rows = 6, .cols = 2}}, 12);
  const PatchBatch wide = noise({{.rows = 2, .cols = 6}}, 12);
  EXPECT_GT(test::max_difference(tower.forward(tall, workspace_).pooler_output->matrix(),
                                 tower.forward(wide, workspace_).pooler_output->matrix()),
            1e-3);
}

TEST_F(NaflexTowerTest, RefusesWhatIsNoListOfItsPatches) {
  const NaflexTower tower = this->tower();
  const auto refused = [&](const PatchBatch& batch) {
    const Error error = test::error_of([&] { tower.forward(batch, workspace_); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid);
    return std::string(error.what());
  };
  EXPECT_THAT(refused({.patches = Tensor({1, 4, 100}), .grids = {{.rows = 2, .cols = 2}}}),
              HasSubstr("got [1, 4, 100] with 1 grids, expected [N, L, 192] with N grids"));
  EXPECT_THAT(refused({.patches = Tensor({2, 4, 192}), .grids = {{.rows = 2, .cols = 2}}}),
              HasSubstr("with 1 grids"));
  EXPECT_THAT(refused({.patches = Tensor({0, 4, 192}), .grids = {}}), HasSubstr("with 0 grids"));
  EXPECT_THAT(refused(noise({{.rows = 3, .cols = 2}}, 4)), HasSubstr("got 3 x 2 patches, expected 1 to 4"));
  EXPECT_THAT(refused(noise({{.rows = 0, .cols = 2}}, 4)), HasSubstr("got 0 x 2 patches"));
  EXPECT_THAT(refused(noise({{.rows = int64_t{1} << 62, .cols = 4}}, 4)), HasSubstr("expected 1 to 4"));
}

}  // namespace
}  // namespace galago
