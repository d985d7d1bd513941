// Finders of matches: a literal, a scanner, an expression. In: text. Out: spans in bytes.
#include "text/tokenizer/pattern.h"

#include <utility>

#include "galago/error.h"
#include "text/search.h"
#include "text/tokenizer/regex.h"
#include "text/tokenizer/scanners.h"

namespace galago {
namespace {

constexpr size_t kExpressionBytes = 16 * 1024;

}  // namespace

Pattern Pattern::literal(std::string text) {
  return Pattern([literal = std::move(text)](std::string_view in, const Visit& visit) {
    for (size_t at = find_part(in, literal); at != std::string_view::npos;
         at = find_part(in, literal, at + literal.size()))
      visit({at, at + literal.size()});
  });
}

Pattern Pattern::regex(const std::string& expression, const std::string& where) {
  if (expression.size() > kExpressionBytes)
    throw Error(ErrorCode::model_invalid,
                {.where = where,
                 .got = "a pattern of " + std::to_string(expression.size()) + " bytes",
                 .expected = "at most " + std::to_string(kExpressionBytes)});
  if (const auto scanner = known_scanner(expression)) {
    return Pattern([scanner = *scanner](std::string_view in, const Visit& visit) {
      for (size_t at = 0; at < in.size();) {
        const size_t end = scanner.next(in, at);
        visit({at, end});
        at = end;
      }
    });
  }
  const auto compiled = std::make_shared<const regex::Regex>(expression, where);
  return Pattern([compiled](std::string_view in, const Visit& visit) {
    compiled->for_each(in, [&visit](size_t begin, size_t end) { visit({begin, end}); });
  });
}

Pattern Pattern::from_json(const JsonField& field) {
  if (const auto text = field.find("String")) {
    if (text->string().empty()) text->fail("a pattern that is not empty");
    return literal(text->string());
  }
  if (const auto text = field.find("Regex")) return regex(text->string(), text->where());
  field.fail("an object with \"String\" or \"Regex\"");
}

}  // namespace galago
