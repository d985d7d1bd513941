// The text is cut once, not for every item.
#include "text/jinja/attribute_path.h"

#include <algorithm>

#include "core/printable.h"
#include "text/jinja/builtins.h"
#include "text/jinja/numbers.h"
#include "text/unicode/unicode.h"

namespace galago::jinja {
namespace {

/// Python's str.isdigit().
bool all_digits(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto c = unicode::decode_at(text, i);
    if (!unicode::is_python_digit(c.value)) return false;
    i += static_cast<size_t>(c.length);
  }
  return !text.empty();
}

}  // namespace

AttributePath::AttributePath(const Value& attribute, const Value* otherwise, Meter& meter)
    : otherwise_(otherwise && !otherwise->is_none() ? otherwise : nullptr), meter_(meter) {
  if (attribute.is_none()) return;
  const MarkedText* path = attribute.text();
  if (!path) {
    parts_.push_back(attribute);
    return;
  }
  const std::string_view text = path->text();
  meter.read(text.size());
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    meter.step();
    add(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

void AttributePath::add(std::string_view part) {
  constexpr size_t kDigits = 18;  // an index of more is of nothing
  if (!all_digits(part)) {
    parts_.push_back(Value::text(part));
    return;
  }
  const bool long_index =
      unicode::count(part) > kDigits && part.find_first_not_of('0') != std::string_view::npos;
  const auto index = long_index ? std::optional(INT64_MAX) : read_integer(part, 10, meter_);
  if (!index) meter_.invalid("the attribute " + in_quotes(part), "decimal digits");
  parts_.emplace_back(*index);
}

Value AttributePath::operator()(const Value& item) const {
  Value at = item;
  for (const Value& part : parts_) {
    at = get_item(at, part, meter_);
    if (otherwise_ && at.is_undefined()) at = *otherwise_;
  }
  return at;
}

}  // namespace galago::jinja
