// A GGUF file: its header, every typed read of every key, the first blocks of every tensor, and the texts and
// tensors that a model is made of.
#include "formats/gguf/gguf.h"

#include <algorithm>
#include <vector>

#include "models/gguf/files.h"
#include "support/fuzz.h"
#include "support/mutators.h"
#include "text/tokenizer/tokenizer.h"

using namespace galago;

GALAGO_FUZZ_MUTATOR(mutate_gguf_file)

namespace {

constexpr int64_t kKilo = 1024;
constexpr int64_t kMega = kKilo * kKilo;

void read_field(const GgufField& field) {
  fuzz::accept([&] { field.integer(-kMega, kMega); });
  fuzz::accept([&] { field.number(-1e30, 1e30); });
  fuzz::accept([&] { field.boolean(); });
  fuzz::accept([&] { field.string(); });
  fuzz::accept([&] { field.integers(-kMega, kMega); });
  fuzz::accept([&] { field.numbers(-1e30, 1e30); });
  fuzz::accept([&] { field.strings(); });
}

void read_tensor(const GgufTensor& tensor) {
  fuzz::touch({tensor.data, static_cast<size_t>(tensor.bytes)});
  const GgmlBlock& block = ggml_block(tensor.type);
  const int64_t blocks = std::min<int64_t>(tensor.bytes / block.bytes, 2);
  std::vector<float> out(static_cast<size_t>(blocks * block.elements));
  dequantise(tensor.type, tensor.data, blocks * block.elements, out.data());
}

void read_model(const std::filesystem::path& path) {
  const GgufFiles files(path);
  for (const char* name : {"config.json", "generation_config.json", "preprocessor_config.json",
                           "processor_config.json", "tokenizer_config.json", "tokenizer.json"})
    fuzz::accept([&] { files.find(name, 64 * kMega); });
  fuzz::accept([&] {
    const Tokenizer tokenizer = Tokenizer::from_files(files);
    tokenizer.decode(tokenizer.encode("Ein Bild: caf\xc3\xa9 <image>\n 12 \xe2\x96\x81"), false);
  });
  fuzz::accept([&] {
    const Checkpoint checkpoint = files.checkpoint();
    for (const auto& [name, view] : checkpoint.tensors()) checkpoint.read(name);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const bool readable = fuzz::accept([&] {
    const GgufHeader header = read_gguf_header(fuzz::as_bytes(data, size), "input");
    size_t keys = 0;
    for (const auto& [key, value] : header.metadata)
      if (keys++ < 48) read_field(GgufField(value, key));
    for (const auto& [name, tensor] : header.tensors) read_tensor(tensor);
  });
  if (!readable) return 0;
  const auto path = fuzz::scratch_file("model.gguf", fuzz::as_text(data, size));
  fuzz::accept([&] { read_model(path); });
  return 0;
}
