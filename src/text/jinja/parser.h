// The recursive-descent parser of chat templates: tokens to a syntax tree. Internal to the parser's two
// files. Reference: Jinja 3.1 parser (operator precedence, the places of filters and tests).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace galago::jinja {

/// Reads expressions from a stream of tokens.
class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, const std::string& where)
      : tokens_(std::move(tokens)), meter_(where, 0) {}

 protected:
  /// Counts nested constructs while it lives.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser);
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    ExpressionParser& parser_;
  };

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token take();
  bool is_op(std::string_view op) const { return now().kind == Token::Kind::op && now().text == op; }
  bool is_name(std::string_view name) const { return now().kind == Token::Kind::name && now().text == name; }
  bool accept_op(std::string_view op);
  bool accept_name(std::string_view name);
  void expect_op(std::string_view op);
  std::string expect_name();
  void expect(Token::Kind kind, std::string_view what);
  [[noreturn]] void fail(const std::string& expected);
  size_t place() const { return at_; }
  /// Whether a name was read since a place.
  bool named_since(size_t place, std::string_view name) const;
  [[noreturn]] void unsupported(const std::string& what);

  /// One expression, or several with commas between them: a tuple.
  ExpressionPtr parse_tuple(bool parentheses, bool with_conditional = true);
  ExpressionPtr parse_expression(bool with_conditional = true);
  /// Filters behind a value: "| trim | upper".
  ExpressionPtr parse_filters(ExpressionPtr value);
  /// The name and arguments of a filter, without the sign before it.
  ExpressionPtr parse_named_filter(ExpressionPtr value);

 private:
  using Make = std::unique_ptr<Expression>;
  Make make(Expression::Kind kind) const;
  /// Sets the depth from the parts; too deep is an error.
  ExpressionPtr done(Make node);
  ExpressionPtr binary(ExpressionPtr left, std::string op, ExpressionPtr right);

  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_comparison();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concatenation();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool with_filters);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_number();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr value);
  ExpressionPtr parse_subscript(ExpressionPtr value);
  ExpressionPtr parse_call(ExpressionPtr value);
  ExpressionPtr parse_filter_chain(ExpressionPtr value);
  ExpressionPtr parse_filter(ExpressionPtr value);
  ExpressionPtr parse_test(ExpressionPtr value);
  std::optional<std::string> comparison_operator();
  Arguments parse_arguments();
  bool at_tuple_end() const;

  std::vector<Token> tokens_;
  Meter meter_;
  size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace galago::jinja
