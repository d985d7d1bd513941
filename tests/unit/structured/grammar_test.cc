// Structured answers over a byte-level and a SentencePiece vocabulary: what each form allows, and random
// answers.
#include <thread>

#include "formats/json.h"
#include "grammar_fixture.h"

namespace galago::test {
namespace {

struct Vocabulary {
  const char* model;
  const char* end;
};
void PrintTo(const Vocabulary& vocabulary, std::ostream* out) { *out << vocabulary.model; }

class StructuredAnswers : public testing::TestWithParam<Vocabulary> {
 protected:
  void SetUp() override {
    if (!has_grammars()) GTEST_SKIP() << "built without xgrammar";
  }
  Grammars grammars_{GetParam().model, GetParam().end};
};

class Choices : public testing::TestWithParam<Vocabulary> {
 protected:
  Grammars grammars_{GetParam().model, GetParam().end};
};

constexpr Vocabulary kVocabularies[] = {{"smolvlm_tiles", "<end_of_utterance>"}, {"text_llama2", "</s>"}};
INSTANTIATE_TEST_SUITE_P(Models, StructuredAnswers, testing::ValuesIn(kVocabularies),
                         [](const auto& model) { return std::string(model.param.model); });
INSTANTIATE_TEST_SUITE_P(Models, Choices, testing::ValuesIn(kVocabularies),
                         [](const auto& model) { return std::string(model.param.model); });

TEST_P(Choices, AreExact) {
  const AnswerFormat form =
      choices({"yes", "no", "yes, but", "two\nlines", "\"quoted\"", "no", "é🙂", "a\\b"});
  for (const std::string& text : form.choices) EXPECT_TRUE(grammars_.accepts(form, text)) << text;
  for (const std::string text : {"", "ye", "yes,", "yes, but ", "nono", "two lines", "quoted", "é", "No"})
    EXPECT_FALSE(grammars_.accepts(form, text)) << text;
}

TEST_P(Choices, RandomAnswersAreAmongThem) {
  const AnswerFormat form = choices({"red", "green", "greenish", "blue", "blue\n", "{\"a\": 1}"});
  std::mt19937 random(1);
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(grammars_.answer(form, random).value_or("no end"));
  EXPECT_EQ(seen, std::set<std::string>(form.choices.begin(), form.choices.end()));
}

TEST_P(Choices, JumpForwardWhereOneContinuationIsLeft) {
  const AnswerFormat form = choices({"the answer is yes", "the answer is no"});
  const auto constraint = grammars_.compiler.constrain(form);
  std::string text;
  for (const int32_t id : constraint->forced()) {
    ASSERT_TRUE(grammars_.allows(*constraint, id));
    constraint->accept(id);
    text += grammars_.tokenizer.token_bytes(id);
  }
  EXPECT_GT(text.size(), 4U);
  EXPECT_TRUE(std::string("the answer is ").starts_with(text)) << text;
}

TEST_P(Choices, SpecialTokensAreNoText) {
  const std::string name = "<|im_start|>";
  const auto constraint = grammars_.compiler.constrain(choices({name + "x", "y"}));
  for (const int32_t id : grammars_.allowed(*constraint)) EXPECT_FALSE(grammars_.tokenizer.is_special(id));
}

TEST_P(StructuredAnswers, SpecialAndUnusedIdsNeverCome) {
  const auto constraint = grammars_.compiler.constrain(format(Kind::grammar, "root ::= .*"));
  for (const int32_t id : grammars_.allowed(*constraint)) {
    EXPECT_TRUE(id == grammars_.end_id || !grammars_.tokenizer.is_special(id)) << id;
    EXPECT_LT(id, grammars_.tokenizer.vocab_size());
  }
}

TEST_P(StructuredAnswers, RegexMatchesTheWhole) {
  const AnswerFormat form = format(Kind::regex, R"(^[A-Z]{2}-\d{3}(:[^\s"]+)?$)");
  for (const std::string text : {"AB-123", "ZZ-000:x", "AB-123:\\é"})
    EXPECT_TRUE(grammars_.accepts(form, text)) << text;
  for (const std::string text : {"AB-12", "aB-123", "AB-123:", "AB-123: x", "xAB-123"})
    EXPECT_FALSE(grammars_.accepts(form, text)) << text;
}

TEST_P(StructuredAnswers, GrammarsOfLlamaCpp) {
  const AnswerFormat form = format(Kind::grammar, R"(
# moves of a game
root ::= "1. " move " " move "\n" ([1-9] [0-9]? ". " move " " move "\n")*
move ::= (pawn | nonpawn | castle) [+#]?
nonpawn ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
castle ::= "O-O" "-O"?
)");
  EXPECT_TRUE(grammars_.accepts(form, "1. e4 e5\n2. Nf3 Nc6\n"));
  EXPECT_FALSE(grammars_.accepts(form, "1. e4\n"));
  EXPECT_TRUE(
      grammars_.accepts(format(Kind::grammar, R"(root ::= "\[" . "\x41\]" [\x41-\x43]{2,3})"), "[!A]ABC"));
}

TEST_P(StructuredAnswers, JsonObjectsEnd) {
  std::mt19937 random(2);
  int ended = 0;
  for (int i = 0; i < 60; ++i) {
    const auto text = grammars_.answer(format(Kind::json_object, ""), random);
    if (!text) continue;
    ++ended;
    EXPECT_TRUE(parse_json(*text, "answer").is_object()) << *text;
  }
  EXPECT_GT(ended, 40);
}

struct SchemaCase {
  const char* schema;
  std::vector<std::string> right;
  std::vector<std::string> wrong;
};

const std::vector<SchemaCase> kSchemas = {
    {R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a"]})",
     {R"({"a": 1})", R"({"a": -20, "b": [null, true]})"},
     {"{}", R"({"b": 1, "a": 1})", R"({"a": 1.5})", R"({"a": 1, "c": 1})", R"({"a":1})", R"({"a": 1}})"}},
    {R"({"properties": {"ab": {"type": "null"}}, "additionalProperties": {"type": "boolean"}})",
     {"{}", R"({"ab": null})", R"({"a": true})", R"({"abc": true, "": false})", R"({"ab": null, "x": true})"},
     {R"({"ab": true})", R"({"x": null})", R"({"x": true, "ab": true})"}},
    {R"({"type": "integer", "minimum": -12, "exclusiveMaximum": 105})",
     {"-12", "-9", "0", "99", "100", "104"},
     {"-13", "105", "-0", "007", "1.0", "1000"}},
    {R"({"type": "number", "minimum": 0.5, "maximum": 12.25})",
     {"0.5", "0.75", "1", "12.25", "12.2", "12", "9.999"},
     {"0.4", "0", "12.3", "12.26", "12.251", "13", "-1"}},
    {R"({"type": "number", "exclusiveMinimum": -1.5, "exclusiveMaximum": 0})",
     {"-1", "-1.4", "-1.49", "-0.1"},
     {"-1.5", "0", "-2", "1"}},
    {R"({"type": "string", "minLength": 2, "maxLength": 3})",
     {R"("ab")", R"("éé🙂")"},
     {R"("a")", R"("abcd")", "2"}},
    {R"({"type": "string", "pattern": "b\"?c"})",
     {R"("bc")", R"("abcd")", R"("b\"c")"},
     {R"("b")", R"("b"c")"}},
    {R"({"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2})",
     {"[true]", "[true, false]"},
     {"[]", "[true, true, true]", "[1]", "[true,true]"}},
    {R"({"prefixItems": [{"const": 1}, {"type": "string"}], "items": false})",
     {R"([1, "x"])"},
     {"[]", "[1]", R"([1, "x", 2])"}},
    {R"({"enum": ["a", 1, null, {"k": [1, "é\n"]}, 1]})",
     {R"("a")", "1", "null", R"({"k": [1, "é\n"]})"},
     {"2", "\"b\""}},
    {R"({"type": ["string", "null"], "maxLength": 1})", {"null", R"("x")", R"("")"}, {"1", R"("xy")"}},
    {R"({"allOf": [{"properties": {"a": {"minimum": 3}}, "type": "object"}, {"properties": {"a": {"type": "integer", "maximum": 5}}, "required": ["a"]}]})",
     {R"({"a": 3})", R"({"a": 5})"},
     {R"({"a": 2})", R"({"a": 6})", "{}"}},
    {R"({"oneOf": [{"type": "object", "properties": {"t": {"const": "a"}, "x": {"type": "null"}}, "required": ["t", "x"]},
                     {"type": "object", "properties": {"t": {"const": "b"}}, "required": ["t"]}]})",
     {R"({"t": "a", "x": null})", R"({"t": "b"})"},
     {R"({"t": "a"})", R"({"t": "c"})"}},
    {R"({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}})",
     {"[]", "[[], [[]]]"},
     {"[1]", "[[]"}},
    {R"({"type": "string", "format": "date"})", {R"("2024-02-28")"}, {R"("2024-02-31")", R"("2024-2-3")"}},
    {R"({"type": "object", "minProperties": 1, "properties": {"a": {"type": "null"}, "b": {"type": "null"}}})",
     {R"({"a": null})", R"({"b": null})", R"({"a": null, "b": null})"},
     {"{}"}}};

TEST_P(StructuredAnswers, Schemas) {
  for (const SchemaCase& c : kSchemas) {
    for (const auto& text : c.right)
      EXPECT_TRUE(grammars_.accepts(schema(c.schema), text)) << c.schema << "\n" << text;
    for (const auto& text : c.wrong)
      EXPECT_FALSE(grammars_.accepts(schema(c.schema), text)) << c.schema << "\n" << text;
  }
}

/// A model that picks any allowed token: what it wrote is JSON, and in the tokenizer's own tokens allowed
/// again.
TEST_P(StructuredAnswers, RandomAnswersAreAnswers) {
  std::mt19937 random(4);
  int ended = 0;
  for (const SchemaCase& c : kSchemas) {
    SCOPED_TRACE(c.schema);
    for (int i = 0; i < 10; ++i) {
      const auto text = grammars_.answer(schema(c.schema), random, 300);
      if (!text) continue;
      ++ended;
      EXPECT_TRUE(grammars_.accepts(schema(c.schema), *text)) << *text;
      EXPECT_NO_THROW(parse_json(*text, "answer", {.refuse_duplicate_keys = false})) << *text;
    }
  }
  EXPECT_GT(ended, static_cast<int>(kSchemas.size()) * 8);
}

TEST_P(StructuredAnswers, JumpForwardWritesTheKeys) {
  const auto constraint = grammars_.compiler.constrain(
      schema(R"({"properties": {"description": {"type": "string"}}, "required": ["description"]})"));
  std::string text;
  for (const int32_t id : constraint->forced()) {
    ASSERT_TRUE(grammars_.allows(*constraint, id));
    constraint->accept(id);
    text += grammars_.tokenizer.token_bytes(id);
  }
  EXPECT_TRUE(text.starts_with("{\"description")) << text;
}

TEST_P(StructuredAnswers, CompleteWhenOnlyTheEndMayFollow) {
  const auto constraint = grammars_.compiler.constrain(schema(R"({"const": true})"));
  EXPECT_FALSE(constraint->complete());
  for (const int32_t id : grammars_.content("true")) constraint->accept(id);
  EXPECT_TRUE(constraint->complete());
  EXPECT_TRUE(constraint->forced().empty());
  constraint->accept(grammars_.end_id);
  EXPECT_TRUE(constraint->forced().empty());
}

TEST_P(StructuredAnswers, ATokenThatIsNotAllowedIsAnError) {
  const auto constraint = grammars_.compiler.constrain(schema(R"({"const": true})"));
  EXPECT_EQ(error_of([&] { constraint->accept(grammars_.content("7").front()); }).code(),
            ErrorCode::internal);
}

TEST_P(StructuredAnswers, KeepsGrammarsWithinALimit) {
  const auto form = [](int i) { return schema(R"({"const": )" + std::to_string(i) + "}"); };
  grammars_.compiler.constrain(form(0));
  const int64_t one = grammars_.compiler.cached_bytes();
  EXPECT_GT(one, 0);
  grammars_.compiler.constrain(form(0));
  EXPECT_EQ(grammars_.compiler.compiled(), 1);

  Grammars few(GetParam().model, GetParam().end, one * 5 / 2);
  for (int i = 0; i < 20; ++i) few.compiler.constrain(form(i % 10));
  EXPECT_LE(few.compiler.cached_bytes(), one * 5 / 2);
  EXPECT_EQ(few.compiler.compiled(), 20);
  few.compiler.constrain(form(9));
  EXPECT_EQ(few.compiler.compiled(), 20) << "the one used last is kept";
}

TEST_P(StructuredAnswers, ManyThreads) {
  std::vector<std::thread> threads;
  std::vector<int> ended(8);
  for (size_t t = 0; t < ended.size(); ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < 20; ++i) {
        const std::string limit = std::to_string(5 + i % 5);
        const auto text = grammars_.answer(
            schema(R"({"type": "integer", "minimum": 1, "maximum": )" + limit + "}"), random);
        if (text && std::stoi(*text) <= 5 + i % 5) ++ended[t];
      }
    });
  for (auto& thread : threads) thread.join();
  for (const int count : ended) EXPECT_EQ(count, 20);
  EXPECT_EQ(grammars_.compiler.compiled(), 5);
}

}  // namespace
}  // namespace galago::test
