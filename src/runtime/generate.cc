// A batch of one. In: a CausalModel and a request. Out: a Generation.
#include "runtime/generate.h"

#include <utility>

#include "runtime/batch.h"

namespace galago {

Generation generate(CausalModel& model, const GenerateRequest& request, TokenText& text) {
  BatchGenerator batch(model, {.sequences = 1});
  batch.add({.request = request, .text = &text});
  std::vector<BatchEnd> ended;
  while (ended.empty()) ended = batch.step();
  if (ended[0].error) std::rethrow_exception(ended[0].error);
  return std::move(ended[0].generation);
}

}  // namespace galago
