// Runs a parsed chat template. In: its tree, the variables it sees. Out: marked text.
// Variables live in scopes: a for block and a macro have their own, an if block has none. Reference:
// Jinja 3.1.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/builtins.h"

namespace galago::jinja {

struct Closure {
  std::vector<std::map<std::string, Value, std::less<>>> scopes;
};

class Interpreter {
 public:
  using Variables = std::map<std::string, Value, std::less<>>;

  /// `now`: what strftime_now tells, seconds since 1970; nothing for the machine's clock.
  Interpreter(Variables globals, std::optional<int64_t> now, Meter& meter) : now_(now), meter_(meter) {
    scopes_.push_back(std::move(globals));
    scopes_.emplace_back();
  }

  MarkedText render(const Block& block);

 private:
  enum class Flow { on, next, stop };  // after a statement: go on, continue or break the loop
  class Scope;
  class Deeper;
  class Frame;

  Flow run(const Block& block);
  Flow run(const Statement& statement);
  Flow run_branches(const Statement& statement);
  Flow run_loop(const Statement& statement);
  Flow run_items(const Statement& statement, const Value& over, int level);
  void run_call_block(const Statement& statement);
  void run_assign(const Statement& statement);
  void run_capture(const Statement& statement);
  template <typename Run>
  MarkedText captured(const Run& run);
  void bind(const std::vector<std::string>& names, const Value& value);
  void write(const MarkedText& text);

  Value eval(const Expression& node);
  Value eval_kind(const Expression& node);
  Value eval_name(const std::string& name);
  Value eval_slice(const Expression& node);
  Value eval_call(const Expression& node);
  Value eval_unary(const Expression& node);
  Value eval_binary(const Expression& node);
  Value eval_filter(const Expression& node);
  bool eval_comparison(const Expression& node);
  bool compare(const std::string& op, const Value& a, const Value& b);
  Value call(const Value& callee, const Values& arguments);
  Value call_macro(const Callable& callable, const Values& arguments);
  Variables bind_parameters(const Callable& callable, const Values& arguments);
  Value call_loop(const Loop& loop, const Values& arguments);
  Value loop_changed(const Loop& loop, const Values& arguments);
  std::vector<Value> eval_all(const std::vector<ExpressionPtr>& nodes);
  Values eval_arguments(const Arguments& arguments);

  std::vector<Variables> scopes_;  // what the template is given, what it sets, then blocks
  std::vector<std::optional<std::vector<Value>>> changed_;  // of each running loop: what changed() saw last
  MarkedText out_;
  std::optional<int64_t> now_;
  int depth_ = 0;
  Meter& meter_;
};

}  // namespace galago::jinja
