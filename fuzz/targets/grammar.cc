// What an answer's form is defined by: JSON schemas, patterns, grammars. The first byte says which; a few
// tokens are taken as the masks allow them.
#include "structured/grammar.h"

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "formats/model_files.h"
#include "support/fuzz.h"
#include "text/tokenizer/tokenizer.h"

using namespace galago;

namespace {

constexpr int kTokens = 12;

GrammarCompiler& compiler() {
  static const DirectoryFiles files(GALAGO_TEST_DATA "/models/text_smollm2");
  static const Tokenizer tokenizer = Tokenizer::from_files(files);
  static GrammarCompiler made(tokenizer, tokenizer.vocab_size(), {0}, 1 << 20);
  return made;
}

// The id of the k-th bit that is set, counted round.
int32_t allowed(const std::vector<uint32_t>& mask, size_t k) {
  size_t count = 0;
  for (const uint32_t word : mask) count += static_cast<size_t>(std::popcount(word));
  fuzz::require(count > 0);
  k %= count;
  for (size_t id = 0;; ++id)
    if (mask[id / 32] >> (id % 32) & 1 && k-- == 0) return static_cast<int32_t>(id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static constexpr AnswerFormat::Kind kKinds[] = {AnswerFormat::Kind::json_schema, AnswerFormat::Kind::regex,
                                                  AnswerFormat::Kind::grammar, AnswerFormat::Kind::choice};
  AnswerFormat format{.kind = kKinds[data[0] % 4],
                      .definition = std::string(fuzz::as_text(data + 1, size - 1)),
                      .choices = {}};
  if (format.kind == AnswerFormat::Kind::choice)
    format.choices = {format.definition, format.definition + "a"};
  fuzz::accept([&] {
    const auto constraint = compiler().constrain(format);
    fuzz::require(constraint != nullptr);
    static const int64_t vocabulary =
        Tokenizer::from_files(DirectoryFiles(GALAGO_TEST_DATA "/models/text_smollm2")).vocab_size();
    std::vector<uint32_t> mask(static_cast<size_t>(mask_words(vocabulary)));
    for (int i = 0; i < kTokens && !constraint->complete(); ++i) {
      std::ranges::fill(mask, 0);
      if (!constraint->fill(mask)) break;
      const int32_t id = allowed(mask, data[static_cast<size_t>(i) % size]);
      if (id == 0) break;
      constraint->accept(id);
      for (const int32_t certain : constraint->forced()) constraint->accept(certain);
    }
  });
  return 0;
}
