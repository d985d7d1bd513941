// See the header.
#include "runtime/constraints.h"

#include "galago/error.h"
#include "structured/doctags.h"

namespace galago {
namespace {

// The page that the prompt leaves open.
std::span<const int32_t> open_page(const DocTagsVocabulary& vocabulary, std::span<const int32_t> prompt) {
  for (size_t i = prompt.size(); i-- > 0;) {
    const DocToken token = vocabulary.token(prompt[i]);
    if (token.element != DocElement::doctag) continue;
    if (token.kind == DocToken::Kind::open) return prompt.subspan(i);
    if (token.kind == DocToken::Kind::close) break;
  }
  return {};
}

}  // namespace

std::shared_ptr<Constraint> make_constraint(const Model::State& model, const GenerateOptions& options,
                                            const ConstrainedAnswer& answer) {
  if (options.format.kind != AnswerFormat::Kind::text) {
    if (options.ignore_eos)
      throw Error(ErrorCode::usage, {.where = "ignore_eos",
                                     .got = "a format of the answer beside it",
                                     .expected = "one of the two: the answer ends where its form is whole"});
    return model.grammars->constrain(options.format);
  }
  if (!model.doctags || !options.legal_doctags) return nullptr;
  auto machine = std::make_shared<DocTagsMachine>(model.doctags, answer.end_ids);
  if (answer.continued) machine->follow(open_page(*model.doctags, answer.prompt));
  return machine;
}

}  // namespace galago
