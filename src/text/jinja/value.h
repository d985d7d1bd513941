// The values of chat templates: Python's, as far as templates use them. Texts carry marks of who wrote them.
// Values are immutable and shared, except a namespace. Nesting is limited, so that nothing that walks a value
// can run out of stack. Reference: Jinja 3.1, Python 3.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/meter.h"
#include "text/marked_text.h"

namespace galago::jinja {

class Value;
struct Statement;

struct Undefined {
  std::shared_ptr<const std::string> name;  ///< what was asked for
};
struct None {};

/// What range() was asked for.
struct Range {
  int64_t start = 0;
  int64_t stop = 0;
  int64_t step = 1;
};

/// A list, a tuple, a range or a view of a dict.
struct Sequence {
  std::vector<Value> items;
  bool tuple = false;
  int depth = 1;
  std::optional<Range> range{};  ///< set for a range
  bool group = false;            ///< a tuple of groupby: grouper and list
  std::string_view view{};  ///< "dict_items", "dict_keys" or "dict_values" for what a dict's methods give

  /// Whether it has places to look up, slice and add to.
  bool has_places() const { return view.empty(); }
};

/// A dict, in the order of insertion.
struct Mapping {
  std::vector<std::pair<Value, Value>> entries;
  int depth = 1;

  const Value* find(std::string_view key, Meter& meter) const;
};

/// namespace(): the one value whose attributes can be set. It cannot be stored in another value.
struct Namespace {
  std::vector<std::pair<std::string, Value>> entries;

  const Value* find(std::string_view key, Meter& meter) const;
  void set(const std::string& key, Value value, Meter& meter);
};

/// What map, select and their kin make: items to visit, but nothing with a length, and true even when empty.
struct Generator {
  std::shared_ptr<const Sequence> items;
};

/// The variable `loop` within a for block.
struct Loop {
  std::shared_ptr<const Sequence> items;
  size_t index = 0;
  int level = 0;                         ///< of a recursive loop, from 0
  size_t id = 0;                         ///< among the loops that run
  const Statement* recursive = nullptr;  ///< the block, where it may call itself
  size_t scopes = 0;                     ///< how many were there when it began
  int calls = 0;                         ///< and how many calls around it
};

/// The variables around the body of a call block.
struct Closure;

/// A function of the environment, or a method with the value that it belongs to.
struct Callable;

class Value {
 public:
  using Text = std::shared_ptr<const MarkedText>;
  using List = std::shared_ptr<const Sequence>;
  using Dict = std::shared_ptr<const Mapping>;
  using Space = std::shared_ptr<Namespace>;
  using Stream = std::shared_ptr<const Generator>;
  using LoopRef = std::shared_ptr<const Loop>;
  using Function = std::shared_ptr<const Callable>;
  using Data = std::variant<Undefined, None, bool, int64_t, double, Text, List, Dict, Space, Stream, LoopRef,
                            Function>;

  Value() : data_(None{}) {}
  Value(Data data) : data_(std::move(data)) {}
  /// Text of the template's own.
  static Value text(std::string_view text) { return Value(std::make_shared<const MarkedText>(text)); }
  static Value undefined(std::string name) {
    return Value(Undefined{std::make_shared<const std::string>(std::move(name))});
  }

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&data_);
  }
  /// The text; nullptr for another kind.
  const MarkedText* text() const;
  const Sequence* list() const;
  const Mapping* dict() const;
  bool is_undefined() const { return get<Undefined>() != nullptr; }
  bool is_none() const { return get<None>() != nullptr; }
  bool is_number() const { return get<bool>() || get<int64_t>() || get<double>(); }

  /// Python's truth.
  bool truth() const;
  /// "str", "int", "list"...
  std::string kind() const;
  int depth() const;

 private:
  Data data_;
};

struct Callable {
  std::string name;
  Value self;  ///< what a method belongs to
  bool method = false;
  const Statement* macro = nullptr;          ///< the template's own function
  std::shared_ptr<const Closure> closure{};  ///< of a call block's body
};

/// Makers that charge the meter and check the nesting.
Value make_text(MarkedText text, Meter& meter);
Value make_list(std::vector<Value> items, bool tuple, Meter& meter);
/// A view of a dict, `kind` is Python's name of it: a literal.
Value make_view(std::vector<Value> items, std::string_view kind, Meter& meter);
Value make_dict(std::vector<std::pair<Value, Value>> entries, Meter& meter);
Value make_generator(std::vector<Value> items, Meter& meter);

/// Sets a key of a dict that is being made: the last of equal keys counts, at the place of the first.
void set_entry(std::vector<std::pair<Value, Value>>& entries, const Value& key, const Value& value,
               Meter& meter);

/// Python's ==.
bool equal(const Value& a, const Value& b, Meter& meter);
/// Python's < for numbers, texts, lists and tuples; an error for others.
bool less(const Value& a, const Value& b, Meter& meter);
/// Python's <=, which is not the contrary of > where there is NaN.
bool less_or_equal(const Value& a, const Value& b, Meter& meter);
/// Numbers, also True and False, as a double.
double as_double(const Value& value, Meter& meter);
/// An int (or bool); an error for other kinds.
int64_t as_integer(const Value& value, Meter& meter);
/// Python's str(): what {{ }} writes.
MarkedText to_text(const Value& value, Meter& meter);
/// Python's repr().
MarkedText to_repr(const Value& value, Meter& meter);
/// The items that a for loop visits: of a list or generator, a dict's keys, a text's characters; none of
/// undefined.
Value::List to_items(const Value& value, Meter& meter);
/// Python's repr() of a float.
std::string float_text(double value);

}  // namespace galago::jinja
