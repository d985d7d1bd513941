// The syntax tree of a chat template. Its depth is limited when it is built, so that evaluation and
// destruction cannot run out of stack. Reference: Jinja 3.1 nodes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace galago::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

/// Arguments of a call, a filter or a test.
struct Arguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
};

struct Expression {
  enum class Kind {
    constant,     // value
    name,         // text
    list,         // parts
    tuple,        // parts
    dict,         // parts: key, value, key, value...
    attribute,    // parts[0] . text
    item,         // parts[0] [ parts[1] ]
    slice,        // parts[0] [ parts[1] : parts[2] : parts[3] ], each may be null
    call,         // parts[0] ( arguments )
    filter,       // parts[0] | text ( arguments ); parts[0] is never null
    test,         // parts[0] is text ( arguments )
    unary,        // text: - + not
    binary,       // text: + - * / // % ** ~ and or
    comparison,   // parts[0] ops[0] parts[1] ops[1] parts[2]...
    conditional,  // parts[0] if parts[1] else parts[2], which may be null
  };
  Kind kind = Kind::constant;
  int line = 0;
  int depth = 1;
  std::string text;
  Value value;
  std::vector<ExpressionPtr> parts;
  std::vector<std::string> ops;
  Arguments arguments;
};

struct Statement;
using Block = std::vector<std::unique_ptr<const Statement>>;

/// A condition and what it guards; the condition of an else is null.
struct Branch {
  ExpressionPtr condition;
  Block body;
};

struct Statement {
  enum class Kind {
    data,          // text
    output,        // expression
    branches,      // branches: if, elif, else
    loop,          // for names in expression if filter: body, else: other; recursive
    assign,        // set names = expression, or set name.attribute = expression
    capture,       // set names[0] to what body writes; expression: that name with the tag's filters, or null
    macro,         // macro text(names): body; defaults are those of the last names
    call_block,    // expression, a call, with body as its caller(names)
    filter_block,  // expression, filters of the name "", on what body writes
    body_only,     // generation: its body
    break_loop,
    continue_loop,
  };
  Kind kind = Kind::data;
  int line = 0;
  bool recursive = false;
  bool wants_caller = false;  // a macro whose body names its caller,
  bool takes_more = false;    // varargs
  bool takes_names = false;   // or kwargs, and has no parameter of that name
  std::string text;
  std::vector<std::string> names;
  std::string attribute;
  ExpressionPtr expression;
  ExpressionPtr filter;
  std::vector<ExpressionPtr> defaults;
  std::vector<Branch> branches;
  Block body;
  Block other;
};

/// Parses a template. Error{model_invalid} with the line and what was expected; Error{model_unsupported}
/// names a construct outside the subset.
Block parse(std::string_view source, const std::string& where);

}  // namespace galago::jinja
