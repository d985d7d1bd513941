// The budget of one template's evaluation, and where it is: every error of the interpreter is made here.
// In: steps and bytes as they are spent. Out: Error when the budget is gone. The limits are those of
// core/limits.h: a hostile template ends in a clear error, whatever it loops over or repeats.
#pragma once

#include <cstdint>
#include <string>

#include "core/limits.h"
#include "galago/error.h"

namespace galago::jinja {

class Meter {
 public:
  /// input_bytes: what the messages hold; a template may write that much more than its own share.
  Meter(std::string where, int64_t input_bytes)
      : where_(std::move(where)),
        longest_text_(limits::kTemplateBytes + input_bytes),
        bytes_left_(kCopies * longest_text_),
        reads_left_(kReads * longest_text_) {}

  /// Counts evaluation steps; Error{model_invalid} when they are over limits::kTemplateSteps.
  void step(int64_t count = 1);
  /// Counts the bytes of a text that is about to be made; Error{model_invalid} when it is too long.
  void text(int64_t bytes);

  /// Counts the bytes of texts that an operation looks at one by one: a long text costs by its length.
  void read(size_t bytes);
  /// The same for bytes that are compared or searched many at a time.
  void scan(size_t bytes) { read(bytes / 8 + 1); }

  /// Error{model_invalid} when a text that grows, already counted, is too long.
  void length(int64_t bytes) const;

  void at_line(int line) { line_ = line; }
  int line() const { return line_; }
  [[noreturn]] void fail(ErrorCode code, const std::string& got, const std::string& expected = {}) const;
  /// Error{model_invalid}: the template does what its values do not allow.
  [[noreturn]] void invalid(const std::string& got, const std::string& expected = {}) const {
    fail(ErrorCode::model_invalid, got, expected);
  }
  /// Error{model_unsupported}: correct Jinja, outside the subset.
  [[noreturn]] void unsupported(const std::string& got, const std::string& expected = {}) const {
    fail(ErrorCode::model_unsupported, got, expected);
  }

 private:
  [[noreturn]] void too_long() const;

  static constexpr int64_t kCopies = 64;  // how often an evaluation may copy its longest text

  static constexpr int64_t kReads = 24;  // how often it may look through it

  std::string where_;
  int line_ = 0;
  int64_t steps_left_ = limits::kTemplateSteps;
  int64_t longest_text_;
  int64_t bytes_left_;
  int64_t reads_left_;
};

}  // namespace galago::jinja
