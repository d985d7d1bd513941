// What holds an answer to a form. In: a model and a request's options. Out: the constraint of one answer.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "runtime/model_state.h"
#include "structured/constraint.h"

namespace galago {

/// What a constraint has to know of the request beside its options.
struct ConstrainedAnswer {
  std::span<const int32_t> prompt;   ///< ids
  std::span<const int32_t> end_ids;  ///< of the answer
  bool continued = false;            ///< the prompt may end within the answer
};

/// The format of the options, else the DocTags machine for a model that writes them, else null. The errors of
/// GrammarCompiler::constrain.
std::shared_ptr<Constraint> make_constraint(const Model::State& model, const GenerateOptions& options,
                                            const ConstrainedAnswer& answer);

}  // namespace galago
