// Malformed and hostile templates: each ends in the error that its row names, quickly and without growing.
#include <gtest/gtest.h>

#include <ctime>
#include <functional>
#include <string>

#include "core/limits.h"
#include "galago/error.h"
#include "support/refusals.h"
#include "text/prompt/chat_template.h"

namespace galago {
namespace {

using test::expect_errors;
using test::Refusal;
using test::repeated;

constexpr ErrorCode kInvalid = ErrorCode::model_invalid;
constexpr ErrorCode kUnsupported = ErrorCode::model_unsupported;
constexpr ErrorCode kTooLarge = ErrorCode::input_too_large;

/// The most memory that a row may hold at once, where a text of the allowed length is copied or written.
constexpr int64_t kMostBytesOfText = 6 * limits::kPromptBytes;

void render(const std::string& source, const std::string& text = "hi") {
  ChatTemplate::from_source(source, "template").render({{"user", {{ContentPart::Type::text, text}}}}, {});
}

std::function<void()> rendering(const std::string& source) {
  return [source] { render(source); };
}

TEST(HostileTemplate, Syntax) {
  expect_errors(
      {
          {"not UTF-8", kInvalid, rendering("{{ '\xFF' }}")},
          {"too long", kTooLarge,
           rendering(std::string(static_cast<size_t>(limits::kTemplateBytes) + 1, ' '))},
          {"open output", kInvalid, rendering("{{ 1")},
          {"open tag", kInvalid, rendering("{% if 1")},
          {"open block", kInvalid, rendering("{% for a in b %}")},
          {"open comment", kInvalid, rendering("{# ")},
          {"open raw", kInvalid, rendering("{% raw %}{{")},
          {"open string", kInvalid, rendering("{{ 'a }}")},
          {"wrong bracket", kInvalid, rendering("{{ (1] }}")},
          {"stray character", kInvalid, rendering("{{ 1 ? 2 }}")},
          {"stray end", kInvalid, rendering("{% endif %}")},
          {"crossed blocks", kInvalid, rendering("{% if 1 %}{% for a in [] %}{% endif %}{% endfor %}")},
          {"long integer", kInvalid, rendering("{{ 123456789012345678901234567890 }}")},
          {"letters in a number", kInvalid, rendering("{{ 12ab }}")},
          {"bad escape", kInvalid, rendering("{{ '\\xg1' }}")},
          {"surrogate escape", kInvalid, rendering("{{ '\\ud800' }}")},
          {"unknown tag", kUnsupported, rendering("{% frobnicate %}")},
          {"include", kUnsupported, rendering("{% include 'x' %}")},
          {"import", kUnsupported, rendering("{% import 'x' as y %}")},
          {"unknown filter", kUnsupported, rendering("{{ 'a' | frobnicate }}")},
          {"unknown test", kUnsupported, rendering("{{ 'a' is frobnicated }}")},
          {"deep parentheses", kInvalid,
           rendering("{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}")},
          {"deep lists", kInvalid, rendering("{{ " + repeated("[", 5000) + repeated("]", 5000) + " }}")},
          {"deep dicts", kInvalid,
           rendering("{{ " + repeated("{1:", 5000) + "1" + repeated("}", 5000) + " }}")},
          {"many nots", kInvalid, rendering("{{ " + repeated("not ", 100000) + "1 }}")},
          {"many signs", kInvalid, rendering("{{ " + repeated("-", 100000) + "1 }}")},
          {"long sum", kInvalid, rendering("{{ 1" + repeated("+1", 100000) + " }}")},
          {"long path", kInvalid, rendering("{{ a" + repeated(".a", 100000) + " }}")},
          {"long filter chain", kInvalid, rendering("{{ 'a'" + repeated("|trim", 100000) + " }}")},
          {"long conditional", kInvalid, rendering("{{ " + repeated("1 if 0 else ", 50000) + "1 }}")},
          {"deep ifs", kInvalid, rendering(repeated("{% if 1 %}", 5000) + repeated("{% endif %}", 5000))},
      },
      kMostBytesOfText);
}

TEST(HostileTemplate, Budgets) {
  const std::string nested = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
  const std::string doubling =
      "{% set ns = namespace(s='ab') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}";
  const std::string lists =
      "{% set ns = namespace(l=[1]) %}{% for i in range(64) %}{% set ns.l = ns.l + ns.l %}{% endfor %}";
  const std::string shared =
      "{% set ns = namespace(l=[1]) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}";
  const std::string nest =
      "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}";
  const std::string chain =
      "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% for j in [ns.l] %}{% set ns.l = loop %}{% "
      "endfor "
      "%}{% endfor %}";
  expect_errors(
      {
          {"nested loops", kInvalid, rendering(nested)},
          {"long range", kInvalid, rendering("{{ range(999999999) | list }}")},
          {"range of all integers", kInvalid,
           rendering("{{ range(-9223372036854775807, 9223372036854775807, 1) }}")},
          {"repeated text", kInvalid, rendering("{{ 'abc' * 9000000000000000000 }}")},
          {"repeated text, by steps", kInvalid, rendering("{{ ('a' * 1000000) * 1000000 }}")},
          {"repeated list", kInvalid, rendering("{{ [1] * 9000000000000000000 }}")},
          {"doubled text", kInvalid, rendering(doubling)},
          {"doubled list", kInvalid, rendering(lists)},
          {"doubled by sharing, written", kInvalid, rendering(shared + "{{ ns.l }}")},
          {"doubled by sharing, as JSON", kInvalid, rendering(shared + "{{ ns.l | tojson }}")},
          {"doubled by sharing, compared", kInvalid,
           rendering(shared + "{% set a = ns.l %}{{ [a] == [a, 1] or a == a }}")},
          {"output in a loop", kInvalid,
           rendering("{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}")},
          {"data in a loop", kInvalid,
           rendering("{% for i in range(99999) %}" + repeated("x", 1000) + "{% endfor %}")},
          {"join", kInvalid, rendering("{{ range(99999) | join('x' * 100000) }}")},
          {"replace", kInvalid, rendering("{{ ('a' * 100000) | replace('a', 'b' * 100000) }}")},
          {"indent", kInvalid, rendering("{{ ('\\n' * 1000000) | indent(64, blank=true) }}")},
          {"wide indent", kInvalid, rendering("{{ 'a' | indent(9223372036854775807) }}")},
          {"wide indent of JSON", kInvalid, rendering("{{ [1] | tojson(indent=9223372036854775807) }}")},
          {"format", kInvalid, rendering("{{ ('{0}' * 100000).format('x' * 100000) }}")},
          {"nested generators", kInvalid,
           rendering(
               "{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] | select "
               "%}{% endfor %}")},
          {"a field with a form", kUnsupported, rendering("{{ '{:>99999999}'.format(1) }}")},
          {"a field's attribute", kUnsupported, rendering("{{ '{0.a}'.format(1) }}")},
          {"a field's long number", kUnsupported, rendering("{{ '{99999999999999999999}'.format(1) }}")},
          {"a field of fields", kUnsupported, rendering("{{ '{0{1}}'.format(1, 2) }}")},
          {"endless nesting", kInvalid, rendering(nest)},
          {"endless nesting through loop", kInvalid, rendering(chain)},
          {"a namespace in itself", kUnsupported, rendering("{% set a = namespace() %}{% set a.a = a %}")},
          {"a namespace in a list", kUnsupported, rendering("{% set a = namespace() %}{% set a.a = [a] %}")},
          {"endless macro", kInvalid, rendering("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")},
          {"macros that call each other", kInvalid,
           rendering(
               "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}")},
          {"map of map", kUnsupported, rendering("{{ ['a'] | map('map', 'map', 'map', 'upper') | list }}")},
          {"power", kInvalid, rendering("{{ 10 ** 100 }}")},
          {"integer overflow", kInvalid, rendering("{{ 9223372036854775807 + 1 }}")},
          {"multiplication overflow", kInvalid, rendering("{{ 9223372036854775807 * 2 }}")},
          {"negation overflow", kInvalid, rendering("{{ -(-9223372036854775807 - 1) }}")},
          {"long date format", kInvalid, rendering("{{ strftime_now('%c' * 1000) }}")},
          {"refused by the template", ErrorCode::input_invalid,
           rendering("{{ raise_exception('no\x1b[31m') }}")},
          {"message not UTF-8", ErrorCode::input_invalid,
           [] { render("{{ messages[0].content }}", "\xFF"); }},
          {"message too long", kTooLarge,
           [] { render("x", std::string(static_cast<size_t>(limits::kPromptBytes) + 1, 'a')); }},
      },
      kMostBytesOfText);
}

// Each operation on a long text, in a loop: it costs by the length, so the template ends early.
TEST(HostileTemplate, LongTextsInLoops) {
  const std::string texts =
      "{% set x = 'a' * 500000 %}{% set y = 'a' * 500000 %}{% set p = 'a' * 250000 ~ 'b' %}";
  std::vector<Refusal> rows;
  for (const char* operation : {"x == y",
                                "x < y",
                                "x in y",
                                "p in x",
                                "x.count('a')",
                                "x.rstrip('a')",
                                "x.strip(x)",
                                "x.find('b')",
                                "x.rfind(p)",
                                "x.isdigit()",
                                "x.islower()",
                                "x | length",
                                "x[1:3]",
                                "x[7]",
                                "x.split('b')",
                                "x.startswith(y)",
                                "x.partition('b')",
                                "x.zfill(9)",
                                "'%.1s' % x",
                                "x is lower",
                                "[x] == [y]",
                                "[x, y] | max",
                                "{y: 1}[x]",
                                "x | int",
                                "x | float",
                                "x | trim | length",
                                "x | upper | length",
                                "x | title | length",
                                "x | center(9) | length",
                                "[1] | sort(attribute=x)",
                                "[1] | map(attribute=x) | list",
                                "[1] | sum(attribute=x)",
                                "[{}] | groupby(x)",
                                "[1] | min(attribute=x)",
                                "[{}] | selectattr(x) | list",
                                "1 | tojson(indent=x)",
                                "1 | tojson(separators=(x, y))",
                                "'a' | attr(x)",
                                "{} | attr(x)",
                                "{}[x]",
                                "{y: 1} | attr(x)",
                                "[] | join(x)",
                                "'a' | indent(x)",
                                "'a' | replace(x, '')",
                                "'a'.replace(x, '')",
                                "'a'.find(x)",
                                "'a'.count(x)",
                                "'a'.split(x)",
                                "'a'.partition(x)",
                                "[x, y] | sort | length",
                                "[x, y] | unique | list | length",
                                "x.splitlines()"})
    rows.push_back(
        {operation, kInvalid,
         rendering(texts + "{% for i in range(99999) %}{% if " + operation + " %}{% endif %}{% endfor %}")});
#ifdef GALAGO_SANITIZED  // a part of them, each takes seconds
  for (size_t i = 0; 4 * i < rows.size(); ++i) rows[i] = rows[4 * i];
  rows.resize((rows.size() + 3) / 4);
#endif
  const std::clock_t begin = std::clock();
  expect_errors(rows, kMostBytesOfText);
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 6.0 * static_cast<double>(rows.size()));  // far above what they take
}

// Setting an attribute looks through those that are there.
TEST(HostileTemplate, NamespacesOfManyAttributes) {
  std::string source = "{% set ns = namespace() %}";
  for (int i = 0; i < 20'000; ++i) source += "{% set ns.a" + std::to_string(i) + " = 1 %}";
  expect_errors({{"attributes", kInvalid, rendering(source)}}, kMostBytesOfText);
}

TEST(HostileTemplate, IntegersOver64BitsAreNoOtherIntegers) {
  std::vector<Refusal> rows;
  for (const char* operation :
       {"1e19 | int", "-1e19 | int", "'99999999999999999999' | int", "'1e19' | int",
        "'9223372036854775808' | int", "9223372036854775807 | round(-1)",
        "(-9223372036854775807 - 1) | round(-19)", "5000000000000000001 | round(-19)", "'%d' % 1e19",
        "range(0, 9223372036854775807, 4611686018427387904)[1:]", "(-8) ** 0.5"})
    rows.push_back({operation, kInvalid, rendering(std::string("{{ ") + operation + " }}")});
  expect_errors(rows, kMostBytesOfText);
}

TEST(HostileTemplate, EdgesThatAreNoErrors) {
  const auto text = [](const std::string& source) {
    return joined(
        ChatTemplate::from_source(source, "edge").render({{"user", {{ContentPart::Type::text, "hi"}}}}, {}));
  };
  EXPECT_EQ(text("{{ (-9223372036854775807 - 1) // -1 if false else 'x' }}"), "x");
  EXPECT_EQ(text("{{ (-9223372036854775807 - 1) % -1 }}"), "0");
  EXPECT_EQ(text("{{ [1, 2, 3][9223372036854775807:] }}{{ 'ab'[::9223372036854775807] }}"), "[]a");
  EXPECT_EQ(text("{{ '' * 9000000000000000000 }}{{ 'ab' * -1 }}"), "");
  EXPECT_EQ(text("{{ range(9223372036854775800, 9223372036854775807, 5) | list | length }}"), "2");
  EXPECT_EQ(text(repeated("(", 1000)).size(), 1000U);
  const std::string least = "(-9223372036854775807 - 1)";
  for (const char* method : {"center", "ljust", "rjust", "zfill"})
    EXPECT_EQ(text("{{ 'ab'." + std::string(method) + "(" + least + ") }}"), "ab");
}

}  // namespace
}  // namespace galago
