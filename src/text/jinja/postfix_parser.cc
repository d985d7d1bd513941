// What stands behind a value: attributes, subscripts, calls, filters, tests.
#include "core/printable.h"
#include "text/jinja/parser.h"

namespace galago::jinja {
namespace {

using Kind = Expression::Kind;

}  // namespace

ExpressionPtr ExpressionParser::parse_postfix(ExpressionPtr value) {
  for (;;) {
    if (is_op(".") || is_op("[")) {
      value = parse_subscript(std::move(value));
    } else if (is_op("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::parse_subscript(ExpressionPtr value) {
  if (accept_op(".")) {
    if (now().kind == Token::Kind::integer) {
      Make node = make(Kind::item);
      node->parts.push_back(std::move(value));
      node->parts.push_back(parse_number());
      return done(std::move(node));
    }
    Make node = make(Kind::attribute);
    node->text = expect_name();
    node->parts.push_back(std::move(value));
    return done(std::move(node));
  }
  Make node = make(Kind::item);
  expect_op("[");
  node->parts.push_back(std::move(value));
  node->parts.push_back(is_op(":") ? nullptr : parse_expression());
  while (node->parts.size() < 4 && accept_op(":")) {
    node->kind = Kind::slice;
    node->parts.push_back(is_op("]") || is_op(":") ? nullptr : parse_expression());
  }
  if (is_op(",")) unsupported("a subscript of several values");
  expect_op("]");
  if (node->kind == Kind::slice) node->parts.resize(4);
  return done(std::move(node));
}

Arguments ExpressionParser::parse_arguments() {
  Arguments arguments;
  expect_op("(");
  while (!is_op(")")) {
    if (is_op("*") || is_op("**")) unsupported("arguments from a list or dict");
    if (now().kind == Token::Kind::name && ahead().kind == Token::Kind::op && ahead().text == "=") {
      std::string name = take().text;
      take();
      arguments.named.emplace_back(std::move(name), parse_expression());
    } else {
      if (!arguments.named.empty()) fail("a named argument");
      arguments.positional.push_back(parse_expression());
    }
    if (!accept_op(",")) break;
  }
  expect_op(")");
  return arguments;
}

ExpressionPtr ExpressionParser::parse_call(ExpressionPtr value) {
  Make node = make(Kind::call);
  node->arguments = parse_arguments();
  node->parts.push_back(std::move(value));
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::parse_filter_chain(ExpressionPtr value) {
  for (;;) {
    if (is_op("|")) {
      value = parse_filter(std::move(value));
    } else if (is_name("is")) {
      value = parse_test(std::move(value));
    } else if (is_op("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::parse_filters(ExpressionPtr value) {
  while (is_op("|")) value = parse_filter(std::move(value));
  return value;
}

ExpressionPtr ExpressionParser::parse_filter(ExpressionPtr value) {
  expect_op("|");
  return parse_named_filter(std::move(value));
}

ExpressionPtr ExpressionParser::parse_named_filter(ExpressionPtr value) {
  Make node = make(Kind::filter);
  node->text = expect_name();
  if (is_op("(")) node->arguments = parse_arguments();
  node->parts.push_back(std::move(value));
  return done(std::move(node));
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr value) {
  Make node = make(Kind::test);
  take();
  const bool negated = accept_name("not");
  node->text = expect_name();
  const auto kind = now().kind;
  const bool literal =
      kind == Token::Kind::string || kind == Token::Kind::integer || kind == Token::Kind::floating;
  const bool word = kind == Token::Kind::name && !is_name("else") && !is_name("or") && !is_name("and") &&
                    !is_name("if") && !is_name("in") && !is_name("not");
  if (is_name("is")) fail("one test");
  if (is_op("(")) {
    node->arguments = parse_arguments();
  } else if (literal || word || is_op("[") || is_op("{")) {
    node->arguments.positional.push_back(parse_postfix(parse_primary()));
  }
  node->parts.push_back(std::move(value));
  ExpressionPtr test = done(std::move(node));
  if (!negated) return test;
  Make inverted = make(Kind::unary);
  inverted->text = "not";
  inverted->parts.push_back(std::move(test));
  return done(std::move(inverted));
}

}  // namespace galago::jinja
