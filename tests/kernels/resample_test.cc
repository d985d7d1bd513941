// Resampling and table look-up give the same bytes and floats as their twins, bit for bit: at random sizes,
// with weights that use all of their range, in every layout, on one thread and on several, on every
// instruction set that the machine has.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstring>
#include <random>

#include "kernels/reference/reference.h"
#include "support/devices.h"

namespace galago::kernels {
namespace {

std::mt19937 engine(17);

int64_t between(int64_t least, int64_t most) {
  return std::uniform_int_distribution<int64_t>(least, most)(engine);
}

std::vector<uint8_t> random_bytes(int64_t count) {
  std::vector<uint8_t> bytes(static_cast<size_t>(count));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(between(0, 255));
  return bytes;
}

/// Windows that move on as those of a filter do; some read nothing.
ResampleAxis random_axis(int64_t in, int64_t out, int bits) {
  ResampleAxis axis;
  axis.in = in;
  axis.bits = bits;
  axis.taps = std::min(in, in / out + between(1, 9));
  int64_t end = 0;
  for (int64_t i = 0; i < out; ++i) {
    const int64_t begin = std::min(in, i * in / out);
    end = std::max(end, std::min(in, begin + between(0, axis.taps)));
    axis.first.push_back(static_cast<int32_t>(std::max(begin, end - axis.taps)));
    if (i > 0) axis.first.back() = std::max(axis.first.back(), axis.first[static_cast<size_t>(i) - 1]);
    axis.count.push_back(static_cast<int32_t>(std::max<int64_t>(end - axis.first.back(), 0)));
  }
  // As large as the sum allows: |sum of weights * 255| stays below 2^31.
  const int64_t most = std::min<int64_t>((int64_t{1} << 31) / 256 / axis.taps, 1 << 26);
  for (int64_t i = 0; i < out * axis.taps; ++i)
    axis.weights.push_back(static_cast<int32_t>(between(-most / 2, most - 1)));
  return axis;
}

void expect_twins_agree(const ConstPicture& in, std::span<const ResamplePass> passes,
                        const PictureLayout& layout, int64_t bytes) {
  std::vector<uint8_t> expected(static_cast<size_t>(bytes), 7), found(static_cast<size_t>(bytes), 7);
  reference::resample(in, passes, {expected.data(), layout});
  test::device().resample(in, passes, {found.data(), layout});
  const auto [a, b] = std::mismatch(expected.begin(), expected.end(), found.begin());
  EXPECT_EQ(a - expected.begin(), bytes) << "first difference: " << int{*a} << " and " << int{*b};
}

void compare_random_passes(int cases, int64_t most) {
  for (int i = 0; i < cases; ++i) {
    const int64_t width = between(1, most), height = between(1, most);
    const int64_t wide = between(1, most), middle = between(1, most), high = between(1, most);
    SCOPED_TRACE(std::to_string(width) + "x" + std::to_string(height) + " to " + std::to_string(wide) + "x" +
                 std::to_string(middle) + " to height " + std::to_string(high));
    const ResampleAxis x = random_axis(width, wide, static_cast<int>(between(10, 22)));
    const ResampleAxis y = random_axis(height, middle, static_cast<int>(between(10, 22)));
    const ResampleAxis again = random_axis(middle, high, 22);
    const ResamplePass first{Direction::along_x, &x}, second{Direction::along_y, &y},
        third{Direction::along_y, &again};
    const std::vector<uint8_t> bytes = random_bytes(width * height * 3);
    const ConstPicture in{bytes.data(), i % 2 == 0 ? PictureLayout::interleaved(height, width)
                                                   : PictureLayout::planar(height, width)};
    expect_twins_agree(in, std::vector{first, second, third}, PictureLayout::interleaved(high, wide),
                       high * wide * 3);
    expect_twins_agree(in, std::vector{second, first}, PictureLayout::planar(middle, wide),
                       middle * wide * 3);
    expect_twins_agree(in, std::vector{first}, PictureLayout::planar(height, wide), height * wide * 3);
    expect_twins_agree(in, std::vector{second}, PictureLayout::interleaved(middle, width),
                       middle * width * 3);
  }
}

TEST(Resample, IsItsTwinAtRandomSizes) {
  compare_random_passes(60, 90);
  compare_random_passes(6, 700);
}

TEST(Resample, IsItsTwinOnEveryInstructionSet) {
  std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();
  targets.push_back(HWY_STATIC_TARGET);  // what runs where nothing better is
  for (const int64_t target : targets) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
    compare_random_passes(8, 150);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

TEST(Resample, IsItsTwinWhereOneSideIsLong) {
  for (const auto& [width, height, wide, high] :
       {std::array{1, 5000, 3, 17}, {5000, 1, 17, 3}, {1, 1, 300, 200}, {3, 4000, 1, 4001}, {2, 2, 1, 1}}) {
    const ResampleAxis x = random_axis(width, wide, 22), y = random_axis(height, high, 22);
    const std::vector<uint8_t> bytes = random_bytes(int64_t{3} * width * height);
    const ConstPicture in{bytes.data(), PictureLayout::interleaved(height, width)};
    const ResamplePass along_x{Direction::along_x, &x}, along_y{Direction::along_y, &y};
    expect_twins_agree(in, std::vector{along_x, along_y}, PictureLayout::planar(high, wide),
                       int64_t{3} * high * wide);
    expect_twins_agree(in, std::vector{along_y, along_x}, PictureLayout::interleaved(high, wide),
                       int64_t{3} * high * wide);
  }
}

TEST(Resample, MovesAPictureBetweenLayouts) {
  const std::vector<uint8_t> bytes = random_bytes(int64_t{3} * 30 * 44);
  const ConstPicture whole{bytes.data(), PictureLayout::interleaved(30, 44)};
  const PictureLayout tiles = PictureLayout::tiled(3, 4, 10, 11);
  expect_twins_agree(whole, {}, tiles, 3 * 30 * 44);
  expect_twins_agree({bytes.data(), tiles}, {}, PictureLayout::planar(30, 44), 3 * 30 * 44);
  PictureLayout inside = PictureLayout::tiled(4, 5, 10, 11);  // on a larger canvas, at (3, 8)
  inside.height = 30;
  inside.width = 44;
  inside.top = 3;
  inside.left = 8;
  expect_twins_agree(whole, {}, inside, 3 * 40 * 55);
  // colour 1 of pixel (9, 5) lies in the tile of row 1 and column 1, at (2, 2)
  std::vector<uint8_t> canvas(size_t{3} * 40 * 55);
  test::device().resample(whole, {}, {canvas.data(), inside});
  EXPECT_EQ(canvas[(1 * 5 + 1) * 330 + 110 + 2 * 11 + 2], bytes[(9 * 44 + 5) * 3 + 1]);
}

TEST(Resample, DoesNotDependOnTheThreads) {
  const ResampleAxis x = random_axis(500, 640, 22), y = random_axis(800, 900, 22);
  const std::vector<ResamplePass> passes{{Direction::along_x, &x}, {Direction::along_y, &y}};
  const std::vector<uint8_t> bytes = random_bytes(int64_t{3} * 500 * 800);
  std::vector<std::vector<uint8_t>> results;
  for (const int count : {1, 2, 3, 7}) {
    results.emplace_back(size_t{3} * 640 * 900);
    cpu_device(count)->resample({bytes.data(), PictureLayout::interleaved(800, 500)}, passes,
                                {results.back().data(), PictureLayout::interleaved(900, 640)});
    EXPECT_EQ(results.back(), results.front()) << count;
  }
}

TEST(Resample, ByHand) {
  // Two pixels 0 and 100 become four: 0, 25, 75, 100 by weights of 1, 3/4 and 1/4.
  const ResampleAxis axis{.in = 2,
                          .taps = 2,
                          .bits = 2,
                          .first = {0, 0, 0, 1},
                          .count = {1, 2, 2, 1},
                          .weights = {4, 9, 3, 1, 1, 3, 4, 9}};
  const std::vector<ResamplePass> passes{{Direction::along_x, &axis}};
  const uint8_t in[] = {0, 0, 0, 100, 100, 101};
  const std::vector<uint8_t> expected = {0, 0, 0, 25, 25, 25, 75, 75, 76, 100, 100, 101};
  for (const auto backend : {test::Backend::reference, test::Backend::cpu}) {
    std::vector<uint8_t> out(12);
    test::device(backend).resample({in, PictureLayout::interleaved(1, 2)}, passes,
                                   {out.data(), PictureLayout::interleaved(1, 4)});
    EXPECT_EQ(out, expected);  // 101 * 3/4 = 75.75 rounds up, 101 / 4 = 25.25 down
  }
}

TEST(LookUp, IsItsTwinAndTakesTheTablesInTurn) {
  std::vector<float> tables(3 * 256);
  for (size_t i = 0; i < tables.size(); ++i) tables[i] = static_cast<float>(i) * 1.1f - 300;
  for (const int64_t plane : {1, 5, 63, 64, 1000, 300'000}) {
    for (const int64_t planes : {1, 3, 7}) {
      const std::vector<uint8_t> bytes = random_bytes(plane * planes);
      std::vector<float> expected(bytes.size()), found(bytes.size());
      reference::look_up(bytes, plane, tables, expected.data());
      test::device().look_up(bytes, plane, tables, found.data());
      EXPECT_EQ(expected, found) << plane << " " << planes;
      EXPECT_EQ(expected.back(), tables[static_cast<size_t>((planes - 1) % 3 * 256) + bytes.back()]);
    }
  }
}

}  // namespace
}  // namespace galago::kernels
