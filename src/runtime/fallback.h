// Which of a backbone's ways to generate is used. In: a backbone that offers one or more of three ways.
// Out: an answer through the first offered, in the order: rows in and a whole answer out
// (generate_from_embeds); embeddings in and token ids out (generate(inputs_embeds)); token ids in and out
// (generate(input_ids)).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/answer.h"
#include "runtime/causal_model.h"
#include "runtime/generate.h"

namespace galago {

/// Takes packed rows and does everything itself: sampling, stopping, streaming.
class GeneratesFromEmbeds {
 public:
  virtual ~GeneratesFromEmbeds() = default;
  virtual Generation generate_from_embeds(const GenerateRequest& request, TokenText& text) = 0;
};

/// Takes packed rows [L, D] and returns the new token ids (not the prompt's).
class GeneratesFromInputEmbeds {
 public:
  virtual ~GeneratesFromInputEmbeds() = default;
  virtual std::vector<int32_t> generate(ConstMatrix inputs_embeds, const GenerateOptions& options) = 0;
};

/// Takes token ids [L] and returns the new ones: it can not see an image.
class GeneratesFromInputIds {
 public:
  virtual ~GeneratesFromInputIds() = default;
  virtual std::vector<int32_t> generate(std::span<const int32_t> input_ids,
                                        const GenerateOptions& options) = 0;
};

/// What a backbone offers; null where it does not. The objects are not owned.
struct Backbone {
  GeneratesFromEmbeds* from_embeds = nullptr;
  GeneratesFromInputEmbeds* from_input_embeds = nullptr;
  GeneratesFromInputIds* from_input_ids = nullptr;
};

/// Answers through the first offered way. For the ways that return bare ids, end tokens, stop strings and the
/// callback are applied to what they return. Error{usage} for bad options; Error{model_unsupported} when
/// nothing is offered, or when only ids are taken and the prompt holds image rows.
Generation generate_answer(const Backbone& backbone, const GenerateRequest& request, TokenText& text);

/// galago's own decoders offer the first way: the loop of generate.h over a CausalModel.
class CausalBackbone : public GeneratesFromEmbeds {
 public:
  /// `model` must outlive it.
  explicit CausalBackbone(CausalModel& model) : model_(model) {}
  Generation generate_from_embeds(const GenerateRequest& request, TokenText& text) override {
    return galago::generate(model_, request, text);
  }

 private:
  CausalModel& model_;
};

}  // namespace galago
