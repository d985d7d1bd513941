// What attribute= arguments of filters name: "a.b.0", an integer, or nothing for the item itself.
// Reference: Jinja 3.1 filters.py, make_attrgetter.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"

namespace galago::jinja {

class AttributePath {
 public:
  /// `attribute` is a text whose parts stand between dots (digits make an index), another value for itself,
  /// or none. `otherwise`, unless it is null or none, replaces what is undefined, after every part.
  AttributePath(const Value& attribute, const Value* otherwise, Meter& meter);
  /// The item's attribute; Error{model_invalid} where a part is asked of something undefined.
  Value operator()(const Value& item) const;

 private:
  void add(std::string_view part);

  std::vector<Value> parts_;
  const Value* otherwise_;
  Meter& meter_;
};

}  // namespace galago::jinja
