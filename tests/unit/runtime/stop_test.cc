// Stop strings: by example, and against the plain definition over random texts and random cuts.
#include "runtime/stop.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

namespace galago {
namespace {

std::string joined(StopStrings& stop, const std::vector<std::string>& pieces) {
  std::string out;
  for (const std::string& piece : pieces) out += stop.push(piece);
  return out + stop.finish();
}

TEST(StopStrings, NothingToStopAtLetsAllPassAtOnce) {
  StopStrings stop({});
  EXPECT_EQ(stop.push("Assist"), "Assist");
  EXPECT_FALSE(stop.found());
}

TEST(StopStrings, HoldsBackWhatCouldBeginOne) {
  StopStrings stop({"User:"});
  EXPECT_EQ(stop.push("a cat\nUs"), "a cat\n");
  EXPECT_EQ(stop.push("e"), "");
  EXPECT_EQ(stop.push("ful. U"), "Useful. ");
  EXPECT_EQ(stop.finish(), "U");
  EXPECT_FALSE(stop.found());
}

TEST(StopStrings, EndsInsideAPieceAndSwallowsTheRest) {
  StopStrings stop({"User:"});
  EXPECT_EQ(stop.push("ends U"), "ends ");
  EXPECT_EQ(stop.push("ser: more"), "");
  EXPECT_TRUE(stop.found());
  EXPECT_EQ(stop.push("again"), "");
  EXPECT_EQ(stop.finish(), "");
}

TEST(StopStrings, APieceMayHoldTheWholeOfIt) {
  StopStrings stop({"##"});
  EXPECT_EQ(joined(stop, {"one ## two ## three"}), "one ");
  EXPECT_TRUE(stop.found());
}

TEST(StopStrings, TheFirstCompleteOneWins) {
  StopStrings early({"xaby", "ab"});
  EXPECT_EQ(joined(early, {"xaby"}), "x");
  StopStrings same_end({"bc", "abc"});
  EXPECT_EQ(joined(same_end, {"xabc"}), "x");
}

TEST(StopStrings, AStopStringThatRepeatsItself) {
  StopStrings stop({"aab"});
  EXPECT_EQ(joined(stop, {"a", "a", "a", "b", "c"}), "a");
  EXPECT_TRUE(stop.found());
}

// The definition: of all places where a stop string ends, the first; of those that end there, the longest.
std::optional<std::string> cut_at_first(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& stop : stops) {
      if (stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0) {
        longest = std::max(longest, stop.size());
      }
    }
    if (longest > 0) return text.substr(0, end - longest);
  }
  return std::nullopt;
}

TEST(StopStrings, EveryCutOfATextGivesTheSame) {
  std::mt19937 random(7);
  const auto word = [&](size_t length) {
    std::string out;
    while (out.size() < length) out += "abc"[random() % 3];
    return out;
  };
  int found = 0;
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::string> stops;
    for (size_t i = 0, n = 1 + random() % 3; i < n; ++i) stops.push_back(word(1 + random() % 6));
    const std::string text = word(random() % 30);
    StopStrings stop(stops);
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      pieces.push_back(text.substr(at, random() % 5));
      at += pieces.back().size();
    }
    const auto expected = cut_at_first(text, stops);
    EXPECT_EQ(joined(stop, pieces), expected.value_or(text)) << text;
    EXPECT_EQ(stop.found(), expected.has_value()) << text;
    found += stop.found();
  }
  EXPECT_GT(found, 1000);
  EXPECT_LT(found, 4900);
}

}  // namespace
}  // namespace galago
