// The comparison itself: whatever changes in a trace, the station's line turns red, and only that line.
#include "inspect/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/model_files.h"

namespace galago {
namespace {

using testing::HasSubstr;

template <class T>
TraceTensor tensor_of(const std::string& name, DType dtype, const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
  return {name, dtype, {static_cast<int64_t>(values.size())}, {bytes, bytes + values.size() * sizeof(T)}};
}

// A trace with every station of the table: floats 0, 1, ... 9 times 0.5, integers 0...9.
Trace whole_trace() {
  Trace trace;
  for (const Bound& bound : bounds()) {
    const std::string name = bound.station;
    if (name == "pixel_values_u8" || name == "pixel_attention_mask")
      trace.push_back(tensor_of<uint8_t>(name, DType::u8, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    else if (bound.measure == Measure::exact)
      trace.push_back(tensor_of<int64_t>(name, DType::i64, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    else
      trace.push_back(tensor_of<float>(name, DType::f32, {0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, -4.5}));
  }
  return trace;
}

void add_to_float(TraceTensor& tensor, int64_t i, double amount) {
  auto* value = reinterpret_cast<float*>(tensor.bytes.data()) + i;
  *value = static_cast<float>(*value + amount);
}

std::vector<std::string> failing(const Trace& ours, const Trace& reference) {
  std::vector<std::string> names;
  for (const StationResult& r : compare(ours, reference, false))
    if (!r.holds) names.push_back(r.station);
  return names;
}

TEST(Bounds, AreThePublishedOnes) {
  std::vector<std::string> table;
  for (const Bound& b : bounds()) {
    const char* measure = b.measure == Measure::exact      ? "exact"
                          : b.measure == Measure::relative ? "rel"
                                                           : "abs";
    table.push_back(std::string(b.station) + " " + measure + " " + std::to_string(b.limit));
  }
  EXPECT_EQ(table, (std::vector<std::string>{
                       "pixel_values_u8 exact 0.000000", "pixel_values abs 0.000001",
                       "pixel_attention_mask exact 0.000000", "vision_position_ids exact 0.000000",
                       "vision_last_hidden_state rel 0.000100", "connector_output rel 0.000100",
                       "image_rows rel 0.000100", "input_ids exact 0.000000", "inputs_embeds rel 0.000100",
                       "logits abs 0.001000", "generated_ids exact 0.000000"}));
}

TEST(Compare, EqualTracesHoldEverywhere) {
  const auto results = compare(whole_trace(), whole_trace(), false);
  EXPECT_EQ(results.size(), bounds().size());
  for (const StationResult& r : results) {
    EXPECT_TRUE(r.holds) << r.station;
    EXPECT_EQ(r.max_abs, 0);
    EXPECT_EQ(r.mismatch, "");
  }
}

TEST(Compare, OneChangedElementTurnsItsStationRed) {
  for (size_t s = 0; s < bounds().size(); ++s)
    for (const int64_t i : {0, 4, 9}) {
      Trace ours = whole_trace();
      const Bound& bound = bounds()[s];
      if (bound.measure == Measure::exact) {
        const int64_t bytes = size_of(ours[s].dtype);
        ours[s].bytes[static_cast<size_t>(i * bytes)] ^= std::byte{1};
      } else {
        add_to_float(ours[s], i, 1.5 * bound.limit * (bound.measure == Measure::relative ? 4.5 : 1));
      }
      EXPECT_EQ(failing(ours, whole_trace()), std::vector<std::string>{bound.station}) << i;
    }
}

TEST(Compare, DifferencesWithinTheBoundHold) {
  for (size_t s = 0; s < bounds().size(); ++s) {
    const Bound& bound = bounds()[s];
    if (bound.measure == Measure::exact) continue;
    Trace ours = whole_trace();
    add_to_float(ours[s], 2, 0.5 * bound.limit * (bound.measure == Measure::relative ? 4.5 : 1));
    EXPECT_TRUE(failing(ours, whole_trace()).empty()) << bound.station;
  }
}

TEST(Compare, RelativeIsMeasuredAgainstTheLargestMagnitude) {
  const Trace reference{tensor_of<float>("connector_output", DType::f32, {0.001F, -50})};
  const Trace ours{tensor_of<float>("connector_output", DType::f32, {0.002F, -50})};
  const StationResult result = compare(ours, reference, false).at(0);
  EXPECT_TRUE(result.holds);
  EXPECT_NEAR(result.max_abs, 1e-3, 1e-8);
  EXPECT_NEAR(result.max_rel, 2e-5, 1e-9);
}

TEST(Compare, AReferenceOfZerosIsMeasuredAbsolutely) {
  const Trace reference{tensor_of<float>("connector_output", DType::f32, {0, 0})};
  const Trace ours{tensor_of<float>("connector_output", DType::f32, {0, 1e-3F})};
  EXPECT_FALSE(compare(ours, reference, false).at(0).holds);
}

TEST(Compare, NotANumberNeverHolds) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()})
    for (const bool in_reference : {false, true}) {
      const Trace good{tensor_of<float>("logits", DType::f32, {1, 2, 3})};
      const Trace odd{tensor_of<float>("logits", DType::f32, {1, bad, 3})};
      const StationResult r = compare(in_reference ? good : odd, in_reference ? odd : good, false).at(0);
      EXPECT_FALSE(r.holds);
      EXPECT_THAT(r.mismatch, HasSubstr("element 1 is not finite"));
    }
}

TEST(Compare, NamesTheFirstWrongIntegerAndCountsAll) {
  const Trace reference{tensor_of<int64_t>("input_ids", DType::i64, {5, 6, 7, 8})};
  const Trace ours{tensor_of<int64_t>("input_ids", DType::i64, {5, 0, 7, 9})};
  const StationResult result = compare(ours, reference, false).at(0);
  EXPECT_FALSE(result.holds);
  EXPECT_EQ(result.max_abs, 2);
  EXPECT_EQ(result.mismatch, "element 1: got 0, expected 6");
}

TEST(Compare, AnotherShapeTypeOrNothingIsRed) {
  const Trace reference{tensor_of<float>("logits", DType::f32, {1, 2, 3})};
  EXPECT_THAT(compare({tensor_of<float>("logits", DType::f32, {1, 2})}, reference, false).at(0).mismatch,
              HasSubstr("got F32 [2], expected F32 [3]"));
  EXPECT_FALSE(compare({tensor_of<int64_t>("logits", DType::i64, {1, 2, 3})}, reference, false).at(0).holds);
  const StationResult missing = compare({}, reference, false).at(0);
  EXPECT_FALSE(missing.holds);
  EXPECT_EQ(missing.mismatch, "missing in our run");
}

TEST(Compare, StationsThatTheReferenceLacksAreLeftOut) {
  EXPECT_TRUE(compare(whole_trace(), {}, false).empty());
  EXPECT_EQ(compare(whole_trace(), {whole_trace()[7]}, false).at(0).station, "input_ids");
}

TEST(Compare, GivenPixelsAreMarkedNotMeasured) {
  Trace ours = whole_trace();
  for (TraceTensor& t : ours) t.bytes[t.dtype == DType::f32 ? 3 : 0] ^= std::byte{0x40};
  int given = 0;
  for (const StationResult& r : compare(ours, whole_trace(), true)) {
    EXPECT_EQ(r.given, r.station.starts_with("pixel_")) << r.station;
    EXPECT_EQ(r.holds, r.given) << r.station;
    given += r.given ? 1 : 0;
  }
  EXPECT_EQ(given, 3);
}

class GoldenCopy {
 public:
  explicit GoldenCopy(const std::string& name) { directory_.add_copy_of(test::data_path("goldens/" + name)); }
  std::vector<StationResult> verify() const {
    static const test::Loaded model("smolvlm_tiles");
    return galago::verify(*model.frontend, *model.engine, directory_.path());
  }
  Error error() const {
    return test::error_of([this] { verify(); });
  }
  const test::TempDir& directory() const { return directory_; }
  void edit(const std::string& old, const std::string& now) const {
    directory_.add("golden.json", test::replaced(test::read_bytes(directory_.file("golden.json")), old, now));
  }

 private:
  test::TempDir directory_;
};

TEST(Verify, SaysWhatAGoldenLacks) {
  const GoldenCopy golden("text_only");
  EXPECT_EQ(golden.verify().size(), 4U);
  golden.edit("\"max_new_tokens\": 64", "\"max_new_tokens\": 0");
  EXPECT_EQ(golden.error().code(), ErrorCode::input_invalid);
  golden.directory().add("golden.json", "{}");
  EXPECT_EQ(golden.error().code(), ErrorCode::input_invalid);
  golden.directory().add("golden.json", "{\"prompt\": ");
  EXPECT_EQ(golden.error().code(), ErrorCode::input_invalid);
  std::filesystem::remove(golden.directory().path() / "golden.json");
  EXPECT_EQ(golden.error().code(), ErrorCode::not_found);
  golden.directory().add("trace.safetensors", "1234");
  EXPECT_EQ(golden.error().code(), ErrorCode::input_invalid);
  std::filesystem::remove(golden.directory().path() / "trace.safetensors");
  EXPECT_EQ(golden.error().code(), ErrorCode::not_found);
}

TEST(Verify, RefusesGivenPixelsWithoutTiles) {
  const GoldenCopy golden("text_only");
  golden.edit("\"images\"", "\"pixels\": \"given\", \"images\"");
  EXPECT_EQ(golden.error().code(), ErrorCode::input_invalid);  // no pixels at all
  const std::vector<float> logits(512);
  const std::vector<int64_t> ids(20);
  const auto bytes = [](const auto& values) { return reinterpret_cast<const std::byte*>(values.data()); };
  for (const Shape& shape : {Shape{0, 3, 64, 64}, Shape{1, 1, 8, 8}, Shape{1, 3, 8}}) {
    const std::vector<float> pixels(static_cast<size_t>(*element_count(shape)));
    write_safetensors(golden.directory().path() / "trace.safetensors",
                      {{"generated_ids", {DType::i64, {20}, bytes(ids)}},
                       {"input_ids", {DType::i64, {20}, bytes(ids)}},
                       {"logits", {DType::f32, {1, 512}, bytes(logits)}},
                       {"pixel_values", {DType::f32, shape, bytes(pixels)}}});
    EXPECT_EQ(golden.error().code(), ErrorCode::input_invalid) << to_string(shape);
  }
}

TEST(Verify, AGoldenWithoutLogitsProvesNothing) {
  const GoldenCopy golden("text_only");
  const std::vector<int64_t> ids(20);
  write_safetensors(golden.directory().path() / "trace.safetensors",
                    {{"input_ids", {DType::i64, {20}, reinterpret_cast<const std::byte*>(ids.data())}}});
  EXPECT_EQ(golden.error().code(), ErrorCode::input_invalid);
  EXPECT_THAT(golden.error().what(), HasSubstr("no tensor logits"));
}

TEST(Verify, AnotherQuestionTurnsTheIdsRed) {
  const GoldenCopy golden("text_only");
  golden.edit("What colour is the house in 2024?", "What colour is the house in 2025?");
  for (const StationResult& r : golden.verify())
    if (r.station == "input_ids") {
      EXPECT_FALSE(r.holds);
      EXPECT_EQ(r.max_abs, 1);
    }
}

}  // namespace
}  // namespace galago
