// Definitions that are wrong, contradict themselves, have no answer or want too much: each is refused with
// its place, at once, and the compiler works on.
#include <chrono>
#include <functional>

#include "grammar_fixture.h"

namespace galago::test {
namespace {

struct Hostile {
  const char* name;
  AnswerFormat form;
  std::string place;  ///< what the error's place holds
  ErrorCode code = ErrorCode::input_invalid;
};

std::string times(const std::string& text, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}
std::string nested(size_t n, const std::string& before, const std::string& middle, const std::string& after) {
  return times(before, n) + middle + times(after, n);
}
std::string numbered(size_t n, const std::function<std::string(const std::string&)>& item) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += (i == 0 ? "" : ",") + item(std::to_string(i));
  return out;
}

AnswerFormat regex(const std::string& text) { return format(Kind::regex, text); }
AnswerFormat grammar(const std::string& text) { return format(Kind::grammar, text); }

constexpr auto kTooLarge = ErrorCode::input_too_large;

std::vector<Hostile> schemas() {
  return {
      {"empty", schema(""), "schema"},
      {"no JSON", schema("{\"type\": \"object\""), "schema"},
      {"a number", schema("7"), "\"\""},
      {"a text", schema("\"object\""), "\"\""},
      {"null", schema("null"), "\"\""},
      {"false", schema("false"), "\"\""},
      {"NUL", schema(std::string("{\"const\": \"a\0b\"}", 16)), "schema"},
      {"malformed UTF-8", schema("{\"const\": \"\xff\"}"), "schema"},
      {"NaN", schema(R"({"minimum": NaN})"), "schema"},
      {"a number beyond doubles", schema(R"({"minimum": 1e999})"), "schema"},
      {"the same key twice", schema(R"({"type": "null", "type": "string"})"), "schema"},
      {"no type", schema(R"({"type": "text"})"), "/type"},
      {"types of none", schema(R"({"type": []})"), "/type"},
      {"a type that is a number", schema(R"({"properties": {"a/b": {"type": 3}}})"), "/properties/a~1b/type"},
      {"properties in a list", schema(R"({"properties": []})"), "/properties"},
      {"a property that is a text", schema(R"({"properties": {"a": "string"}})"), "/properties/a"},
      {"required is a name", schema(R"({"required": "a"})"), "/required"},
      {"required numbers", schema(R"({"required": [1]})"), "/required"},
      {"required and refused", schema(R"({"properties": {"a": false}, "required": ["a"]})"), "\"\""},
      {"required in a closed object",
       schema(R"({"properties": {}, "additionalProperties": false, "required": ["a"]})"), "\"\""},
      {"an empty enum", schema(R"({"enum": []})"), "/enum"},
      {"an enum of another type", schema(R"({"type": "string", "enum": [1, 2]})"), "\"\""},
      {"enum and a length", schema(R"({"enum": ["a"], "maxLength": 3})"), "/maxLength"},
      {"enum and const", schema(R"({"enum": ["a"], "const": "a"})"), "/enum"},
      {"lengths that cross", schema(R"({"type": "string", "minLength": 3, "maxLength": 2})"), "\"\""},
      {"items that cross", schema(R"({"type": "array", "minItems": 3, "maxItems": 2})"), "\"\""},
      {"numbers that cross", schema(R"({"type": "integer", "minimum": 3, "maximum": 2})"), "\"\""},
      {"no integer between", schema(R"({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 4})"),
       "\"\""},
      {"a negative length", schema(R"({"minLength": -1})"), "/minLength"},
      {"half a length", schema(R"({"minLength": 1.5})"), "/minLength"},
      {"a length in words", schema(R"({"minLength": "two"})"), "/minLength"},
      {"a limit in words", schema(R"({"maximum": "two"})"), "/maximum"},
      {"a limit with an exponent", schema(R"({"maximum": 1e300})"), "/maximum"},
      {"a length of 10^9", schema(R"({"type": "string", "maxLength": 1000000000})"), "/maxLength", kTooLarge},
      {"a length of 10^18", schema(R"({"type": "string", "minLength": 1000000000000000000})"), "/minLength",
       kTooLarge},
      {"items of 10^5", schema(R"({"type": "array", "minItems": 100000})"), "/minItems", kTooLarge},
      {"a pattern and a length", schema(R"({"pattern": "a", "maxLength": 3})"), "\"\""},
      {"a pattern that is none", schema(R"({"properties": {"a": {"pattern": "(a"}}})"),
       "/properties/a/pattern\", offset 0"},
      {"a pattern of a number", schema(R"({"pattern": 3})"), "/pattern"},
      {"an unknown format", schema(R"({"format": "color"})"), "/format"},
      {"not", schema(R"({"not": {"type": "null"}})"), "/not"},
      {"if", schema(R"({"if": {"type": "null"}, "then": {}})"), "/if"},
      {"contains", schema(R"({"contains": {}})"), "/contains"},
      {"uniqueItems", schema(R"({"uniqueItems": true})"), "/uniqueItems"},
      {"multipleOf", schema(R"({"type": "integer", "multipleOf": 7})"), "/multipleOf"},
      {"patternProperties", schema(R"({"patternProperties": {"^a": {}}})"), "/patternProperties"},
      {"propertyNames", schema(R"({"propertyNames": {"maxLength": 3}})"), "/propertyNames"},
      {"dependentRequired", schema(R"({"dependentRequired": {"a": ["b"]}})"), "/dependentRequired"},
      {"unevaluatedItems", schema(R"({"unevaluatedItems": false})"), "/unevaluatedItems"},
      {"a dynamic reference", schema(R"({"$dynamicRef": "#a"})"), "/$dynamicRef"},
      {"items in a list", schema(R"({"items": [{}, {}]})"), "/items"},
      {"a reference elsewhere", schema(R"({"$ref": "https://example.org/schema"})"), "/$ref"},
      {"a reference to nothing", schema(R"({"$ref": "#/$defs/a"})"), "/$ref"},
      {"a reference to itself", schema(R"({"$ref": "#"})"), "\"\""},
      {"references in a ring",
       schema(R"({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}})"),
       "\"\""},
      {"an object that holds itself", schema(R"({"properties": {"a": {"$ref": "#"}}, "required": ["a"]})"),
       "\"\""},
      {"anyOf itself", schema(R"({"anyOf": [{"$ref": "#"}]})"), "\"\""},
      {"itself and more", schema(R"({"$ref": "#", "minLength": 1})"), "schema"},
      {"anyOf nothing", schema(R"({"anyOf": []})"), "/anyOf"},
      {"oneOf that overlaps", schema(R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})"), "/oneOf"},
      {"allOf that contradicts", schema(R"({"allOf": [{"type": "string"}, {"type": "null"}]})"), "\"\""},
      {"allOf with two patterns", schema(R"({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})"), "/allOf"},
      {"more required than may be", schema(R"({"minProperties": 3, "properties": {"a": {}}})"),
       "/minProperties"},
      {"fewer than there are", schema(R"({"maxProperties": 1, "properties": {"a": {}, "b": {}}})"),
       "/maxProperties"},
      {"deep", schema(nested(40, R"({"items": )", "{}", "}")), "", kTooLarge},
      {"deeper", schema(nested(10'000, R"({"items": )", "{}", "}")), "", kTooLarge},
      {"brackets", schema(times("[", 100'000)), "", kTooLarge},
      {"10^5 properties",
       schema("{\"properties\": {" + numbered(100'000, [](const auto& i) { return "\"" + i + "\":{}"; }) +
              "}}"),
       "", kTooLarge},
      {"1000 optional ones",
       schema("{\"properties\": {" + numbered(1000, [](const auto& i) { return "\"" + i + "\":{}"; }) + "}}"),
       "", kTooLarge},
      {"20,000 values", schema("{\"enum\": [" + numbered(20'000, [](const auto& i) { return i; }) + "]}"), "",
       kTooLarge},
      {"a megabyte", schema("{\"const\": \"" + times("a", 1'000'000) + "\"}"), "", kTooLarge},
      {"2^25 ways by reference",
       schema(R"({"$ref": "#/$defs/0", "$defs": {)" +
              numbered(25,
                       [](const auto& i) {
                         const std::string next =
                             R"({"$ref": "#/$defs/)" + std::to_string(std::stoi(i) + 1) + "\"}";
                         return "\"" + i + R"(": {"allOf": [)" + next + "," + next + "]}";
                       }) +
              R"(,"25": {"type": "null"}}})"),
       "", kTooLarge}};
}

std::vector<Hostile> texts() {
  return {{"a group that stays open", regex("a(b"), "offset 1"},
          {"10^5 groups", regex(times("(", 100'000)), "pattern", kTooLarge},
          {"deep groups", regex(nested(40, "(", "a", ")")), "pattern", kTooLarge},
          {"a group that was not opened", regex("ab)"), "offset 2"},
          {"a class that stays open", regex("x[a-"), "offset 1"},
          {"an empty class", regex("[]"), "offset 1"},
          {"a range the wrong way round", regex("[z-a]"), "offset 0"},
          {"a repetition of nothing", regex("*a"), "offset 0"},
          {"a repetition of a repetition", regex("a**"), "offset 2"},
          {"repetitions the wrong way round", regex("a{3,2}"), "offset 1"},
          {"a repetition of 10^9", regex("a{0,1000000000}"), "offset 1", kTooLarge},
          {"a repetition beyond 64 bits", regex("a{99999999999999999999999}"), "offset 1", kTooLarge},
          {"repetitions of repetitions", regex("((a{500}){500}){500}"), "offset", kTooLarge},
          {"500 that may be left out", regex(times("a?", 500) + times("a", 500)), "offset", kTooLarge},
          {"a reference", regex("(a)\\1"), "offset 3"},
          {"a lookahead", regex("a(?=b)"), "offset 1"},
          {"a lookbehind", regex("(?<!a)b"), "offset 0"},
          {"a boundary", regex("\\ba"), "offset 0"},
          {"a property", regex("\\p{L}"), "offset 0"},
          {"an anchor inside", regex("a^b"), "offset 1"},
          {"an end inside", regex("(a$)b"), "offset 2"},
          {"a \\ at the end", regex("a\\"), "offset 1"},
          {"half an escape", regex("\\x4"), "offset 0"},
          {"malformed UTF-8", regex("a\xff"), "offset 1"},
          {"flags", regex("(?i)a"), "offset 0"},
          {"no grammar", grammar(""), "grammar"},
          {"no rule", grammar("\"a\""), "grammar"},
          {"no root", grammar("a ::= \"a\""), "grammar"},
          {"a rule that is not defined", grammar("root ::= a"), "grammar"},
          {"a rule for the second time", grammar("root ::= \"a\"\nroot ::= \"b\""), "line 2"},
          {"a rule without an end", grammar("root ::= \"a\" root"), "rule root"},
          {"two rules without an end", grammar("root ::= \"a\" | b\nb ::= c \"x\"\nc ::= \"y\" b"), "rule"},
          {"a literal that stays open", grammar("root ::= \"a"), "line 1, column 10"},
          {"a class that stays open", grammar("root ::= [a"), "line 1, column 10"},
          {"a class of nothing", grammar("root ::= []"), "column 10"},
          {"a group that stays open", grammar("root ::= (\"a\""), "line 1"},
          {"a group that was not opened", grammar("root ::= \"a\")"), "column 13"},
          {"an unknown sign", grammar("root ::= \"a\" ; \"b\""), "column 14"},
          {"an unknown escape", grammar("root ::= \"\\q\""), "grammar"},
          {"an escape beyond Unicode", grammar("root ::= \"\\U00110000\""), "column 11"},
          {"a token by number", grammar("root ::= <[5]>"), "column 10"},
          {"tokens by name", grammar("root ::= Token(5)"), "column 10"},
          {"an attribute", grammar("root[max_tokens=3] ::= \"a\""), "column 5"},
          {"a lookahead", grammar("root ::= \"a\" (=\"b\")"), "column 14"},
          {"10^9 repetitions", grammar("root ::= \"a\"{1000000000}"), "{1000000000}", kTooLarge},
          {"repetitions of repetitions", grammar("root ::= ((\"a\"{999}){999}){999}"), "grammar", kTooLarge},
          {"10^5 groups", grammar("root ::= " + times("(", 100'000)), "grammar", kTooLarge},
          {"10^5 rules", grammar(times("a ::= \"a\"\n", 20'000)), "line 2"},
          {"a megabyte", grammar("root ::= \"" + times("a", 1'000'000) + "\""), "grammar", kTooLarge},
          {"NUL", grammar(std::string("root ::= \"\0\"", 12)), "column 11"},
          {"malformed UTF-8", grammar("root ::= \"\xc3\""), "column 11"}};
}

std::vector<Hostile> lists() {
  return {{"no choice", choices({}), "choices"},
          {"an empty one", choices({"a", ""}), "choices[1]"},
          {"malformed UTF-8", choices({"\xff"}), "choices[0]"},
          {"too many", choices(std::vector<std::string>(10'001, "a")), "choices", kTooLarge},
          {"too long", choices({times("a", 300'000)}), "choices", kTooLarge}};
}

void expect_refused(const std::vector<Hostile>& rows) {
  Grammars grammars("smolvlm_tiles", "<end_of_utterance>");
  for (const Hostile& row : rows) {
    SCOPED_TRACE(row.name);
    const auto start = std::chrono::steady_clock::now();
    const Error error = error_of([&] { grammars.compiler.constrain(row.form); });
    EXPECT_EQ(error.code(), row.code) << error.what();
    EXPECT_NE(error.where().find(row.place), std::string::npos) << error.what();
    EXPECT_FALSE(error.got().empty());
    EXPECT_LT(std::string(error.what()).size(), 2000U);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  }
  EXPECT_TRUE(grammars.accepts(choices({"still here"}), "still here"));
}

TEST(HostileDefinitions, Schemas) {
  if (!has_grammars()) GTEST_SKIP() << "built without xgrammar";
  expect_refused(schemas());
}
TEST(HostileDefinitions, PatternsAndGrammars) {
  if (!has_grammars()) GTEST_SKIP() << "built without xgrammar";
  expect_refused(texts());
}
TEST(HostileDefinitions, Choices) { expect_refused(lists()); }

TEST(HostileDefinitions, WithoutXgrammarTheErrorTellsHowToBuild) {
  if (has_grammars()) GTEST_SKIP() << "built with xgrammar";
  Grammars grammars("smolvlm_tiles", "<end_of_utterance>");
  const Error error = error_of([&] { grammars.compiler.constrain(format(Kind::json_object, "")); });
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_NE(error.hint().find("fetch_xgrammar"), std::string::npos);
}

/// Grammars that other engines hang on: a few tokens of each are quick.
TEST(HostileDefinitions, WalksThatBranchAreBounded) {
  if (!has_grammars()) GTEST_SKIP() << "built without xgrammar";
  Grammars grammars("smolvlm_tiles", "<end_of_utterance>");
  std::string doubled = "root ::= r0 r0\n";
  for (int i = 0; i < 40; ++i) {
    const std::string next = "r" + std::to_string(i + 1);
    doubled += "r" + std::to_string(i) + " ::= " + next + " " + next + "\n";
  }
  for (const std::string& text :
       {std::string("root ::= s\ns ::= s s | \"a\" | \"\""), std::string("root ::= root \"a\" | \"a\""),
        std::string("root ::= (((\"a\"*)*)*)*"), std::string("root ::= a{1000}\na ::= b{1000}\nb ::= \"x\""),
        doubled + "r40 ::= \"x\""}) {
    SCOPED_TRACE(text.substr(0, 60));
    const auto start = std::chrono::steady_clock::now();
    std::mt19937 random(3);
    grammars.answer(format(Kind::grammar, text), random, 8);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  }
}

/// The ways to read it double with each character: an error instead of a stall.
TEST(HostileDefinitions, TooManyWaysToReadATextAreAnError) {
  if (!has_grammars()) GTEST_SKIP() << "built without xgrammar";
  Grammars grammars("smolvlm_tiles", "<end_of_utterance>");
  const auto constraint = grammars.compiler.constrain(
      format(Kind::grammar, "root ::= (b | c)* \"x\"\nb ::= \"q\"?\nc ::= [^0-9] b?"));
  const int32_t q = grammars.content("q").front();
  const Error error = error_of([&] {
    for (int i = 0; i < 2000; ++i) {
      if (!grammars.allows(*constraint, q)) return;
      constraint->accept(q);
    }
  });
  EXPECT_EQ(error.code(), ErrorCode::input_too_large) << error.what();
}

}  // namespace
}  // namespace galago::test
