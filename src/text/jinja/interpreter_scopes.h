// What comes and goes with a block or a call of a template: its variables, the depth, the text that it
// writes. Internal to the interpreter.
#pragma once

#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/interpreter.h"

namespace galago::jinja {

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

/// What `run` writes, in a scope of its own.
template <typename Run>
MarkedText Interpreter::captured(const Run& run) {
  const Scope scope(*this);
  MarkedText before = std::exchange(out_, {});
  run();
  return std::exchange(out_, std::move(before));
}

}  // namespace galago::jinja
