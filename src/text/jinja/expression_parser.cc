// One function for each level of precedence, weakest first.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/printable.h"
#include "text/jinja/parser.h"

namespace galago::jinja {
namespace {

using Kind = Expression::Kind;

/// How deep a chain such as a.b.c or a + b + c may grow.
constexpr int kChainDepth = 2 * limits::kTemplateDepth;

std::string describe(const Token& token) {
  switch (token.kind) {
    case Token::Kind::end:
      return "the end of the template";
    case Token::Kind::variable_end:
      return "\"}}\"";
    case Token::Kind::block_end:
      return "\"%}\"";
    default:
      return in_quotes(token.text);
  }
}

}  // namespace

ExpressionParser::Nesting::Nesting(ExpressionParser& parser) : parser_(parser) {
  if (++parser_.nesting_ > limits::kTemplateDepth) {
    --parser_.nesting_;
    parser_.meter_.at_line(parser_.now().line);
    parser_.meter_.invalid("a template nested deeper than " + std::to_string(limits::kTemplateDepth));
  }
}

Token ExpressionParser::take() { return at_ + 1 < tokens_.size() ? tokens_[at_++] : tokens_[at_]; }

bool ExpressionParser::accept_op(std::string_view op) {
  if (!is_op(op)) return false;
  take();
  return true;
}

bool ExpressionParser::accept_name(std::string_view name) {
  if (!is_name(name)) return false;
  take();
  return true;
}

void ExpressionParser::expect_op(std::string_view op) {
  if (!accept_op(op)) fail(in_quotes(op));
}

std::string ExpressionParser::expect_name() {
  if (now().kind != Token::Kind::name) fail("a name");
  return take().text;
}

void ExpressionParser::expect(Token::Kind kind, std::string_view what) {
  if (now().kind != kind) fail(std::string(what));
  take();
}

bool ExpressionParser::named_since(size_t place, std::string_view name) const {
  for (size_t i = place; i < at_; ++i)
    if (tokens_[i].kind == Token::Kind::name && tokens_[i].text == name) return true;
  return false;
}

void ExpressionParser::fail(const std::string& expected) {
  meter_.at_line(now().line);
  meter_.invalid(describe(now()), expected);
}

void ExpressionParser::unsupported(const std::string& what) {
  meter_.at_line(now().line);
  meter_.unsupported(what, "the subset of Jinja that chat templates use");
}

ExpressionParser::Make ExpressionParser::make(Kind kind) const {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->line = now().line;
  return node;
}

ExpressionPtr ExpressionParser::done(Make node) {
  int depth = 0;
  for (const ExpressionPtr& part : node->parts) depth = std::max(depth, part ? part->depth : 0);
  for (const ExpressionPtr& part : node->arguments.positional) depth = std::max(depth, part->depth);
  for (const auto& [name, part] : node->arguments.named) depth = std::max(depth, part->depth);
  node->depth = depth + 1;
  if (node->depth > kChainDepth) {
    meter_.at_line(node->line);
    meter_.invalid("an expression deeper than " + std::to_string(kChainDepth));
  }
  return node;
}

ExpressionPtr ExpressionParser::binary(ExpressionPtr left, std::string op, ExpressionPtr right) {
  Make node = make(Kind::binary);
  node->text = std::move(op);
  node->parts.push_back(std::move(left));
  node->parts.push_back(std::move(right));
  return done(std::move(node));
}

bool ExpressionParser::at_tuple_end() const {
  return now().kind == Token::Kind::variable_end || now().kind == Token::Kind::block_end || is_op(")");
}

ExpressionPtr ExpressionParser::parse_tuple(bool parentheses, bool with_conditional) {
  Make node = make(Kind::tuple);
  bool comma = false;
  while (!at_tuple_end()) {
    node->parts.push_back(parse_expression(with_conditional));
    if (!accept_op(",")) break;
    comma = true;
  }
  if (!comma && node->parts.size() == 1) {
    ExpressionPtr only = std::move(node->parts[0]);
    return only;
  }
  if (node->parts.empty() && !parentheses) fail("an expression");
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::parse_expression(bool with_conditional) {
  const Nesting nesting(*this);
  ExpressionPtr value = parse_or();
  while (with_conditional && is_name("if")) {
    Make node = make(Kind::conditional);
    take();
    node->parts.push_back(std::move(value));
    node->parts.push_back(parse_or());
    node->parts.push_back(accept_name("else") ? parse_expression() : nullptr);
    value = done(std::move(node));
  }
  return value;
}

ExpressionPtr ExpressionParser::parse_or() {
  ExpressionPtr left = parse_and();
  while (accept_name("or")) left = binary(std::move(left), "or", parse_and());
  return left;
}

ExpressionPtr ExpressionParser::parse_and() {
  ExpressionPtr left = parse_not();
  while (accept_name("and")) left = binary(std::move(left), "and", parse_not());
  return left;
}

ExpressionPtr ExpressionParser::parse_not() {
  if (!is_name("not")) return parse_comparison();
  const Nesting nesting(*this);
  Make node = make(Kind::unary);
  node->text = take().text;
  node->parts.push_back(parse_not());
  return done(std::move(node));
}

std::optional<std::string> ExpressionParser::comparison_operator() {
  if (now().kind == Token::Kind::op) {
    constexpr std::array<std::string_view, 6> kOperators = {"==", "!=", "<", "<=", ">", ">="};
    if (std::find(kOperators.begin(), kOperators.end(), now().text) != kOperators.end()) return take().text;
  }
  if (accept_name("in")) return "in";
  if (is_name("not") && ahead().kind == Token::Kind::name && ahead().text == "in") {
    take();
    take();
    return "not in";
  }
  return std::nullopt;
}

ExpressionPtr ExpressionParser::parse_comparison() {
  Make node = make(Kind::comparison);
  node->parts.push_back(parse_sum());
  while (auto op = comparison_operator()) {
    node->ops.push_back(std::move(*op));
    node->parts.push_back(parse_sum());
  }
  if (node->ops.empty()) {
    ExpressionPtr only = std::move(node->parts[0]);
    return only;
  }
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::parse_sum() {
  ExpressionPtr left = parse_concatenation();
  while (is_op("+") || is_op("-")) {
    std::string op = take().text;
    left = binary(std::move(left), std::move(op), parse_concatenation());
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_concatenation() {
  ExpressionPtr left = parse_product();
  while (accept_op("~")) left = binary(std::move(left), "~", parse_product());
  return left;
}

ExpressionPtr ExpressionParser::parse_product() {
  ExpressionPtr left = parse_power();
  while (is_op("*") || is_op("/") || is_op("//") || is_op("%")) {
    std::string op = take().text;
    left = binary(std::move(left), std::move(op), parse_power());
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_power() {
  ExpressionPtr left = parse_unary(true);
  while (accept_op("**")) left = binary(std::move(left), "**", parse_unary(true));
  return left;
}

ExpressionPtr ExpressionParser::parse_unary(bool with_filters) {
  ExpressionPtr value;
  if (is_op("-") || is_op("+")) {
    const Nesting nesting(*this);
    Make node = make(Kind::unary);
    node->text = take().text;
    node->parts.push_back(parse_unary(false));
    value = done(std::move(node));
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return with_filters ? parse_filter_chain(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::parse_number() {
  Make node = make(Kind::constant);
  const std::string text = take().text;
  const char* end = text.data() + text.size();
  int64_t integer = 0;
  double number = 0;
  if (text.find_first_not_of("0123456789") == std::string::npos) {
    if (std::from_chars(text.data(), end, integer).ec != std::errc{}) fail("an integer of 64 bits");
    node->value = Value(integer);
  } else {
    if (std::from_chars(text.data(), end, number).ec != std::errc{}) fail("a number of 64 bits");
    node->value = Value(number);
  }
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::parse_primary() {
  const Token& token = now();
  if (token.kind == Token::Kind::integer || token.kind == Token::Kind::floating) return parse_number();
  if (token.kind == Token::Kind::string) {
    Make node = make(Kind::constant);
    std::string text;
    while (now().kind == Token::Kind::string) text += take().text;
    node->value = Value::text(text);
    return done(std::move(node));
  }
  if (token.kind == Token::Kind::name) {
    Make node = make(Kind::constant);
    const Token taken = take();
    const std::string_view name = taken.text;
    if (name == "true" || name == "True" || name == "false" || name == "False") {
      node->value = Value(name == "true" || name == "True");
    } else if (name != "none" && name != "None") {
      node->kind = Kind::name;
      node->text = name;
    }
    return done(std::move(node));
  }
  if (accept_op("(")) {
    ExpressionPtr value = parse_tuple(true);
    expect_op(")");
    return value;
  }
  if (is_op("[")) return parse_list();
  if (is_op("{")) return parse_dict();
  fail("an expression");
}

ExpressionPtr ExpressionParser::parse_list() {
  Make node = make(Kind::list);
  expect_op("[");
  while (!is_op("]")) {
    node->parts.push_back(parse_expression());
    if (!accept_op(",")) break;
  }
  expect_op("]");
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::parse_dict() {
  Make node = make(Kind::dict);
  expect_op("{");
  while (!is_op("}")) {
    node->parts.push_back(parse_expression());
    expect_op(":");
    node->parts.push_back(parse_expression());
    if (!accept_op(",")) break;
  }
  expect_op("}");
  return done(std::move(node));
}

}  // namespace galago::jinja
