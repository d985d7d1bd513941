// A tree becomes a list of instructions. A counted repetition of more than one character is written out, so
// its size is bounded.
#include <utility>

#include "galago/error.h"
#include "text/tokenizer/regex.h"

namespace galago::regex {
namespace {

/// Longest compiled form.
constexpr size_t kMostInstructions = 20'000;
/// Visits of nodes: what repeats nothing makes no instruction, but takes its time.
constexpr size_t kMostVisits = 1'000'000;

}  // namespace

class Regex::Compiler {
 public:
  explicit Compiler(Regex& regex) : regex_(regex) {}

  void run(const Node& root) {
    write(root);
    add(Op::accept);
  }

 private:
  using Op = Instruction::Op;
  using Kind = Node::Kind;

  void visit() {
    if (visits_++ >= kMostVisits) too_long();
  }

  [[noreturn]] void too_long() const {
    throw Error(ErrorCode::model_invalid,
                {.where = regex_.where_,
                 .got = "a pattern that becomes too long",
                 .expected = "at most " + std::to_string(kMostInstructions) + " steps"});
  }

  /// Characters of a match where all have as many; nothing otherwise.
  std::optional<uint32_t> length_of(const Node& node) {
    visit();
    switch (node.kind) {
      case Kind::character:
        return 1;
      case Kind::atomic:
      case Kind::sequence: {
        uint32_t sum = 0;
        for (const Node& kid : node.kids) {
          const auto length = length_of(kid);
          if (!length) return std::nullopt;
          sum += *length;
          if (sum > kMostInstructions) return std::nullopt;
        }
        return sum;
      }
      case Kind::alternatives: {
        const auto first = length_of(node.kids[0]);
        for (size_t i = 1; i < node.kids.size(); ++i)
          if (length_of(node.kids[i]) != first) return std::nullopt;
        return first;
      }
      case Kind::repeat: {
        const auto length = length_of(node.kids[0]);
        if (!length || node.least != node.most) return std::nullopt;
        const uint64_t all = uint64_t{*length} * node.most;
        if (all > kMostInstructions) return std::nullopt;
        return static_cast<uint32_t>(all);
      }
      default:
        return 0;
    }
  }

  /// Whether it can match nothing.
  bool can_be_empty(const Node& node) {
    visit();
    if (node.kind == Kind::character) return false;
    if (node.kind == Kind::repeat) return node.least == 0 || can_be_empty(node.kids[0]);
    if (node.kind == Kind::alternatives) {
      for (const Node& kid : node.kids)
        if (can_be_empty(kid)) return true;
      return false;
    }
    if (node.kind == Kind::sequence || node.kind == Kind::atomic)
      for (const Node& kid : node.kids)
        if (!can_be_empty(kid)) return false;
    return true;
  }

  std::vector<Instruction>& program() { return regex_.program_; }

  size_t add(Op op) {
    if (program().size() >= kMostInstructions) too_long();
    program().push_back({.op = op});
    return program().size() - 1;
  }

  void write(const Node& node) {
    visit();
    switch (node.kind) {
      case Kind::character:
        program()[add(Op::character)].set = node.set;
        return;
      case Kind::sequence:
        for (const Node& kid : node.kids) write(kid);
        return;
      case Kind::alternatives:
        return write_alternatives(node.kids, [&](const Node& kid) { write(kid); });
      case Kind::repeat:
        return write_repeat(node);
      case Kind::look:
        if (node.behind) return write_look_behind(node);
        return write_part(Op::look, node.negated, 0, [&] { write(node.kids[0]); });
      case Kind::atomic:
        return write_part(Op::atomic, false, 0, [&] { write(node.kids[0]); });
      default: {
        Instruction& assertion = program()[add(Op::assertion)];
        assertion.kind = node.kind;
        assertion.negated = node.negated;
      }
    }
  }

  template <typename Write>
  void write_alternatives(const std::vector<Node>& kids, const Write& write_one) {
    std::vector<size_t> jumps;
    for (size_t i = 0; i < kids.size(); ++i) {
      const bool last = i + 1 == kids.size();
      const size_t split = last ? 0 : add(Op::split);
      if (!last) program()[split].a = program().size();
      write_one(kids[i]);
      if (last) break;
      jumps.push_back(add(Op::jump));
      program()[split].b = program().size();
    }
    for (const size_t jump : jumps) program()[jump].a = program().size();
  }

  void write_repeat(const Node& node) {
    const Node& kid = node.kids[0];
    if (kid.kind == Kind::character) {
      Instruction& run = program()[add(Op::run)];
      run.set = kid.set;
      run.least = node.least;
      run.most = node.most;
      run.mode = node.mode;
      return;
    }
    if (node.mode == Node::Mode::possessive)
      return write_part(Op::atomic, false, 0, [&] { write_times(node, Node::Mode::greedy); });
    write_times(node, node.mode);
  }

  void write_times(const Node& node, Node::Mode mode) {
    const Node& kid = node.kids[0];
    for (uint32_t i = 0; i < node.least; ++i) write(kid);
    if (node.most == kUnlimited) return write_loop(node, mode);
    std::vector<size_t> splits;
    for (uint32_t i = node.least; i < node.most; ++i) {
      splits.push_back(add(Op::split));
      set_first(splits.back(), mode, program().size());
      write(kid);
    }
    for (const size_t split : splits) set_second(split, mode, program().size());
  }

  void write_loop(const Node& node, Node::Mode mode) {
    const bool empty = can_be_empty(node.kids[0]);
    const size_t split = add(Op::split);
    set_first(split, mode, program().size());
    const size_t mark = regex_.marks_;
    if (empty) {
      ++regex_.marks_;
      program()[add(Op::mark)].set = mark;
    }
    write(node.kids[0]);
    size_t moved = 0;
    if (empty) {
      moved = add(Op::moved);
      program()[moved].set = mark;
    }
    program()[add(Op::jump)].a = split;
    if (empty) program()[moved].a = program().size();
    set_second(split, mode, program().size());
  }

  /// Where a repetition goes on, and where it ends.
  void set_first(size_t split, Node::Mode mode, size_t to) {
    (mode == Node::Mode::lazy ? program()[split].b : program()[split].a) = to;
  }
  void set_second(size_t split, Node::Mode mode, size_t to) {
    (mode == Node::Mode::lazy ? program()[split].a : program()[split].b) = to;
  }

  template <typename Write>
  void write_part(Op op, bool negated, uint32_t characters, const Write& write_body) {
    const size_t at = add(op);
    program()[at].negated = negated;
    program()[at].least = characters;
    write_body();
    add(Op::accept);
    program()[at].a = program().size();
  }

  /// Alternatives of different lengths are tried one by one: none of them where the look is negated.
  void write_look_behind(const Node& node) {
    const Node& body = node.kids[0];
    const bool several = body.kind == Kind::alternatives && !length_of(body);
    const auto write_one = [&](const Node& part) {
      const auto length = length_of(part);
      if (!length)
        throw Error(ErrorCode::model_unsupported, {.where = regex_.where_,
                                                   .got = "a look-behind of no fixed length",
                                                   .expected = "alternatives of a fixed length each"});
      write_part(Op::look_behind, node.negated, *length, [&] { write(part); });
    };
    if (!several) return write_one(body);
    if (node.negated) {
      for (const Node& kid : body.kids) write_one(kid);
      return;
    }
    write_alternatives(body.kids, write_one);
  }

  Regex& regex_;
  size_t visits_ = 0;
};

Regex::Regex(std::string_view expression, const std::string& where) : where_(where) {
  Parsed parsed = parse(expression, where);
  sets_ = std::move(parsed.sets);
  Compiler(*this).run(parsed.root);
}

}  // namespace galago::regex
