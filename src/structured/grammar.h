// Answers in a form: what a caller asks for (AnswerFormat) becomes a Constraint of one answer. In: a model's
// tokenizer, a definition. Out: which tokens may come, step by step. Reference: xgrammar 0.2.9 for grammars
// (docs/decisions/0019-xgrammar.md), JSON Schema 2020-12 as far as docs/structured-answers.md says.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "galago/options.h"
#include "structured/constraint.h"
#include "text/tokenizer/tokenizer.h"

namespace galago {

/// What a definition may have; Error{input_too_large} beyond.
namespace grammar_limits {
inline constexpr int64_t kBytes = 256 << 10;    ///< of a definition, or of all choices together
inline constexpr int64_t kChoices = 10'000;     ///< texts of one list
inline constexpr int kDepth = 32;               ///< nested groups, or schemas in schemas
inline constexpr int64_t kRules = 10'000;       ///< of a grammar, or that a schema needs
inline constexpr int64_t kMerges = 1000;        ///< schemas that are put together with others
inline constexpr int64_t kRepeat = 1000;        ///< of {m,n}, minItems, maxLength and the like
inline constexpr int64_t kOptional = 256;       ///< elements in a row that may be left out
inline constexpr int64_t kPatternBytes = 4096;  ///< of a regular expression
inline constexpr int64_t kSize =
    100'000;  ///< characters and classes of a grammar, each as often as it is repeated
inline constexpr double kStepSeconds = 1;    ///< of a processor, for a mask or a token of an answer
inline constexpr double kAnswerSeconds = 5;  ///< of a processor, for all of them
}  // namespace grammar_limits

/// Whether this build has xgrammar: without it, choices are the only form.
bool has_grammars();

/// Belongs to one model. Everything may be called from several threads.
class GrammarCompiler {
 public:
  /// Ids from 0 to vocab_size - 1, the width of the logits; end_ids end an answer. The vocabulary is read at
  /// the first constrain(). Compiled grammars stay, the ones used last, as far as they fit cache_bytes.
  GrammarCompiler(Tokenizer tokenizer, int64_t vocab_size, std::vector<int32_t> end_ids,
                  int64_t cache_bytes = 64 << 20);
  ~GrammarCompiler();
  GrammarCompiler(const GrammarCompiler&) = delete;
  GrammarCompiler& operator=(const GrammarCompiler&) = delete;

  /// The constraint of one answer; nothing for Kind::text. Error{input_invalid} where the definition is
  /// wrong, can have no answer or asks for what cannot be promised, with the place; Error{input_too_large}
  /// over grammar_limits; Error{model_unsupported} in a build without xgrammar.
  std::unique_ptr<Constraint> constrain(const AnswerFormat& format);

  int64_t cached_bytes() const;  ///< what the compiled grammars take that are kept
  int64_t compiled() const;      ///< grammars that were compiled so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace galago
