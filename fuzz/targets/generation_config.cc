// generation_config.json, and config.json in its place.
#include <string>

#include "formats/config/config.h"
#include "support/fuzz.h"
#include "support/mutators.h"

using namespace galago;

GALAGO_FUZZ_MUTATOR(mutate_json_file)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::as_text(data, size);
  fuzz::accept([&] { parse_generation_config(text, R"({"eos_token_id": 2})", "input"); });
  fuzz::accept([&] { parse_generation_config(std::nullopt, text, "input"); });
  return 0;
}
