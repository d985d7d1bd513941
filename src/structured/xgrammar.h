// The seam to xgrammar. In: a grammar in EBNF that was checked. Out: constraints. The only header that names
// what a build without xgrammar lacks; xgrammar.cc holds both.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "structured/constraint.h"
#include "structured/vocabulary.h"

namespace galago {

/// A compiled grammar, for a vocabulary. Immutable and thread-safe.
class CompiledGrammar {
 public:
  virtual ~CompiledGrammar() = default;
  virtual std::unique_ptr<Constraint> start() const = 0;
  virtual int64_t memory_bytes() const = 0;
};

/// Compiles grammars for one vocabulary. One call at a time.
class GrammarBackend {
 public:
  virtual ~GrammarBackend() = default;
  /// Error{input_invalid} with `where` for whatever xgrammar refuses or warns of.
  virtual std::shared_ptr<const CompiledGrammar> compile(const std::string& ebnf,
                                                         const std::string& where) = 0;
};

/// Error{model_unsupported} in a build without xgrammar.
std::unique_ptr<GrammarBackend> make_grammar_backend(std::shared_ptr<const Vocabulary> vocabulary);

}  // namespace galago
