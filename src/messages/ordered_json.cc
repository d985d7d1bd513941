// See the header. Deep documents would cost stack when they are written out, and a key is looked for among
// those before it.
#include "messages/ordered_json.h"

#include <vector>

#include "core/limits.h"
#include "core/printable.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr size_t kMostKeys = 1000;        // of one object: each is looked for among those before it
constexpr int64_t kMostValues = 250'000;  // of the document

[[noreturn]] void fail(const std::string& where, const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::input_invalid, {.where = where, .got = got, .expected = expected});
}

/// Looks at a document without building it. (The parser with a callback takes time quadratic in the members
/// of a list.)
class Limits final : public OrderedJson::json_sax_t {
 public:
  explicit Limits(const std::string& where) : where_(where) {}

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool number_float(number_float_t, const string_t&) override { return count(); }
  bool string(string_t&) override { return count(); }
  bool binary(binary_t&) override { return false; }  // no such thing in a text
  bool start_object(size_t) override { return open(); }
  bool start_array(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t&) override {
    if (++keys_.back() > kMostKeys) refuse(std::to_string(keys_.back()) + " keys in one object", kMostKeys);
    return true;
  }

  bool parse_error(size_t byte, const std::string&, const OrderedJson::exception& error) override {
    const bool range = error.id == 406;
    fail(where_, range ? "a number beyond its range" : "something else at byte " + std::to_string(byte),
         "JSON");
  }

 private:
  bool count() {
    if (++values_ > kMostValues) refuse("more than " + std::to_string(kMostValues) + " values", kMostValues);
    return true;
  }
  bool open() {
    keys_.push_back(0);
    if (keys_.size() > limits::kJsonDepth)
      refuse("depth " + std::to_string(keys_.size()), limits::kJsonDepth);
    return count();
  }
  bool close() {
    keys_.pop_back();
    return true;
  }
  [[noreturn]] void refuse(const std::string& got, int64_t limit) const {
    throw Error(ErrorCode::input_too_large,
                {.where = where_, .got = got, .expected = "at most " + std::to_string(limit)});
  }

  const std::string& where_;
  std::vector<size_t> keys_;  // of each object or list that stands open
  int64_t values_ = 0;
};

}  // namespace

OrderedJson parse_ordered_json(std::string_view text, const std::string& where) {
  // The parser takes a NUL for the end of the text and would not look behind it.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos)
    fail(where, "a NUL byte at byte " + std::to_string(nul + 1), "JSON");
  Limits limits(where);
  OrderedJson::sax_parse(text, &limits);
  return OrderedJson::parse(text);
}

std::string shown_json(const OrderedJson& value) {
  return printable(value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace), 60);
}

}  // namespace galago
