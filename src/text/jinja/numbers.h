// Numbers as Python reads, compares and rounds them, with integers of 64 bits: what would not fit is an
// error. Reference: Python 3 int(), float(), round() and the operators of numbers; Jinja 3.1 filters int,
// float, abs, round.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/builtins.h"

namespace galago::jinja {

/// int(text, base): white space around it, a sign, a prefix such as 0x, digits of any script, single
/// underscores between them. Nothing where Python raises ValueError; Error{model_invalid} over 64 bits.
std::optional<int64_t> read_integer(std::string_view text, int64_t base, Meter& meter);
/// float(text); what is too large is infinite.
std::optional<double> read_float(std::string_view text, Meter& meter);

/// Two numbers (also True and False) by their exact values; NaN is unordered.
std::partial_ordering compare_numbers(const Value& a, const Value& b, Meter& meter);

/// + - * / // % ** of two integers, and of two floats. Error{model_invalid} where Python raises an exception
/// and for an integer over 64 bits.
Value integer_arithmetic(const std::string& op, int64_t a, int64_t b, Meter& meter);
Value float_arithmetic(const std::string& op, double a, double b, Meter& meter);

/// The filters int, float, abs and round; nothing for another name.
std::optional<Value> number_filter(const std::string& name, const Value& value, const Values& arguments,
                                   Meter& meter);

}  // namespace galago::jinja
