// The loop guard: what repeats is ended by a legal tag.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "structured/doctags.h"
#include "unit/structured/doctags_vocabularies.h"

namespace galago {
namespace {

using doctags_test::spelled_locations;
using doctags_test::whole_tags;
using doctags_test::Words;

const std::vector<Words>& both() {
  static const std::vector<Words> words = {whole_tags(), spelled_locations()};
  return words;
}

std::string times(int count, const std::string& text) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

std::string box(int place) {
  std::string text;
  for (const int number : {10, 20 + place, 400, 30 + place}) text += "<loc_" + std::to_string(number) + ">";
  return text;
}

/// The machine behind a legal text.
DocTagsMachine after(const Words& words, const std::string& text) {
  DocTagsMachine machine = words.machine();
  for (const int32_t id : words.ids(text)) machine.accept(id);
  return machine;
}

/// Whether a tag or a word may come behind a legal text, with both vocabularies.
void expect_next(const std::string& text, const std::string& token, bool allowed) {
  SCOPED_TRACE(text + " | " + token);
  for (const Words& words : both()) {
    EXPECT_EQ(after(words, text).allows(words.id(token)), allowed);
  }
}

TEST(DocTagsLoop, AFourthEqualElementIsRefused) {
  const std::string text = "<text>Hello world</text>";
  expect_next("<doctag>" + times(2, text), "<text>", true);
  expect_next("<doctag>" + times(3, text), "<text>", false);
  expect_next("<doctag>" + times(3, text), "<title>", true);
  expect_next("<doctag>" + times(3, text), "</doctag>", true);
  expect_next("<doctag>" + times(3, text) + "<title>Hello</title>", "<text>", true);
  expect_next("<doctag><text>Hello</text>" + times(2, text), "<text>", true);
  expect_next("<doctag>\n" + times(3, text + "\n"), "<text>", false);
  // Among others of a list, and outside of a page.
  const std::string item = "<list_item>Hello</list_item>";
  expect_next("<doctag><unordered_list>" + times(3, item), "<list_item>", false);
  expect_next("<doctag><unordered_list>" + times(3, item), "</unordered_list>", true);
  expect_next(times(3, text), "<text>", false);
  expect_next(times(3, text), "<end_of_utterance>", true);
  expect_next("<doctag><text>a" + times(3, "<formula>x</formula>"), "<formula>", false);
  expect_next("<doctag>" + times(3, "<page_break>"), "<page_break>", false);
  expect_next("<doctag>" + times(2, "<page_break>"), "<page_break>", true);
}

// A model in a loop moves its boxes down the page.
TEST(DocTagsLoop, EqualWordsInOtherPlacesAreALoop) {
  std::string text = "<doctag>";
  for (int i = 0; i < 3; ++i) text += "<text>" + box(i) + "Hello</text>";
  expect_next(text, "<text>", false);
  std::string table = "<doctag>";
  for (int i = 0; i < 3; ++i) table += "<otsl>" + box(i) + "<fcel>Hello<nl></otsl>";
  expect_next(table, "<otsl>", false);
}

// But pictures that show the same, and elements without words, are told from each other by their places.
TEST(DocTagsLoop, EqualPicturesInOtherPlacesAreNone) {
  std::string moved = "<doctag>", still = "<doctag>", empty = "<doctag>";
  for (int i = 0; i < 3; ++i) {
    moved += "<picture>" + box(i) + "<other></picture>";
    still += "<picture>" + box(0) + "<other></picture>";
    empty += "<text>" + box(i) + "</text>";
  }
  expect_next(moved, "<picture>", true);
  expect_next(still, "<picture>", false);
  expect_next(empty, "<text>", true);
}

TEST(DocTagsLoop, ElementsThatTakeTurnsAreOne) {
  const std::string pair = "<text>Hello</text><title>Hello</title>";
  expect_next("<doctag>" + times(3, pair), "<text>", false);
  expect_next("<doctag>" + times(3, pair), "<title>", true);
  expect_next("<doctag>" + times(2, pair) + "<text>Hello</text>", "<title>", true);
}

TEST(DocTagsLoop, WordsThatRepeatEndTheElement) {
  const std::string one = "<doctag><text>" + times(31, "Hello");
  expect_next(one, "Hello", true);
  expect_next(one + "Hello", "Hello", false);
  expect_next(one + "Hello", "a", false);
  expect_next(one + "Hello", "<formula>", false);
  expect_next(one + "Hello", "</text>", true);
  expect_next("<doctag><text>" + times(15, "Hello world"), " world", true);
  expect_next("<doctag><text>" + times(16, "Hello world"), "Hello", false);
  expect_next("<doctag><text>ab" + times(16, "Hello world5"), "Hello", false);
  const std::string sentence = "The quick brown fox jumps over the lazy dog, abcdefghijklmn.";
  expect_next("<doctag><text>" + times(15, sentence), "T", true);
  expect_next("<doctag><text>" + times(16, sentence), "T", false);
  expect_next("<doctag><code>" + times(32, "a"), "</code>", true);
  expect_next("<doctag><code>" + times(32, "a"), "b", false);
  // The next element begins anew.
  expect_next(one + "Hello</text><text>", "Hello", true);
}

TEST(DocTagsLoop, WordsThatRepeatInACellEndTheCell) {
  const std::string cell = "<doctag><otsl><fcel>" + times(32, "a");
  expect_next(cell, "a", false);
  expect_next(cell, "<fcel>", true);
  expect_next(cell + "<fcel>", "a", true);
  expect_next(cell, "<nl>", true);
}

TEST(DocTagsLoop, RowsThatRepeatEndTheTable) {
  const std::string row = "<fcel>0<ecel><nl>";
  expect_next("<doctag><otsl>" + times(15, row), "<fcel>", true);
  expect_next("<doctag><otsl>" + times(16, row), "<fcel>", false);
  expect_next("<doctag><otsl>" + times(16, row), "</otsl>", true);
  expect_next("<doctag><otsl>" + times(16, row), "<caption>", true);
  expect_next("<doctag><otsl>" + times(16, row + "<fcel>1<ecel><nl>"), "<fcel>", false);
  expect_next("<doctag><otsl>" + times(15, row) + "<fcel>1<ecel><nl>", "<fcel>", true);
}

TEST(DocTagsLoop, ARowHasAnEnd) {
  expect_next("<doctag><otsl>" + times(32, "<fcel>0"), "<fcel>", true);
  expect_next("<doctag><otsl>" + times(33, "<fcel>0"), "<fcel>", false);
  expect_next("<doctag><otsl>" + times(33, "<fcel>0"), "<nl>", true);
  std::string wide = "<doctag><otsl>";
  for (int i = 0; i < 256; ++i) wide += "<fcel>" + std::to_string(i);
  expect_next(wide, "<fcel>", false);
  expect_next(wide, "<nl>", true);
}

}  // namespace
}  // namespace galago
