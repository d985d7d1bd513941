// parse_json's limits and error texts, and the typed reads of JsonField.
#include "formats/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "galago/error.h"

namespace galago {
namespace {

using testing::HasSubstr;

Error fault_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::internal, {});
}

Error parse_fault(std::string_view text, const JsonRules& rules = {}) {
  return fault_of([&] { parse_json(text, "a.json", rules); });
}

TEST(ParseJson, ReadsAValidText) {
  const Json json = parse_json(R"({"a": [1, 2.5, "é", null, true]})", "a.json");
  EXPECT_EQ(json["a"].size(), 5u);
  EXPECT_EQ(json["a"][2].get<std::string>(), "é");
}

TEST(ParseJson, NamesLineAndColumn) {
  const Error error = parse_fault("{\"a\": 1,\n  \"b\" 2}");
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_EQ(error.where(), "a.json: line 2, column 7");
  EXPECT_THAT(error.what(), HasSubstr("expected JSON"));
}

TEST(ParseJson, NamesTheColumnOfTheTextWithItsNumbers) {
  EXPECT_EQ(parse_fault("[NaN, -Infinity, 1 2]").where(), "a.json: line 1, column 20");
  EXPECT_EQ(parse_fault("[NaN,\n NaN x]").where(), "a.json: line 2, column 6");
  EXPECT_EQ(parse_fault("[NaN").where(), "a.json: line 1, column 5");
}

TEST(ChangeJson, KeepsOrderAndNumbersOfPython) {
  const std::string changed = change_json(R"({"z": NaN, "gone": 1, "a": [-Infinity, "NaN"]})", "a.json",
                                          [](nlohmann::ordered_json& json) { json.erase("gone"); });
  EXPECT_EQ(changed, "{\n  \"z\": NaN,\n  \"a\": [\n    -Infinity,\n    \"NaN\"\n  ]\n}\n");
  EXPECT_EQ(fault_of([] { change_json("{", "a.json", [](nlohmann::ordered_json&) {}); }).where(),
            "a.json: line 1, column 2");
}

TEST(ParseJson, RefusesWhatIsNotJson) {
  for (const std::string_view text :
       {"", "{", "[1,]", "{\"a\":}", "nul", "{} x", "\"\xff\"", "\"\xc0\xaf\"", "1e999", "{'a':1}",
        "\"\\ud800\"", "[1 2]", "nan", "-NaN", "NaNa", "+Infinity", "\xff\xfe{", "\"a\nb\""})
    EXPECT_EQ(parse_fault(text).code(), ErrorCode::model_invalid) << text;
  EXPECT_EQ(parse_fault(std::string_view("{}\0", 3)).code(), ErrorCode::model_invalid);
}

TEST(ParseJson, HoldsTheDepthLimitExactly) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(64), "a.json"));
  const Error error = parse_fault(nested(65));
  EXPECT_EQ(error.code(), ErrorCode::input_too_large);
  EXPECT_THAT(error.what(), HasSubstr("64"));
  // A million brackets neither overflow the stack nor are read to their end.
  EXPECT_EQ(parse_fault(std::string(1'000'000, '[')).code(), ErrorCode::input_too_large);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(parse_fault(objects).code(), ErrorCode::input_too_large);
}

TEST(ParseJson, HoldsTheSizeLimit) {
  EXPECT_NO_THROW(parse_json("[1,2]", "a.json", {.max_bytes = 5}));
  EXPECT_EQ(parse_fault("[1,2]", {.max_bytes = 4}).code(), ErrorCode::input_too_large);
}

TEST(ParseJson, DuplicateKeys) {
  const std::string_view text = R"({"x": {"a": 1}, "a": {"a": 2}, "x": 3})";
  EXPECT_EQ(parse_json(text, "a.json")["x"], 3);
  const Error error = parse_fault(text, {.refuse_duplicate_keys = true});
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("\"x\" twice"));
  EXPECT_NO_THROW(
      parse_json(R"({"x": {"a": 1}, "a": [{"a": 2}, {"a": 2}]})", "a.json", {.refuse_duplicate_keys = true}));
}

TEST(ParseJson, KeepsErrorTextsShortAndPrintable) {
  const std::string text = "{\"a\": \"" + std::string(100'000, 'x') + "\x1b[31m";
  const std::string what = parse_fault(text).what();
  EXPECT_LT(what.size(), 400u);
  for (const char c : what) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
}

TEST(JsonField, NamesTheWayToAFault) {
  const Json json =
      parse_json(R"({"text_config": {"sizes": [1, "two"], "eps": 1e-5, "on": true}})", "c.json");
  const JsonField root(json, "c.json");
  const JsonField text = root.at("text_config");
  EXPECT_EQ(text.at("sizes").at(0).integer(0, 5), 1);
  EXPECT_EQ(text.at("eps").number(0, 1), 1e-5);
  EXPECT_TRUE(text.at("on").boolean());
  const Error error = fault_of([&] { text.at("sizes").at(1).integer(0, 5); });
  EXPECT_STREQ(error.what(), "c.json: text_config.sizes[1]: got \"two\", expected an integer from 0 to 5");
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_EQ(fault_of([&] { root.at("vision").boolean(); }).where(), "c.json: vision");
  EXPECT_THROW(text.at("sizes").at(2), Error);
  EXPECT_THROW(text.at("eps").at("x"), Error);
  EXPECT_THROW(text.at("eps").string(), Error);
}

TEST(JsonField, ChecksIntegersExactly) {
  const Json json =
      parse_json(R"([1.0, true, 9223372036854775807, 9223372036854775808, -1, 18446744073709551616])", "c");
  const JsonField root(json, "c");
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  EXPECT_THROW(root.at(0).integer(kLeast, kMost), Error);
  EXPECT_THROW(root.at(1).integer(kLeast, kMost), Error);
  EXPECT_EQ(root.at(2).integer(kLeast, kMost), kMost);
  EXPECT_THROW(root.at(3).integer(kLeast, kMost), Error);
  EXPECT_EQ(root.at(4).integer(-1, 0), -1);
  EXPECT_THROW(root.at(4).integer(0, kMost), Error);
  EXPECT_THROW(root.at(5).integer(kLeast, kMost), Error);
}

TEST(JsonField, TakesNullForAbsent) {
  const Json json = parse_json(R"({"a": null, "b": 0})", "c");
  const JsonField root(json, "c");
  EXPECT_FALSE(root.has("a"));
  EXPECT_TRUE(root.has("b"));
  EXPECT_FALSE(root.has("z"));
}

TEST(Json, NumbersThatPythonWritesAreTextsThatNoNumberIs) {
  const Json document =
      parse_json(R"({"a": NaN, "b": [-Infinity, Infinity], "c": "a \" NaN", "NaN": 1})", "c");
  EXPECT_EQ(document["a"], "NaN");
  EXPECT_EQ(document["b"], Json::parse(R"(["-Infinity", "Infinity"])"));
  EXPECT_EQ(document["c"], "a \" NaN");
  EXPECT_EQ(document["NaN"], 1);
  EXPECT_THROW(JsonField(document, "c").at("a").number(0, 1), Error);
  EXPECT_THROW(parse_json(R"({"a": NaN})", "c", {.refuse_duplicate_keys = true}), Error);
}

}  // namespace
}  // namespace galago
