// JSON texts of an application as values of a template: tools, tool calls, arguments of the template.
// In: JSON. Out: values whose objects keep their order, and whose texts are the user's. Reference: Python's
// json.loads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace galago::jinja {

/// Reads one JSON text. Error{input_invalid} with the byte for anything that is not JSON, integers beyond 64
/// bits included; Error{input_too_large} over limits::kMessageJsonDepth, or when there are more than
/// values_left values, which it counts down. `where` opens the error.
Value read_json(std::string_view text, const std::string& where, int64_t& values_left);

}  // namespace galago::jinja
