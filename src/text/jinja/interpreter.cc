// A walk over the tree. Recursion is bounded three times: by the depth of the tree (checked when it was
// built), by the nesting of values (checked when they are made) and by the nesting of macro calls (checked
// here). Reference: Jinja 3.1 compiler and runtime.
#include "text/jinja/interpreter.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/printable.h"
#include "text/jinja/text.h"

namespace galago::jinja {
namespace {

using Kind = Expression::Kind;

}  // namespace

/// A scope of variables while it lives.
class Interpreter::Scope {
 public:
  explicit Scope(Interpreter& owner) : owner_(owner) { owner_.scopes_.emplace_back(); }
  ~Scope() { owner_.scopes_.pop_back(); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Interpreter& owner_;
};

/// Counts nested calls of macros while it lives; the tree itself is shallow enough.
class Interpreter::Deeper {
 public:
  explicit Deeper(Interpreter& owner) : owner_(owner) {
    if (++owner_.depth_ > kMacroDepth) {
      --owner_.depth_;
      owner_.meter_.invalid("macros that call each other deeper than " + std::to_string(kMacroDepth));
    }
  }
  ~Deeper() { --owner_.depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  static constexpr int kMacroDepth = 8;
  Interpreter& owner_;
};

/// The first `keep` scopes, then others, while it lives.
class Interpreter::Frame {
 public:
  Frame(Interpreter& owner, size_t keep, std::vector<Variables> inner) : scopes_(owner.scopes_), keep_(keep) {
    const auto from = scopes_.begin() + static_cast<std::ptrdiff_t>(keep);
    outer_.assign(std::make_move_iterator(from), std::make_move_iterator(scopes_.end()));
    scopes_.resize(keep);
    for (Variables& scope : inner) scopes_.push_back(std::move(scope));
  }
  ~Frame() {
    scopes_.resize(keep_);
    for (Variables& scope : outer_) scopes_.push_back(std::move(scope));
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

 private:
  std::vector<Variables>& scopes_;
  size_t keep_;
  std::vector<Variables> outer_;
};

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

/// The macro sees `caller`, which sees what is around the block.
void Interpreter::run_call_block(const Statement& statement) {
  auto closure = std::make_shared<Closure>();
  for (size_t i = 2; i < scopes_.size(); ++i) {
    meter_.step(static_cast<int64_t>(scopes_[i].size()) + 1);
    closure->scopes.push_back(scopes_[i]);
  }
  const Value caller(std::make_shared<const Callable>(
      Callable{.name = "caller", .macro = &statement, .closure = std::move(closure)}));
  const Expression& node = *statement.expression;
  const Value callee = eval(*node.parts[0]);
  Values arguments = eval_arguments(node.arguments);
  arguments.named.emplace_back("caller", caller);
  write(to_text(call(callee, arguments), meter_));
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
  (*space)->set(statement.attribute, std::move(value));
}

template <typename Run>
MarkedText Interpreter::captured(const Run& run) {
  const Scope scope(*this);
  MarkedText before = std::exchange(out_, {});
  run();
  return std::exchange(out_, std::move(before));
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
  if (!of.text() && !of.list()) meter_.invalid("a slice of " + of.kind(), "a string or list");
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
  if (of.text()) meter_.read(of.text()->size());
  meter_.step(static_cast<int64_t>(length) / 64);
  return of.text() ? make_text(std::move(text), meter_)
                   : make_list(std::move(items), of.list()->tuple, meter_);
}

Value Interpreter::eval_call(const Expression& node) {
  const Value callee = eval(*node.parts[0]);
  const Values arguments = eval_arguments(node.arguments);
  meter_.at_line(node.line);
  return call(callee, arguments);
}

Value Interpreter::call(const Value& callee, const Values& arguments) {
  if (const auto* loop = callee.get<Value::LoopRef>()) return call_loop(**loop, arguments);
  const auto* function = callee.get<Value::Function>();
  if (!function) meter_.invalid("a call of " + callee.kind(), "a function");
  if ((*function)->macro) return call_macro(**function, arguments);
  if (!(*function)->method) return call_function((*function)->name, arguments, now_, meter_);
  const auto* loop = (*function)->self.get<Value::LoopRef>();
  if (loop && (*function)->name == "changed") return loop_changed(**loop, arguments);
  return call_method(**function, arguments, meter_);
}

/// Whether the values differ from those of the last call.
Value Interpreter::loop_changed(const Loop& loop, const Values& arguments) {
  if (loop.id >= changed_.size()) meter_.unsupported("changed() of a loop that has ended");
  auto& last = changed_[loop.id];
  const bool same = last && last->size() == arguments.positional.size() &&
                    std::equal(last->begin(), last->end(), arguments.positional.begin(),
                               [this](const Value& a, const Value& b) { return equal(a, b, meter_); });
  if (!same) last = arguments.positional;
  return Value(!same);
}

/// The block of a recursive loop, for other items.
Value Interpreter::call_loop(const Loop& loop, const Values& arguments) {
  if (!loop.recursive) meter_.invalid("a call of a loop", "a loop that is recursive");
  if (loop.id >= changed_.size() || loop.scopes > scopes_.size() || loop.calls != depth_)
    meter_.unsupported("a loop that is called from elsewhere than its own block");
  if (arguments.positional.size() != 1)
    meter_.invalid("a loop called with other than one argument", "its items");
  const Deeper deeper(*this);
  const Frame frame(*this, loop.scopes, {});
  return make_text(captured([&] { run_items(*loop.recursive, arguments.positional[0], loop.level + 1); }),
                   meter_);
}

Value Interpreter::call_macro(const Callable& callable, const Values& arguments) {
  const Deeper deeper(*this);
  const Statement& macro = *callable.macro;
  const auto is_parameter = [&](const std::string& name) {
    return std::find(macro.names.begin(), macro.names.end(), name) != macro.names.end();
  };
  meter_.step(static_cast<int64_t>(arguments.named.size() * macro.names.size()) / 16 + 1);
  arguments.at_most(macro.names.size(), callable.name, meter_);
  Variables parameters;
  for (const auto& [name, value] : arguments.named) {
    const bool caller = name == "caller" && macro.wants_caller;
    if (caller) parameters[name] = value;
    if (!caller && !is_parameter(name))
      meter_.invalid("the argument " + in_quotes(name) + " of " + callable.name, "one of its parameters");
  }
  const size_t required = macro.names.size() - macro.defaults.size();
  for (size_t i = 0; i < macro.names.size(); ++i) {
    const Value* given = arguments.find(i, macro.names[i]);
    if (given) {
      parameters[macro.names[i]] = *given;
    } else {
      parameters[macro.names[i]] =
          i >= required ? eval(*macro.defaults[i - required]) : Value::undefined(macro.names[i]);
    }
  }
  // A macro sees what the template is given and sets at its top, not the blocks around the call; the body of
  // a call block sees what is around it.
  std::vector<Variables> scopes = callable.closure ? callable.closure->scopes : std::vector<Variables>();
  scopes.push_back(std::move(parameters));
  const Frame frame(*this, 2, std::move(scopes));
  return make_text(captured([&] { run(macro.body); }), meter_);
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
  return op == "<=" ? !less(b, a, meter_) : !less(a, b, meter_);
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
