// A tokenizer.json, and texts through the tokenizer that comes of it.
#include <optional>

#include "support/fuzz.h"
#include "support/mutators.h"
#include "support/tokenizer_checks.h"

using namespace galago;

GALAGO_FUZZ_MUTATOR(mutate_json_file)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::optional<Tokenizer> tokenizer;
  fuzz::accept([&] { tokenizer = Tokenizer::from_json(fuzz::as_text(data, size), "input"); });
  if (tokenizer) fuzz::check_tokenizer(*tokenizer);
  return 0;
}
