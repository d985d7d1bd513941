// The weights that are asked for ahead: in whatever steps, they are the lines of the part that comes next,
// each once, and nothing beyond the matrix.
#include "kernels/cpu/weights_ahead.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "support/devices.h"

namespace galago::kernels::cpu {
namespace {

constexpr int64_t kLine = 64;

/// Outputs of one layer whose weights nobody reads.
class Layer {
 public:
  Layer(WeightFormat format, int64_t rows, int64_t cols, WeightLayout layout = WeightLayout::rows)
      : view_(format, rows, cols, layout) {
    if (view_.in_blocks()) view_.block_bytes = kHalfBytes + kWeightGroup;  // Q8_0
    memory_.resize(static_cast<size_t>(view_.bytes()));
    view_.values = memory_.data();
    if (view_.in_planes()) view_.scales = memory_.data();
    layer_ = Linear(Weight{view_, nullptr}, {}, Arithmetic::f32, test::device());
  }
  Product product() const { return {&layer_, Matrix(nullptr, 0, view_.rows), {}}; }
  const std::byte* at(int64_t byte) const { return memory_.data() + byte; }
  int64_t bytes() const { return static_cast<int64_t>(memory_.size()); }

 private:
  WeightView view_;
  std::vector<std::byte> memory_;
  Linear layer_;
};

/// Byte offsets of the lines that `steps` steps ask for.
std::multiset<int64_t> lines_of(const Layer& layer, const WeightPart& part, int64_t steps) {
  const std::vector<Product> products = {layer.product()};
  const Chain chain{products, {}, 1024};
  WeightsAhead ahead(chain, part, steps);
  std::multiset<int64_t> lines;
  for (int64_t s = 0; s < steps; ++s) {
    Prefetch prefetch;
    ahead.step(prefetch);
    for (int64_t l = 0; l < prefetch.weight_lines; ++l) {
      const int64_t offset = prefetch.weights + kLine * l - layer.at(0);
      EXPECT_GE(offset, 0);
      EXPECT_LT(offset, layer.bytes());
      lines.insert(offset);
    }
  }
  return lines;
}

std::multiset<int64_t> rows_of_lines(int64_t first, int64_t rows, int64_t stride, int64_t lines) {
  std::multiset<int64_t> all;
  for (int64_t r = first; r < first + rows; ++r)
    for (int64_t l = 0; l < lines; ++l) all.insert(r * stride + kLine * l);
  return all;
}

TEST(WeightsAhead, EachLineOfThePartOnce) {
  const Layer layer(WeightFormat::bf16, 100, 768);
  for (const int64_t steps : {48, 64, 96, 200, 1000})
    EXPECT_EQ(lines_of(layer, {48, 48, 0, 768}, steps), rows_of_lines(48, 48, 1536, 24)) << steps;
}

TEST(WeightsAhead, TheLastOutputsAndNothingBehindThem) {
  const Layer layer(WeightFormat::f32, 100, 64);
  EXPECT_EQ(lines_of(layer, {96, 48, 0, 64}, 64), rows_of_lines(96, 4, 256, 4));
  EXPECT_TRUE(lines_of(layer, {144, 48, 0, 64}, 64).empty());
  EXPECT_TRUE(lines_of(layer, {0, 48, 64, 64}, 64).empty());
}

TEST(WeightsAhead, APartOfTheColumns) {
  const Layer layer(WeightFormat::f32, 8, 96);
  std::multiset<int64_t> expected;
  for (int64_t r = 0; r < 8; ++r) expected.insert(r * 384 + 256), expected.insert(r * 384 + 320);
  EXPECT_EQ(lines_of(layer, {0, 8, 64, 64}, 16), expected);
}

TEST(WeightsAhead, PanelsAndBlocks) {
  const int64_t panel = panel_bytes(WeightFormat::q8, 64);
  EXPECT_EQ(lines_of(Layer(WeightFormat::q8, 48, 64, WeightLayout::panels), {16, 32, 0, 64}, 8),
            rows_of_lines(1, 2, panel, panel / kLine));
  EXPECT_EQ(lines_of(Layer(WeightFormat::q8, 48, 128, WeightLayout::blocks), {0, 48, 0, 128}, 96),
            rows_of_lines(0, 48, 4 * 34, 3));
}

// So much that it would put out of the cache what is in work is not asked for whole.
TEST(WeightsAhead, AtMostAQuarterOfAMegabyte) {
  EXPECT_EQ(lines_of(Layer(WeightFormat::f32, 48, 8192), {0, 48, 0, 8192}, 64).size(), 48 * 85);
}

TEST(WeightsAhead, AllProductsOfAChain) {
  const Layer gate(WeightFormat::f32, 4, 16), up(WeightFormat::f32, 4, 16);
  const std::vector<Product> products = {gate.product(), up.product()};
  const Chain chain{products, {}, 1024};
  WeightsAhead ahead(chain, {0, 4, 0, 16}, 8);
  std::vector<const std::byte*> lines;
  for (int s = 0; s < 9; ++s) {
    Prefetch prefetch;
    ahead.step(prefetch);
    EXPECT_EQ(prefetch.weight_lines, s < 8 ? 1 : 0);
    if (prefetch.weight_lines) lines.push_back(prefetch.weights);
  }
  for (size_t i = 0; i < 8; ++i)
    EXPECT_EQ(lines.at(i), (i < 4 ? gate : up).at(static_cast<int64_t>(i % 4) * 64));
}

TEST(NextPart, GoesOnInTheColumnsAndThenToTheNextOutputs) {
  const Layer layer(WeightFormat::f32, 100, 96);
  const std::vector<Product> products = {layer.product()};
  const Chain chain{products, {}, 1024};
  const WeightPart next = next_part(chain, {48, 48, 0, 64});
  EXPECT_EQ(next.first, 48);
  EXPECT_EQ(next.begin, 64);
  const WeightPart behind = next_part(chain, next);
  EXPECT_EQ(behind.first, 96);
  EXPECT_EQ(behind.begin, 0);
  EXPECT_EQ(behind.cols, 64);
}

}  // namespace
}  // namespace galago::kernels::cpu
