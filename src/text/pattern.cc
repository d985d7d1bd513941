// PCRE2 matches with Unicode properties, as Oniguruma does, within limits of steps and memory. An empty match
// behind another match is skipped, as Oniguruma's iterator does. In: text. Out: spans in bytes.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pattern.h"

#include <pcre2.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/printable.h"
#include "galago/error.h"
#include "text/scanners.h"
#include "text/unicode.h"

namespace galago {
namespace {

/// Steps that PCRE2 may take for one match, and KiB of heap: no pattern backtracks without bound.
constexpr uint32_t kMatchLimit = 1'000'000;
constexpr uint32_t kHeapKib = 64 * 1024;
constexpr size_t kExpressionBytes = 16 * 1024;

std::string message_of(int code) {
  PCRE2_UCHAR buffer[160] = {};
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

/// A compiled expression and its limits; matching does not change it.
class Pcre {
 public:
  Pcre(const std::string& expression, const std::string& where) : where_(where) {
    int code = 0;
    PCRE2_SIZE offset = 0;
    const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(), options,
                              &code, &offset, nullptr));
    if (!code_)
      throw Error(ErrorCode::model_invalid, {.where = where,
                                             .got = "the pattern " + in_quotes(expression) + ": " +
                                                    message_of(code) + " at offset " + std::to_string(offset),
                                             .expected = "a regular expression"});
    context_.reset(pcre2_match_context_create(nullptr));
    if (!context_) throw Error(ErrorCode::resource, {.where = where, .got = "no memory for a pattern"});
    pcre2_set_match_limit(context_.get(), kMatchLimit);
    pcre2_set_heap_limit(context_.get(), kHeapKib);
  }

  std::vector<Span> find_all(std::string_view text) const {
    Handle<pcre2_match_data, pcre2_match_data_free> data(
        pcre2_match_data_create_from_pattern(code_.get(), nullptr));
    if (!data) throw Error(ErrorCode::resource, {.where = where_, .got = "no memory for a match"});
    std::vector<Span> found;
    std::optional<size_t> last_end;
    uint32_t options = 0;  // the first call checks the text's UTF-8 once
    for (size_t at = 0; at <= text.size(); options = PCRE2_NO_UTF_CHECK) {
      const int rc = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                 options, data.get(), context_.get());
      if (rc == PCRE2_ERROR_NOMATCH) break;
      if (rc < 0) fail(rc);
      const PCRE2_SIZE* edges = pcre2_get_ovector_pointer(data.get());
      const Span span{edges[0], edges[1]};
      // \K can put the start behind the end or before the last match: such a pattern cannot cut a text.
      if (span.end < span.begin || span.begin < at) fail(PCRE2_ERROR_BADDATA);
      // An empty match right behind a match is skipped, as Oniguruma's iterator does.
      const bool again = span.begin == span.end && last_end == span.end;
      if (again) {
        at = span.end + static_cast<size_t>(std::max(1, unicode::decode_at(text, span.end).length));
        continue;
      }
      found.push_back(span);
      at = span.end;
      last_end = span.end;
    }
    return found;
  }

 private:
  template <typename T, auto kFree>
  struct Freer {
    void operator()(T* p) const noexcept { kFree(p); }
  };
  template <typename T, auto kFree>
  using Handle = std::unique_ptr<T, Freer<T, kFree>>;

  [[noreturn]] void fail(int code) const {
    throw Error(ErrorCode::model_invalid,
                {.where = where_,
                 .got = "a pattern that failed: " + message_of(code),
                 .expected = "a match within " + std::to_string(kMatchLimit) + " steps"});
  }

  std::string where_;
  Handle<pcre2_code, pcre2_code_free> code_;
  Handle<pcre2_match_context, pcre2_match_context_free> context_;
};

std::vector<Span> find_literal(std::string_view text, const std::string& literal) {
  std::vector<Span> found;
  for (size_t at = text.find(literal); at != std::string_view::npos;
       at = text.find(literal, at + literal.size()))
    found.push_back({at, at + literal.size()});
  return found;
}

}  // namespace

Pattern Pattern::literal(std::string text) {
  return Pattern([text = std::move(text)](std::string_view in) { return find_literal(in, text); });
}

Pattern Pattern::regex(const std::string& expression, const std::string& where) {
  if (expression.size() > kExpressionBytes)
    throw Error(ErrorCode::model_invalid,
                {.where = where,
                 .got = "a pattern of " + std::to_string(expression.size()) + " bytes",
                 .expected = "at most " + std::to_string(kExpressionBytes)});
  if (const auto scanner = known_scanner(expression)) {
    return Pattern([scanner = *scanner](std::string_view in) {
      std::vector<Span> found;
      for (size_t at = 0; at < in.size();) {
        const size_t end = scanner.next(in, at);
        found.push_back({at, end});
        at = end;
      }
      return found;
    });
  }
  const auto pcre = std::make_shared<const Pcre>(expression, where);
  return Pattern([pcre](std::string_view in) { return pcre->find_all(in); });
}

Pattern Pattern::from_json(const JsonField& field) {
  if (const auto text = field.find("String")) {
    if (text->string().empty()) text->fail("a pattern that is not empty");
    return literal(text->string());
  }
  if (const auto text = field.find("Regex")) return regex(text->string(), text->where());
  field.fail("an object with \"String\" or \"Regex\"");
}

std::vector<Span> Pattern::find_all(std::string_view text) const { return (*finder_)(text); }

}  // namespace galago
