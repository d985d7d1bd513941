// A walk over the tree. Recursion is bounded three times: by the depth of the tree (checked when it was
// built), by the nesting of values (checked when they are made) and by the nesting of macro calls (checked
// here). Reference: Jinja 3.1 compiler and runtime.
#include "text/jinja/interpreter.h"

#include <algorithm>
#include <utility>

#include "core/checked.h"
#include "core/printable.h"
#include "text/jinja/interpreter_scopes.h"
#include "text/jinja/text.h"

namespace galago::jinja {
namespace {

using Kind = Expression::Kind;

/// The range that a slice of a range is.
Range slice_range(const Range& range, const SliceBounds& bounds, Meter& meter) {
  const auto at = [&](int64_t index) {
    const auto offset = checked_mul(index, range.step);
    return offset ? checked_add(range.start, *offset) : std::nullopt;
  };
  const auto start = at(bounds.start);
  const auto stop = at(bounds.stop);
  const auto step = checked_mul(range.step, bounds.step);
  if (!start || !stop || !step) meter.invalid("an integer over 64 bits");
  return {*start, *stop, *step};
}

}  // namespace

MarkedText Interpreter::render(const Block& block) {
  run(block);
  return std::move(out_);
}

void Interpreter::write(const MarkedText& text) {
  // The output is one text: its whole length is checked, the new bytes are charged.
  meter_.text(static_cast<int64_t>(text.size()));
  out_.append(text);
  meter_.length(static_cast<int64_t>(out_.size()));
}

Interpreter::Flow Interpreter::run(const Block& block) {
  for (const auto& statement : block) {
    const Flow flow = run(*statement);
    if (flow != Flow::on) return flow;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::run(const Statement& statement) {
  meter_.at_line(statement.line);
  meter_.step();
  switch (statement.kind) {
    case Statement::Kind::data:
      write(MarkedText(statement.text));
      return Flow::on;
    case Statement::Kind::output:
      write(to_text(eval(*statement.expression), meter_));
      return Flow::on;
    case Statement::Kind::branches:
      return run_branches(statement);
    case Statement::Kind::loop:
      return run_loop(statement);
    case Statement::Kind::assign:
      run_assign(statement);
      return Flow::on;
    case Statement::Kind::capture:
      run_capture(statement);
      return Flow::on;
    case Statement::Kind::macro:
      scopes_.back()[statement.text] =
          Value(std::make_shared<const Callable>(Callable{.name = statement.text, .macro = &statement}));
      return Flow::on;
    case Statement::Kind::call_block:
      run_call_block(statement);
      return Flow::on;
    case Statement::Kind::filter_block: {
      const Scope scope(*this);
      scopes_.back()[""] = make_text(captured([&] { run(statement.body); }), meter_);
      write(to_text(eval(*statement.expression), meter_));
      return Flow::on;
    }
    case Statement::Kind::body_only: {
      const Scope scope(*this);
      return run(statement.body);
    }
    case Statement::Kind::break_loop:
      return Flow::stop;
    case Statement::Kind::continue_loop:
      return Flow::next;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::run_branches(const Statement& statement) {
  for (const Branch& branch : statement.branches)
    if (!branch.condition || eval(*branch.condition).truth()) return run(branch.body);
  return Flow::on;
}

Interpreter::Flow Interpreter::run_loop(const Statement& statement) {
  return run_items(statement, eval(*statement.expression), 0);
}

Interpreter::Flow Interpreter::run_items(const Statement& statement, const Value& over, int level) {
  Value::List items = to_items(over, meter_);
  if (statement.filter) {
    std::vector<Value> kept;
    for (const Value& item : items->items) {
      const Scope scope(*this);
      bind(statement.names, item);
      if (eval(*statement.filter).truth()) kept.push_back(item);
    }
    items = *make_list(std::move(kept), false, meter_).get<Value::List>();
  }
  const Loop loop{.items = items,
                  .level = level,
                  .id = changed_.size(),
                  .recursive = statement.recursive ? &statement : nullptr,
                  .scopes = scopes_.size(),
                  .calls = depth_};
  changed_.emplace_back();
  for (size_t i = 0; i < items->items.size(); ++i) {
    meter_.step();
    const Scope scope(*this);
    bind(statement.names, items->items[i]);
    auto now = std::make_shared<Loop>(loop);
    now->index = i;
    scopes_.back()["loop"] = Value(std::shared_ptr<const Loop>(std::move(now)));
    if (run(statement.body) == Flow::stop) break;
  }
  changed_.pop_back();
  return items->items.empty() ? run(statement.other) : Flow::on;
}

void Interpreter::bind(const std::vector<std::string>& names, const Value& value) {
  if (names.size() == 1) {
    scopes_.back()[names[0]] = value;
    return;
  }
  const Value::List items = to_items(value, meter_);
  if (items->items.size() != names.size())
    meter_.invalid(std::to_string(items->items.size()) + " values for " + std::to_string(names.size()) +
                   " names");
  for (size_t i = 0; i < names.size(); ++i) scopes_.back()[names[i]] = items->items[i];
}

void Interpreter::run_assign(const Statement& statement) {
  Value value = eval(*statement.expression);
  if (statement.attribute.empty()) return bind(statement.names, value);
  const Value target = eval_name(statement.names[0]);
  const auto* space = target.get<Value::Space>();
  if (!space) meter_.invalid("an attribute set on " + target.kind(), "a namespace");
  const auto* function = value.get<Value::Function>();
  if (value.get<Value::Space>() || (function && (*function)->closure))
    meter_.unsupported("a namespace or caller within another value", "it as a variable");
  if (value.depth() >= limits::kTemplateDepth)
    meter_.invalid("values nested deeper than " + std::to_string(limits::kTemplateDepth));
  (*space)->set(statement.attribute, std::move(value), meter_);
}

void Interpreter::run_capture(const Statement& statement) {
  Value value = make_text(captured([&] { run(statement.body); }), meter_);
  if (statement.expression) {
    const Scope scope(*this);
    scopes_.back()[statement.names[0]] = value;
    value = eval(*statement.expression);
  }
  scopes_.back()[statement.names[0]] = std::move(value);
}

Value Interpreter::eval(const Expression& node) {
  meter_.step();
  meter_.at_line(node.line);
  return eval_kind(node);
}

Value Interpreter::eval_kind(const Expression& node) {
  switch (node.kind) {
    case Kind::constant:
      return node.value;
    case Kind::name:
      return eval_name(node.text);
    case Kind::list:
    case Kind::tuple:
      return make_list(eval_all(node.parts), node.kind == Kind::tuple, meter_);
    case Kind::dict: {
      const std::vector<Value> parts = eval_all(node.parts);
      std::vector<std::pair<Value, Value>> entries;
      for (size_t i = 0; i + 1 < parts.size(); i += 2) set_entry(entries, parts[i], parts[i + 1], meter_);
      return make_dict(std::move(entries), meter_);
    }
    case Kind::attribute:
      return get_attribute(eval(*node.parts[0]), node.text, meter_);
    case Kind::item: {
      const Value of = eval(*node.parts[0]);
      return get_item(of, eval(*node.parts[1]), meter_);
    }
    case Kind::slice:
      return eval_slice(node);
    case Kind::call:
      return eval_call(node);
    case Kind::filter:
      return eval_filter(node);
    case Kind::test: {
      const Value of = eval(*node.parts[0]);
      return Value(apply_test(node.text, of, eval_arguments(node.arguments), meter_));
    }
    case Kind::unary:
      return eval_unary(node);
    case Kind::binary:
      return eval_binary(node);
    case Kind::comparison:
      return Value(eval_comparison(node));
    case Kind::conditional:
      if (eval(*node.parts[1]).truth()) return eval(*node.parts[0]);
      return node.parts[2] ? eval(*node.parts[2]) : Value::undefined("the else of an if without one");
  }
  return {};
}

Value Interpreter::eval_name(const std::string& name) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
    if (const auto found = scope->find(name); found != scope->end()) return found->second;
  if (name == "cycler" || name == "joiner" || name == "lipsum")
    meter_.unsupported("the function " + in_quotes(name));
  if (has_function(name)) return Value(std::make_shared<const Callable>(Callable{.name = name}));
  return Value::undefined(name);
}

Value Interpreter::eval_slice(const Expression& node) {
  const Value of = eval(*node.parts[0]);
  const auto bound = [&](size_t i) -> std::optional<int64_t> {
    if (!node.parts[i]) return std::nullopt;
    const Value value = eval(*node.parts[i]);
    if (value.is_none()) return std::nullopt;
    return as_integer(value, meter_);
  };
  const auto start = bound(1);
  const auto stop = bound(2);
  const int64_t step = bound(3).value_or(1);
  if (step == 0) meter_.invalid("a slice with step 0", "a step");
  if (!of.text() && !(of.list() && of.list()->has_places()))
    meter_.invalid("a slice of " + of.kind(), "a string or list");
  if (of.text()) meter_.read(of.text()->size());
  const auto offsets = of.text() ? code_point_offsets(of.text()->text()) : std::vector<size_t>();
  const size_t length = of.text() ? offsets.size() - 1 : of.list()->items.size();
  const SliceBounds bounds = slice_bounds(static_cast<int64_t>(length), start, stop, step);
  MarkedText text;
  std::vector<Value> items;
  for (int64_t i = bounds.start; step > 0 ? i < bounds.stop : i > bounds.stop;) {
    const auto at = static_cast<size_t>(i);
    if (of.text()) {
      text.append(*of.text(), offsets[at], offsets[at + 1]);
    } else {
      items.push_back(of.list()->items[at]);
    }
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  meter_.step(static_cast<int64_t>(length) / 64);
  if (of.text()) return make_text(std::move(text), meter_);
  const Value list = make_list(std::move(items), of.list()->tuple, meter_);
  if (!of.list()->range) return list;
  return Value(std::make_shared<const Sequence>(
      Sequence{list.list()->items, false, 1, slice_range(*of.list()->range, bounds, meter_)}));
}

Value Interpreter::eval_filter(const Expression& node) {
  const Value of = eval(*node.parts[0]);
  return apply_filter(node.text, of, eval_arguments(node.arguments), meter_);
}

Value Interpreter::eval_unary(const Expression& node) {
  const Value value = eval(*node.parts[0]);
  if (node.text == "not") return Value(!value.truth());
  if (node.text == "-") {
    if (const double* d = value.get<double>()) return Value(-*d);
    return arithmetic("-", Value(int64_t{0}), Value(as_integer(value, meter_)), meter_);
  }
  if (value.get<double>()) return value;
  return Value(as_integer(value, meter_));
}

Value Interpreter::eval_binary(const Expression& node) {
  Value left = eval(*node.parts[0]);
  if (node.text == "and") return left.truth() ? eval(*node.parts[1]) : left;
  if (node.text == "or") return left.truth() ? left : eval(*node.parts[1]);
  const Value right = eval(*node.parts[1]);
  meter_.at_line(node.line);
  return arithmetic(node.text, left, right, meter_);
}

bool Interpreter::eval_comparison(const Expression& node) {
  Value left = eval(*node.parts[0]);
  for (size_t i = 0; i < node.ops.size(); ++i) {
    Value right = eval(*node.parts[i + 1]);
    if (!compare(node.ops[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

bool Interpreter::compare(const std::string& op, const Value& a, const Value& b) {
  if (op == "==") return equal(a, b, meter_);
  if (op == "!=") return !equal(a, b, meter_);
  if (op == "in") return contains(b, a, meter_);
  if (op == "not in") return !contains(b, a, meter_);
  if (op == "<") return less(a, b, meter_);
  if (op == ">") return less(b, a, meter_);
  return op == "<=" ? less_or_equal(a, b, meter_) : less_or_equal(b, a, meter_);
}

std::vector<Value> Interpreter::eval_all(const std::vector<ExpressionPtr>& nodes) {
  std::vector<Value> values;
  for (const ExpressionPtr& node : nodes) values.push_back(eval(*node));
  return values;
}

Values Interpreter::eval_arguments(const Arguments& arguments) {
  Values values{eval_all(arguments.positional), {}};
  for (const auto& [name, node] : arguments.named) values.named.emplace_back(name, eval(*node));
  return values;
}

}  // namespace galago::jinja
