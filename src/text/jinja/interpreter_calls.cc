// Calls: of functions and methods, of macros and the bodies of call blocks, of recursive loops.
#include <algorithm>
#include <utility>

#include "core/printable.h"
#include "text/jinja/interpreter_scopes.h"

namespace galago::jinja {

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

/// The parameters of a macro from the arguments of a call; what is left over goes to varargs and kwargs.
Interpreter::Variables Interpreter::bind_parameters(const Callable& callable, const Values& arguments) {
  const Statement& macro = *callable.macro;
  const size_t count = macro.names.size();
  const size_t given = arguments.positional.size();
  if (!macro.takes_more) arguments.at_most(count, callable.name, meter_);
  meter_.step(static_cast<int64_t>(arguments.named.size() * count) / 16 + 1);
  Variables parameters;
  std::vector<std::pair<Value, Value>> more;
  for (const auto& [name, value] : arguments.named) {
    const auto missing = macro.names.begin() + static_cast<std::ptrdiff_t>(std::min(given, count));
    if (name == "caller" && macro.wants_caller) {
      parameters[name] = value;
    } else if (std::find(missing, macro.names.end(), name) == macro.names.end()) {
      if (!macro.takes_names)
        meter_.invalid("the argument " + in_quotes(name) + " of " + callable.name, "one of its parameters");
      more.emplace_back(Value::text(name), value);
    }
  }
  const size_t required = count - macro.defaults.size();
  for (size_t i = 0; i < count; ++i) {
    const std::string& name = macro.names[i];
    if (const Value* argument = arguments.find(i, name)) {
      parameters[name] = *argument;
    } else {
      parameters[name] = i >= required ? eval(*macro.defaults[i - required]) : Value::undefined(name);
    }
  }
  if (macro.takes_more)
    parameters["varargs"] =
        make_list(given > count ? arguments.from(count).positional : std::vector<Value>(), true, meter_);
  if (macro.takes_names) parameters["kwargs"] = make_dict(std::move(more), meter_);
  return parameters;
}

Value Interpreter::call_macro(const Callable& callable, const Values& arguments) {
  const Deeper deeper(*this);
  // A macro sees what the template is given and sets at its top, not the blocks around the call; the body of
  // a call block sees what is around it.
  Variables parameters = bind_parameters(callable, arguments);
  std::vector<Variables> scopes = callable.closure ? callable.closure->scopes : std::vector<Variables>();
  scopes.push_back(std::move(parameters));
  const Frame frame(*this, 2, std::move(scopes));
  return make_text(captured([&] { run(callable.macro->body); }), meter_);
}

}  // namespace galago::jinja
