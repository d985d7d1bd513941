// See the header. Deep documents would cost stack when they are written out, and a key is looked for among
// those before it.
#include "messages/ordered_json.h"

#include <vector>

#include "core/limits.h"
#include "core/printable.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr int kMostKeys = 1000;  // of one object

[[noreturn]] void fail(const std::string& where, const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::input_invalid, {.where = where, .got = got, .expected = expected});
}

}  // namespace

OrderedJson parse_ordered_json(std::string_view text, const std::string& where) {
  std::vector<int> keys;  // of each object that stands open
  int64_t values = 0;
  const auto shallow = [&](int depth, OrderedJson::parse_event_t event, OrderedJson&) {
    if (event == OrderedJson::parse_event_t::object_start) keys.push_back(0);
    if (event == OrderedJson::parse_event_t::key) ++keys.back();
    const bool wide = !keys.empty() && keys.back() > kMostKeys;
    if (event == OrderedJson::parse_event_t::object_end) keys.pop_back();
    if (depth > limits::kJsonDepth || wide || ++values > limits::kJsonValues)
      throw Error(ErrorCode::input_too_large,
                  {.where = where,
                   .got = "deeper or larger JSON",
                   .expected = "at most " + std::to_string(limits::kJsonDepth) + " levels, " +
                               std::to_string(kMostKeys) + " keys in one object and " +
                               std::to_string(limits::kJsonValues) + " values"});
    return true;
  };
  try {
    return OrderedJson::parse(text, shallow);
  } catch (const OrderedJson::parse_error& error) {
    fail(where, "something else at byte " + std::to_string(error.byte), "JSON");
  } catch (const OrderedJson::exception&) {
    fail(where, "a number beyond its range", "JSON");
  }
}

std::string shown_json(const OrderedJson& value) {
  return printable(value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace), 60);
}

}  // namespace galago
