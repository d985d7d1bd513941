// Statements: the tags of a template. Expressions are read by expression_parser.cc.
#include "text/jinja/parser.h"

#include <algorithm>
#include <array>

#include "core/printable.h"

namespace galago::jinja {
namespace {

using Kind = Statement::Kind;

class Parser : private ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Block run() {
    Block block = parse_block({});
    if (now().kind != Token::Kind::end) fail("no end of a block here");
    return block;
  }

 private:
  using Make = std::unique_ptr<Statement>;
  using Ends = std::vector<std::string_view>;

  Make make(Kind kind) const {
    auto node = std::make_unique<Statement>();
    node->kind = kind;
    node->line = now().line;
    return node;
  }

  /// Statements up to a tag named in `ends`, whose name is then the current token; up to the end of the
  /// template when there are none.
  Block parse_block(const Ends& ends) {
    const Nesting nesting(*this);
    Block block;
    while (now().kind != Token::Kind::end) {
      if (now().kind == Token::Kind::data) {
        Make node = make(Kind::data);
        node->text = take().text;
        block.push_back(std::move(node));
      } else if (now().kind == Token::Kind::variable_begin) {
        take();
        Make node = make(Kind::output);
        node->expression = parse_tuple(false);
        expect(Token::Kind::variable_end, "}}");
        block.push_back(std::move(node));
      } else {
        expect(Token::Kind::block_begin, "a tag");
        if (now().kind == Token::Kind::name && std::find(ends.begin(), ends.end(), now().text) != ends.end())
          return block;
        block.push_back(parse_statement());
      }
    }
    if (!ends.empty()) fail("{% " + std::string(ends.back()) + " %}");
    return block;
  }

  void end_tag() { expect(Token::Kind::block_end, "%}"); }

  Make parse_statement() {
    if (accept_name("if")) return parse_if();
    if (accept_name("for")) return parse_for();
    if (accept_name("set")) return parse_set();
    if (accept_name("macro")) return parse_macro();
    if (accept_name("generation")) return parse_generation();
    if (accept_name("call")) return parse_call_block();
    if (accept_name("filter")) return parse_filter_block();
    if (is_name("break") || is_name("continue")) {
      if (loops_ == 0) fail("break and continue within a for block");
      Make node = make(is_name("break") ? Kind::break_loop : Kind::continue_loop);
      take();
      end_tag();
      return node;
    }
    constexpr std::array<std::string_view, 10> kOthers = {
        "block", "extends", "include", "import", "from", "with", "do", "autoescape", "trans", "debug"};
    if (now().kind == Token::Kind::name &&
        std::find(kOthers.begin(), kOthers.end(), now().text) != kOthers.end())
      unsupported("the tag " + in_quotes(now().text));
    if (now().kind == Token::Kind::name && !now().text.starts_with("end") && now().text != "else" &&
        now().text != "elif")
      unsupported("the tag " + in_quotes(now().text));
    fail("a tag");
  }

  Make parse_if() {
    Make node = make(Kind::branches);
    std::string end = "elif";
    while (end == "elif") {
      Branch branch;
      branch.condition = parse_tuple(false, false);
      end_tag();
      branch.body = parse_block({"elif", "else", "endif"});
      node->branches.push_back(std::move(branch));
      end = take().text;
    }
    if (end == "else") {
      end_tag();
      node->branches.push_back({nullptr, parse_block({"endif"})});
      take();
    }
    end_tag();
    return node;
  }

  std::vector<std::string> parse_targets() {
    const bool parentheses = accept_op("(");
    std::vector<std::string> names{target_name()};
    while (accept_op(",")) names.push_back(target_name());
    if (parentheses) expect_op(")");
    return names;
  }

  std::string target_name() {
    std::string name = expect_name();
    if (name == "true" || name == "false" || name == "none" || name == "True" || name == "False" ||
        name == "None")
      fail("a name that can be set");
    return name;
  }

  Make parse_for() {
    Make node = make(Kind::loop);
    node->names = parse_targets();
    if (!accept_name("in")) fail("\"in\"");
    node->expression = parse_tuple(false, false);
    if (accept_name("if")) node->filter = parse_expression();
    node->recursive = accept_name("recursive");
    end_tag();
    ++loops_;
    node->body = parse_block({"else", "endfor"});
    --loops_;
    if (take().text == "else") {
      end_tag();
      node->other = parse_block({"endfor"});
      take();
    }
    end_tag();
    return node;
  }

  Make parse_set() {
    Make node = make(Kind::assign);
    node->names = parse_targets();
    if (node->names.size() == 1 && accept_op(".")) node->attribute = expect_name();
    if (accept_op("=")) {
      node->expression = parse_tuple(false);
      end_tag();
      return node;
    }
    if (node->names.size() != 1 || !node->attribute.empty()) fail("\"=\"");
    node->kind = Kind::capture;
    if (is_op("|")) {
      auto captured = std::make_unique<Expression>();
      captured->kind = Expression::Kind::name;
      captured->line = now().line;
      captured->text = node->names[0];
      node->expression = parse_filters(std::move(captured));
    }
    end_tag();
    node->body = parse_block({"endset"});
    take();
    end_tag();
    return node;
  }

  /// Names and defaults up to the closing parenthesis.
  void parse_parameters(Statement& node) {
    expect_op("(");
    while (!is_op(")")) {
      node.names.push_back(target_name());
      if (accept_op("=")) {
        node.defaults.push_back(parse_expression());
      } else if (!node.defaults.empty()) {
        fail("a default for this parameter too");
      }
      if (!accept_op(",")) break;
    }
    expect_op(")");
  }

  /// A body that no break or continue leaves, and its end.
  void parse_body(Statement& node, std::string_view end) {
    end_tag();
    const int loops = std::exchange(loops_, 0);
    node.body = parse_block({end});
    loops_ = loops;
    take();
  }

  /// {% call(names) macro(arguments) %}
  Make parse_call_block() {
    Make node = make(Kind::call_block);
    if (is_op("(")) parse_parameters(*node);
    node->expression = parse_expression();
    if (node->expression->kind != Expression::Kind::call) fail("a call");
    parse_body(*node, "endcall");
    end_tag();
    return node;
  }

  /// {% filter upper | trim %}
  Make parse_filter_block() {
    Make node = make(Kind::filter_block);
    auto written = std::make_unique<Expression>();
    written->kind = Expression::Kind::name;
    written->line = now().line;
    node->expression = parse_filters(parse_named_filter(std::move(written)));
    parse_body(*node, "endfilter");
    end_tag();
    return node;
  }

  Make parse_macro() {
    Make node = make(Kind::macro);
    node->text = expect_name();
    const size_t begin = place();
    parse_parameters(*node);
    parse_body(*node, "endmacro");
    const auto wants = [&](const char* name) {
      const auto& names = node->names;
      return named_since(begin, name) && std::find(names.begin(), names.end(), name) == names.end();
    };
    node->wants_caller = named_since(begin, "caller");
    node->takes_more = wants("varargs");
    node->takes_names = wants("kwargs");
    if (now().kind == Token::Kind::name) take();  // its name may be repeated
    end_tag();
    return node;
  }

  Make parse_generation() {
    Make node = make(Kind::body_only);
    end_tag();
    node->body = parse_block({"endgeneration"});
    take();
    end_tag();
    return node;
  }

  int loops_ = 0;
};

}  // namespace

Block parse(std::string_view source, const std::string& where) {
  if (std::cmp_greater(source.size(), limits::kTemplateBytes))
    throw Error(ErrorCode::input_too_large,
                {.where = where,
                 .got = "a template of " + std::to_string(source.size()) + " bytes",
                 .expected = "at most " + std::to_string(limits::kTemplateBytes)});
  return Parser(tokenize(source, where), where).run();
}

}  // namespace galago::jinja
