// A SentencePiece file as Llama's tokenizer and as SigLIP's.
#include <optional>

#include "support/fuzz.h"
#include "support/memory_files.h"
#include "support/tokenizer_checks.h"

using namespace galago;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string model(fuzz::as_text(data, size));
  const auto check = [](const ModelFiles& files) {
    std::optional<Tokenizer> tokenizer;
    fuzz::accept([&] { tokenizer = Tokenizer::from_files(files); });
    if (tokenizer) fuzz::check_tokenizer(*tokenizer);
  };
  check(fuzz::MemoryFiles({{"tokenizer.model", model},
                           {"config.json", R"({"model_type": "llama"})"},
                           {"tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer"})"}}));
  check(fuzz::MemoryFiles({{"spiece.model", model},
                           {"config.json", R"({"model_type": "siglip"})"},
                           {"tokenizer_config.json", R"({"tokenizer_class": "SiglipTokenizer"})"}}));
  return 0;
}
