// The values are made from the events of nlohmann::json's parser, which does not recurse.
#include "text/jinja/json_reader.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/printable.h"
#include "formats/json.h"

namespace galago::jinja {
namespace {

/// Receives the parser's events.
class Builder : public Json::json_sax_t {
 public:
  Builder(const std::string& where, int64_t& values_left) : where_(where), values_left_(values_left) {}

  bool null() override { return add(Value()); }
  bool boolean(bool value) override { return add(Value(value)); }
  bool number_integer(number_integer_t value) override { return add(Value(static_cast<int64_t>(value))); }
  bool number_unsigned(number_unsigned_t value) override {
    if (!std::in_range<int64_t>(value)) invalid("the number " + std::to_string(value), "at most 64 bits");
    return add(Value(static_cast<int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    if (text.find_first_of(".eE") == std::string::npos)
      invalid("the number " + printable(text, 40), "at most 64 bits");
    return add(Value(value));
  }
  bool string(string_t& value) override {
    return add(Value(std::make_shared<const MarkedText>(value, true)));
  }
  bool binary(binary_t&) override { return false; }  // no such thing in a text

  bool start_object(size_t) override { return open(true); }
  bool start_array(size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    open_.back().key = std::move(name);
    return true;
  }

  bool parse_error(size_t byte, const std::string&, const Json::exception&) override {
    invalid("something else at byte " + std::to_string(byte), "JSON");
  }

  Value take() { return std::move(done_); }

 private:
  struct Open {
    bool object = false;
    std::string key;
    std::vector<Value> items;
    std::vector<std::pair<Value, Value>> entries;
    std::unordered_map<std::string, size_t> places{};  // of keys among the entries
    int depth = 1;
  };

  [[noreturn]] void invalid(const std::string& got, const std::string& expected) const {
    throw Error(ErrorCode::input_invalid, {.where = where_, .got = got, .expected = expected});
  }
  [[noreturn]] void too_large(const std::string& got, int64_t most) const {
    throw Error(ErrorCode::input_too_large,
                {.where = where_, .got = got, .expected = "at most " + std::to_string(most)});
  }

  bool add(Value value) {
    if (--values_left_ < 0) too_large("more values", limits::kMessageJsonValues);
    if (open_.empty()) {
      done_ = std::move(value);
      return true;
    }
    Open& holder = open_.back();
    holder.depth = std::max(holder.depth, value.depth() + 1);
    if (!holder.object) {
      holder.items.push_back(std::move(value));
      return true;
    }
    // As in Python, the last of equal keys counts, at the place of the first.
    const auto [place, fresh] = holder.places.try_emplace(holder.key, holder.entries.size());
    if (!fresh)
      holder.entries[place->second].second = std::move(value);
    else
      holder.entries.emplace_back(Value(std::make_shared<const MarkedText>(holder.key, true)),
                                  std::move(value));
    return true;
  }

  bool open(bool object) {
    if (std::cmp_greater_equal(open_.size(), limits::kMessageJsonDepth))
      too_large("deeper nesting", limits::kMessageJsonDepth);
    open_.push_back({.object = object, .key = {}, .items = {}, .entries = {}});
    return true;
  }

  bool close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    if (closed.object)
      return add(Value(std::make_shared<const Mapping>(Mapping{std::move(closed.entries), closed.depth})));
    return add(
        Value(std::make_shared<const Sequence>(Sequence{std::move(closed.items), false, closed.depth})));
  }

  const std::string& where_;
  int64_t& values_left_;
  std::vector<Open> open_;
  Value done_;
};

}  // namespace

Value read_json(std::string_view text, const std::string& where, int64_t& values_left) {
  Builder builder(where, values_left);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

}  // namespace galago::jinja
