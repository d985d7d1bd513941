// Random walks through the DocTags machine: it never comes to a dead end, and a legal end is always near.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "structured/doctags.h"
#include "unit/structured/doctags_vocabularies.h"

namespace galago {
namespace {

using doctags_test::made;
using doctags_test::Piece;
using doctags_test::spelled_locations;
using doctags_test::whole_tags;
using doctags_test::Words;

using Kind = DocToken::Kind;

/// What a machine allows, and that allows() says the same of every id.
class Choices {
 public:
  explicit Choices(const Words& words)
      : words_(words), mask_(static_cast<size_t>(mask_words(words.vocabulary->size()))) {}

  const std::vector<int32_t>& of(DocTagsMachine& machine, bool compare) {
    ids_.clear();
    EXPECT_TRUE(machine.fill(mask_));
    for (int32_t id = 0; id < words_.vocabulary->size(); ++id) {
      if (!compare && mask_[static_cast<size_t>(id) / 32] == 0) {
        id |= 31;
        continue;
      }
      const bool allowed = (mask_[static_cast<size_t>(id) / 32] >> (id % 32) & 1) != 0;
      if (compare) {
        EXPECT_EQ(allowed, machine.allows(id)) << words_.pieces[static_cast<size_t>(id)].bytes;
      }
      if (allowed) ids_.push_back(id);
    }
    return ids_;
  }

 private:
  const Words& words_;
  std::vector<uint32_t> mask_;
  std::vector<int32_t> ids_;
};

/// How much a token helps to come to the end.
int urgency(const Words& words, int32_t id) {
  const DocToken token = words.vocabulary->token(id);
  const std::string& bytes = words.pieces[static_cast<size_t>(id)].bytes;
  if (id == words.end || token.kind == Kind::close) return 6;
  if (token.kind == Kind::cell) return token.cell == DocCell::line ? 5 : token.cell == DocCell::text ? 3 : 4;
  if (token.kind == Kind::location || bytes == ">") return 2;
  return token.kind == Kind::text && bytes.size() == 1 ? 1 : 0;
}

/// Goes the shortest way to the end of the page; the number of tokens.
int finish(const Words& words, DocTagsMachine& machine, Choices& choices, std::string* text) {
  int steps = 0;
  while (!machine.complete() && steps < 1000) {
    int32_t best = -1;
    for (const int32_t id : choices.of(machine, false))
      if (best < 0 || urgency(words, id) > urgency(words, best)) best = id;
    if (best < 0) return 1000;
    machine.accept(best);
    if (text) *text += words.pieces[static_cast<size_t>(best)].bytes;
    ++steps;
  }
  EXPECT_EQ(choices.of(machine, true), std::vector<int32_t>{words.end});
  return steps;
}

/// Tags are fewer than words: half of the time one of them is taken; but most cells get words.
int32_t choose(const Words& words, const std::vector<int32_t>& ids, int32_t last, std::mt19937& random) {
  const DocToken before = words.vocabulary->token(last);
  if (before.kind == Kind::cell && before.cell == DocCell::text && random() % 30 != 0)
    if (const auto letter = std::find(ids.begin(), ids.end(), 'a' + static_cast<int32_t>(random() % 26));
        letter != ids.end())
      return *letter;
  std::vector<int32_t> tags;
  for (const int32_t id : ids) {
    const Kind kind = words.vocabulary->token(id).kind;
    const int copies = kind == Kind::text ? 0 : kind == Kind::close || kind == Kind::cell ? 4 : 1;
    tags.insert(tags.end(), static_cast<size_t>(copies), id);
  }
  const std::vector<int32_t>& from = tags.empty() || random() % 2 == 0 ? ids : tags;
  return from[random() % from.size()];
}

// The bound: four locations of nine bytes, a row of 256 cells, a closing tag for each of 24 elements.
constexpr int kMostSteps = 36 + 256 + 1 + 24;

std::string hexadecimal(const std::string& text) {
  std::string digits;
  for (const char byte : text)
    for (const int shift : {4, 0}) digits += "0123456789abcdef"[static_cast<uint8_t>(byte) >> shift & 15];
  return digits;
}

void walk(const Words& words, int walks, uint32_t seed, std::ofstream* pages) {
  std::mt19937 random(seed);
  Choices choices(words);
  for (int i = 0; i < walks && !testing::Test::HasFailure(); ++i) {
    DocTagsMachine machine = words.machine();
    std::string text = "<doctag>";
    machine.accept(words.id("<doctag>"));
    int32_t last = -1;
    const int length = static_cast<int>(random() % 120);
    for (int step = 0; step < length && !machine.complete(); ++step) {
      const std::vector<int32_t> ids = choices.of(machine, i % 200 == 0);
      ASSERT_FALSE(ids.empty()) << text;
      const int32_t id = last = choose(words, ids, last, random);
      machine.accept(id);
      text += words.pieces[static_cast<size_t>(id)].bytes;
      if (i % 250 == 0) {
        DocTagsMachine copy = machine;
        ASSERT_LE(finish(words, copy, choices, nullptr), kMostSteps) << text;
      }
    }
    ASSERT_LE(finish(words, machine, choices, &text), kMostSteps) << text;
    if (pages) *pages << hexadecimal(text) << '\n';
  }
}

/// Where GALAGO_DOCTAGS_PAGES names a file, the pages go there: tools/oracle/doctags_pages.py reads them.
TEST(DocTagsWalk, NeverComesToADeadEnd) {
  const char* name = std::getenv("GALAGO_DOCTAGS_PAGES");
  std::ofstream file;
  if (name) file.open(name, std::ios::binary);
  walk(whole_tags(), 1000, 1, name ? &file : nullptr);
  walk(spelled_locations(), 500, 2, name ? &file : nullptr);
  walk(spelled_locations(true), 500, 6, name ? &file : nullptr);
}

TEST(DocTagsWalk, NorDoesItWhereTokensLack) {
  const Words all = whole_tags();
  std::mt19937 random(3);
  for (int i = 0; i < 40 && !testing::Test::HasFailure(); ++i) {
    std::vector<Piece> pieces;
    for (const Piece& piece : all.pieces)
      if (piece.bytes == "<doctag>" || piece.bytes == "</doctag>" || random() % 3 != 0)
        pieces.push_back(piece);
    walk(made(pieces), 20, static_cast<uint32_t>(i), nullptr);
  }
  const Words bare = made({{.bytes = "<doctag>", .special = true}, {.bytes = "</doctag>", .special = true}});
  walk(bare, 2, 4, nullptr);
}

TEST(DocTagsWalk, LongAnswersTakeLinearTime) {
  for (const Words& words : {whole_tags(), spelled_locations()}) {
    DocTagsMachine machine = words.machine();
    Choices choices(words);
    std::mt19937 random(5);
    machine.accept(words.id("<doctag>"));
    for (int step = 0; step < 8192; ++step) {
      std::vector<int32_t> ids = choices.of(machine, false);
      std::erase(ids, words.id("</doctag>"));
      machine.accept(choose(words, ids, -1, random));
    }
    EXPECT_LE(finish(words, machine, choices, nullptr), kMostSteps);
  }
}

}  // namespace
}  // namespace galago
