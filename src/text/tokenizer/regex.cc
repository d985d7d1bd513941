// Matching with a stack of places to go back to, which lies on the heap: no text makes the program recurse.
// Only what is written within a look or an atomic group is run by a call of its own. What a search costs
// is counted: its steps, and the characters that a step walks over.
#include "text/tokenizer/regex.h"

#include <algorithm>
#include <optional>

#include "galago/error.h"
#include "text/unicode/unicode.h"

namespace galago::regex {
namespace {

using unicode::decode_at;
using unicode::decode_before;

/// What one search may cost: so much, and so much more for each byte of the text. A step costs more than a
/// character that it walks over.
constexpr uint64_t kCost = 100'000'000;
constexpr uint64_t kCostPerByte = 1000;
constexpr uint64_t kStepCost = 10;
/// Steps of a match from one place.
constexpr uint64_t kMatchSteps = 1'000'000;
/// Places to go back to.
constexpr size_t kMostFrames = 1'000'000;

/// \b asks for Oniguruma's \w.
bool is_word(char32_t c) {
  static const Set word = [] {
    Set made = Set::word(false);
    made.finish();
    return made;
  }();
  return word.has(c);
}

}  // namespace

class Regex::Matcher {
 public:
  Matcher(const Regex& regex, std::string_view text)
      : regex_(regex), text_(text), cost_left_(kCost + kCostPerByte * text.size()), marks_(regex.marks_, 0) {}

  /// The end of the match that begins at `at`.
  std::optional<size_t> match(size_t at) {
    match_steps_ = kMatchSteps;
    stack_.clear();
    return run(0, at);
  }

 private:
  using Op = Instruction::Op;

  /// Where to go on when what was tried fails.
  struct Frame {
    enum class Kind {
      go,        // on at pc from at
      shorten,   // a greedy run that ends at `at` may end one character earlier, not before `other`
      lengthen,  // a lazy run that ends at `at` may take `other` characters more
      restore,   // mark pc was `at`
    } kind = Kind::go;
    size_t pc = 0;
    size_t at = 0;
    size_t other = 0;
  };

  [[noreturn]] void give_up() const {
    throw Error(ErrorCode::model_invalid,
                {.where = regex_.where_,
                 .got = "a pattern that takes too many steps",
                 .expected = "a match within " + std::to_string(kMatchSteps) +
                             " steps, and all that walk over each byte at most some hundred times"});
  }

  void pay(uint64_t cost) {
    if (cost_left_ < cost) give_up();
    cost_left_ -= cost;
  }

  void step() {
    pay(kStepCost);
    if (match_steps_-- == 0) give_up();
  }

  void push(Frame frame) {
    if (stack_.size() >= kMostFrames) give_up();
    stack_.push_back(frame);
  }

  /// Runs from `pc` to an accept. Leaves the stack as it was.
  std::optional<size_t> run(size_t pc, size_t at) {
    const size_t base = stack_.size();
    for (;;) {
      step();
      const Instruction& now = regex_.program_[pc];
      bool on = true;
      switch (now.op) {
        case Op::accept:
          drop_to(base);
          return at;
        case Op::character: {
          const auto c = decode_at(text_, at);
          on = c.length > 0 && regex_.sets_[now.set].has(c.value);
          at += static_cast<size_t>(c.length);
          ++pc;
          break;
        }
        case Op::run:
          on = run_of(now, pc, at);
          ++pc;
          break;
        case Op::split:
          push({Frame::Kind::go, now.b, at, 0});
          pc = now.a;
          break;
        case Op::jump:
          pc = now.a;
          break;
        case Op::look:
          on = run(pc + 1, at).has_value() != now.negated;
          pc = now.a;
          break;
        case Op::look_behind:
          on = matches_behind(now, pc, at) != now.negated;
          pc = now.a;
          break;
        case Op::atomic: {
          const auto end = run(pc + 1, at);
          on = end.has_value();
          at = end.value_or(at);
          pc = now.a;
          break;
        }
        case Op::mark:
          push({Frame::Kind::restore, now.set, marks_[now.set], 0});
          marks_[now.set] = at;
          ++pc;
          break;
        case Op::moved:
          pc = marks_[now.set] == at ? now.a : pc + 1;
          break;
        case Op::assertion:
          on = holds(now.kind, at) != now.negated;
          ++pc;
          break;
      }
      if (!on && !go_back(base, pc, at)) return std::nullopt;
    }
  }

  bool run_of(const Instruction& now, size_t pc, size_t& at) {
    const Set& set = regex_.sets_[now.set];
    const uint32_t first = now.mode == Node::Mode::lazy ? now.least : now.most;
    uint32_t count = 0;
    size_t least_end = at;
    for (; count < first; ++count) {
      const auto c = decode_at(text_, at);
      if (c.length == 0 || !set.has(c.value)) break;
      at += static_cast<size_t>(c.length);
      if (count + 1 == now.least) least_end = at;
    }
    pay(count);
    if (count < now.least) return false;
    if (now.mode == Node::Mode::greedy && at > least_end) push({Frame::Kind::shorten, pc, at, least_end});
    if (now.mode == Node::Mode::lazy && now.most > count)
      push({Frame::Kind::lengthen, pc, at, now.most - count});
    return true;
  }

  bool matches_behind(const Instruction& now, size_t pc, size_t at) {
    pay(now.least);
    size_t begin = at;
    for (uint32_t i = 0; i < now.least; ++i) {
      const auto c = decode_before(text_, begin);
      if (c.length == 0) return false;
      begin -= static_cast<size_t>(c.length);
    }
    return run(pc + 1, begin) == at;
  }

  bool holds(Node::Kind kind, size_t at) const {
    const bool end = at == text_.size();
    switch (kind) {
      case Node::Kind::line_begin:
        return at == 0 || (text_[at - 1] == '\n' && !end);
      case Node::Kind::line_end:
        return end || text_[at] == '\n';
      case Node::Kind::text_begin:
        return at == 0;
      case Node::Kind::text_end:
        return end;
      case Node::Kind::last_line_end:
        return end || (text_[at] == '\n' && at + 1 == text_.size());
      default: {
        const auto before = decode_before(text_, at);
        const auto behind = decode_at(text_, at);
        return (before.length > 0 && is_word(before.value)) != (behind.length > 0 && is_word(behind.value));
      }
    }
  }

  /// Takes frames off the stack until one leads on. False when there is none above `base`.
  bool go_back(size_t base, size_t& pc, size_t& at) {
    while (stack_.size() > base) {
      step();
      Frame& frame = stack_.back();
      switch (frame.kind) {
        case Frame::Kind::go:
          pc = frame.pc;
          at = frame.at;
          stack_.pop_back();
          return true;
        case Frame::Kind::shorten:
          frame.at -= static_cast<size_t>(decode_before(text_, frame.at).length);
          pc = frame.pc + 1;
          at = frame.at;
          if (frame.at <= frame.other) stack_.pop_back();
          return true;
        case Frame::Kind::lengthen: {
          const auto c = decode_at(text_, frame.at);
          const bool fits = c.length > 0 && regex_.sets_[regex_.program_[frame.pc].set].has(c.value);
          if (!fits) {
            stack_.pop_back();
            break;
          }
          frame.at += static_cast<size_t>(c.length);
          pc = frame.pc + 1;
          at = frame.at;
          if (--frame.other == 0) stack_.pop_back();
          return true;
        }
        case Frame::Kind::restore:
          marks_[frame.pc] = frame.at;
          stack_.pop_back();
          break;
      }
    }
    return false;
  }

  /// Forgets the frames above `base`; marks stay as they are, they are set before they are asked.
  void drop_to(size_t base) { stack_.resize(base); }

  const Regex& regex_;
  std::string_view text_;
  uint64_t cost_left_;
  uint64_t match_steps_ = 0;
  std::vector<size_t> marks_;
  std::vector<Frame> stack_;
};

void Regex::for_each(std::string_view text, const std::function<void(size_t, size_t)>& visit) const {
  Matcher matcher(*this, text);
  std::optional<size_t> last_end;
  for (size_t at = 0; at <= text.size();) {
    const auto end = matcher.match(at);
    const auto next = at + static_cast<size_t>(std::max(1, decode_at(text, at).length));
    if (!end || (*end == at && last_end == at)) {
      at = next;
      continue;
    }
    visit(at, *end);
    last_end = *end;
    // Behind an empty match the search goes on one character further.
    at = *end > at ? *end : next;
  }
}

}  // namespace galago::regex
