// A schema that was understood as EBNF. In: its nodes. Out: rules from `root` on.
#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "core/utf8.h"
#include "formats/json.h"
#include "structured/grammar.h"
#include "structured/grammar_text.h"
#include "structured/schema_node.h"

namespace galago {
namespace {

using Kind = SchemaNode::Kind;

// Numbers of up to 15 digits on either side of the point: what a double tells apart, and an end to digits.
// A string has neither lone surrogates nor, as they are, control characters. Its rules end where it ends: so
// the tokens that may come within are known beforehand.
constexpr const char* kBasics = R"EBNF(
escape ::= ["\\/bfnrt] | "u" ([0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2})
chars ::= "" | [\x20-!#-\[\]-~\u0080-\ud7ff\ue000-\U0010ffff] chars | "\\" escape chars
tail ::= "\"" | [\x20-!#-\[\]-~\u0080-\ud7ff\ue000-\U0010ffff] tail | "\\" escape tail
string ::= "\"" tail
integer ::= "-"? ("0" | [1-9] [0-9]{0,14})
number ::= integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?
boolean ::= "true" | "false"
value ::= string | number | boolean | "null" | array | object
array ::= "[" (value (", " value)*)? "]"
object ::= "{" (member (", " member)*)? "}"
member ::= "\"" tail ": " value
)EBNF";
constexpr const char* kCounted = R"([^"\\\x00-\x1f\x7f\ud800-\udfff])";
// A character of a key that is none of the properties.
constexpr const char* kPlain = R"([\x20-!#-\[\]-~\u0080-\ud7ff\ue000-\U0010ffff])";

std::string json_text(const std::string& text) { return Json(text).dump(); }

class Writer {
 public:
  explicit Writer(SchemaNodes schema) : schema_(std::move(schema)), possible_(schema_.nodes.size()) {}

  std::string grammar() {
    find_possible();
    if (!possible(schema_.root))
      fail_definition("schema, \"\"", "a schema that no value satisfies, or none that ends",
                      "one that some value satisfies");
    out_ = "root ::= " + name(schema_.root) + "\n";
    while (!open_.empty()) {
      const int node = open_.back();
      open_.pop_back();
      rule("n" + std::to_string(node), expression(node));
    }
    return out_ + kBasics;
  }

 private:
  const SchemaNode& at(int node) const { return schema_.nodes[static_cast<size_t>(node)]; }
  bool possible(int node) const { return possible_[static_cast<size_t>(node)]; }

  /// What has values of finite depth: grows until nothing changes.
  void find_possible() {
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < schema_.nodes.size(); ++i) {
        if (possible_[i] || !has_value(schema_.nodes[i])) continue;
        possible_[i] = changed = true;
      }
    }
  }

  bool has_value(const SchemaNode& node) const {
    const auto is_possible = [this](int part) { return possible(part); };
    switch (node.kind) {
      case Kind::never:
        return false;
      case Kind::choice:
        return std::any_of(node.parts.begin(), node.parts.end(), is_possible);
      case Kind::array: {
        const auto first = std::min<int64_t>(node.least, static_cast<int64_t>(node.parts.size()));
        return std::all_of(node.parts.begin(), node.parts.begin() + first, is_possible) &&
               (node.least <= first || (node.rest >= 0 && possible(node.rest)));
      }
      case Kind::object: {
        const auto& all = node.properties;
        const bool any =
            std::any_of(all.begin(), all.end(), [&](const auto& p) { return possible(p.node); }) ||
            (node.rest >= 0 && possible(node.rest));
        return std::all_of(all.begin(), all.end(),
                           [&](const auto& p) { return !p.required || possible(p.node); }) &&
               (any || node.least == 0);
      }
      default:
        return true;
    }
  }

  void rule(const std::string& rule_name, const std::string& body) {
    expect_at_most(++rules_, grammar_limits::kRules, "schema", "rules of its grammar");
    out_ += rule_name + " ::= " + body + "\n";
  }

  /// The rule of a node, which is written when it is not.
  std::string name(int node) {
    switch (at(node).kind) {
      case Kind::any:
        return "value";
      case Kind::boolean:
        return "boolean";
      case Kind::null:
        return "\"null\"";
      default:
        if (named_.insert(node).second) open_.push_back(node);
        return "n" + std::to_string(node);
    }
  }

  std::string expression(int index) {
    const SchemaNode& node = at(index);
    switch (node.kind) {
      case Kind::integer:
        return node.text.empty() ? "integer" : node.text;
      case Kind::number:
        return node.text.empty() ? "number" : node.text;
      case Kind::string:
        return text(node);
      case Kind::literal:
        return ebnf_literal(node.text);
      case Kind::choice:
        return choice(node, "n" + std::to_string(index));
      case Kind::array:
        return array(node);
      case Kind::object:
        return object(node, "n" + std::to_string(index));
      default:
        return name(index);
    }
  }

  std::string choice(const SchemaNode& node, const std::string& own) {
    if (std::all_of(node.parts.begin(), node.parts.end(),
                    [this](int part) { return at(part).kind == Kind::literal; })) {
      std::vector<std::string> texts;
      for (const int part : node.parts) texts.push_back(at(part).text);
      std::sort(texts.begin(), texts.end());
      return literals(texts, 0, own);
    }
    std::string out;
    for (const int part : node.parts)
      if (possible(part)) out += (out.empty() ? "" : " | ") + name(part);
    return out;
  }

  /// What follows the first `from` bytes of texts in order: what they share once, then a rule for what
  /// differs.
  std::string literals(std::span<const std::string> texts, size_t from, const std::string& own) {
    const std::string& first = texts.front();
    if (texts.size() == 1) return ebnf_literal(first.substr(from));
    size_t same = from;
    while (same < first.size() && same < texts.back().size() && first[same] == texts.back()[same]) ++same;
    while (same > from && same < texts.back().size() && !unicode::begins_character(texts.back()[same]))
      --same;
    std::string ways;
    for (size_t begin = 0; begin < texts.size();) {
      const auto next = [same](const std::string& text) {
        return text.substr(same, static_cast<size_t>(unicode::decode_at(text, same).length));
      };
      const std::string character = next(texts[begin]);
      size_t end = begin + 1;
      while (end < texts.size() && next(texts[end]) == character) ++end;
      ways += (ways.empty() ? "" : " | ") + literals(texts.subspan(begin, end - begin), same, own);
      begin = end;
    }
    const std::string branch = own + "l" + std::to_string(rules_);
    rule(branch, ways);
    return ebnf_literal(first.substr(from, same - from)) + " " + branch;
  }

  static std::string counted(int64_t least, int64_t most) {
    if (least == 0 && most < 0) return "*";
    return "{" + std::to_string(least) + "," + (most < 0 ? "" : std::to_string(most)) + "}";
  }

  static std::string text(const SchemaNode& node) {
    if (!node.text.empty()) return "\"\\\"\" (" + node.text + ") \"\\\"\"";
    if (node.least == 0 && node.most < 0) return "string";
    // Without escapes: xgrammar counts characters fast when the one that ends them is left out of their
    // class.
    return node.most == 0
               ? R"("\"\"")"
               : "\"\\\"\" " + std::string(kCounted) + counted(node.least, node.most) + " \"\\\"\"";
  }

  /// All first items come, as far as they may: a list of a known form is whole.
  std::string array(const SchemaNode& node) {
    std::string first;
    int64_t count = 0;
    for (const int part : node.parts) {
      if (!possible(part) || (node.most >= 0 && count == node.most)) break;
      first += (count == 0 ? "" : " \", \" ") + name(part);
      ++count;
    }
    const bool whole = count == static_cast<int64_t>(node.parts.size());
    const int64_t least = std::max<int64_t>(node.least - count, 0);
    const int64_t most = node.most < 0 ? -1 : node.most - count;
    if (!whole || node.rest < 0 || !possible(node.rest) || most == 0) return "\"[\" " + first + " \"]\"";
    const std::string item = name(node.rest);
    if (count > 0) return "\"[\" " + first + " (\", \" " + item + ")" + counted(least, most) + " \"]\"";
    const std::string items =
        item + " (\", \" " + item + ")" + counted(std::max<int64_t>(least - 1, 0), most < 0 ? -1 : most - 1);
    return least > 0 ? "\"[\" " + items + " \"]\"" : "\"[\" (" + items + ")? \"]\"";
  }

  /// For each property two rules: what follows when one came before it, and when none did.
  std::string object(const SchemaNode& node, const std::string& own) {
    std::vector<const SchemaNode::Property*> written;
    for (const auto& property : node.properties)
      if (possible(property.node)) written.push_back(&property);
    expect_at_most(std::count_if(written.begin(), written.end(), [](const auto* p) { return !p->required; }),
                   grammar_limits::kOptional, "schema", "properties of an object that may be left out");
    std::string after = "\"\"";
    std::string first = node.least == 0 ? "\"\"" : "";
    if (node.rest >= 0 && possible(node.rest)) {
      const auto known = static_cast<int64_t>(node.properties.size());
      const int64_t most = node.most < 0 ? -1 : node.most - known;
      if (most != 0) {
        rule(own + "m", further_key(node, own) + " \": \" " + name(node.rest));
        after = "(\", \" " + own + "m)" + counted(0, most);
        const std::string some = own + "m (\", \" " + own + "m)" + counted(0, most < 0 ? -1 : most - 1);
        first = node.least == 0 ? "(" + some + ")?" : some;
      }
    }
    for (size_t i = written.size(); i-- > 0;) {
      const std::string number = std::to_string(i);
      const std::string member =
          ebnf_literal(json_text(written[i]->name) + ": ") + " " + name(written[i]->node);
      rule(own + "a" + number, after);
      if (!first.empty()) rule(own + "f" + number, first);
      const std::string then = own + "a" + number;
      after = "\", \" " + member + " " + then;
      if (!written[i]->required) after = "(" + after + ") | " + then;
      const std::string skipped = first.empty() ? "" : own + "f" + number;
      first = member + " " + then;
      if (!written[i]->required && !skipped.empty()) first = "(" + first + ") | " + skipped;
    }
    if (first.empty()) first = "\"\"";
    return "\"{\" (" + first + ") \"}\"";
  }

  /// A key of plain characters that is none of the properties: a walk beside the tree of their names.
  std::string further_key(const SchemaNode& node, const std::string& own) {
    std::set<std::u32string> names;
    for (const auto& property : node.properties) {
      std::u32string characters;
      for (size_t at = 0; at < property.name.size();) {
        const auto [value, length] = unicode::decode_at(property.name, at);
        characters += value;
        at += static_cast<size_t>(length);
      }
      names.insert(characters);
    }
    if (names.empty()) return "\"\\\"\" " + std::string(kPlain) + "* \"\\\"\"";
    std::set<std::u32string> beginnings = {U""};
    for (const auto& name : names)
      for (size_t n = 1; n <= name.size(); ++n) beginnings.insert(name.substr(0, n));
    std::map<std::u32string, std::string> rule_of;
    for (const auto& beginning : beginnings) rule_of[beginning] = own + "k" + std::to_string(rule_of.size());
    for (const auto& [beginning, rule_name] : rule_of) {
      std::string others = "[^\"\\\\\\x00-\\x1f\\x7f\\ud800-\\udfff";
      std::string ways;
      for (auto next = rule_of.upper_bound(beginning);
           next != rule_of.end() && next->first.starts_with(beginning); ++next) {
        if (next->first.size() != beginning.size() + 1) continue;
        const char32_t c = next->first.back();
        others += ebnf_class_character(c);
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
          ways += " | " + ebnf_literal(text_of(c)) + " " + next->second;
      }
      if (!names.contains(beginning)) ways += " | \"\"";
      rule(rule_name, others + "] " + kPlain + "*" + ways);
    }
    return "\"\\\"\" " + rule_of[U""] + " \"\\\"\"";
  }

  static std::string text_of(char32_t c) {
    std::string out;
    unicode::append(out, c);
    return out;
  }

  SchemaNodes schema_;
  std::vector<bool> possible_;
  std::set<int> named_;
  std::vector<int> open_;
  std::string out_;
  int64_t rules_ = 0;
};

}  // namespace

std::string schema_grammar(SchemaNodes schema) { return Writer(std::move(schema)).grammar(); }

}  // namespace galago
