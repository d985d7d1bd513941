// A safetensors file: its header, and that every view lies within the file.
#include "formats/safetensors/safetensors.h"

#include "support/fuzz.h"
#include "support/mutators.h"

using namespace galago;

GALAGO_FUZZ_MUTATOR(mutate_safetensors_file)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto path = fuzz::scratch_file("model.safetensors", fuzz::as_text(data, size));
  fuzz::accept([&] {
    const Checkpoint checkpoint = Checkpoint::open_file(path);
    int64_t bytes = 0;
    for (const auto& tensor : checkpoint.tensors()) {
      const TensorView& view = tensor.second;
      const int64_t length = view.count() * size_of(view.dtype);
      fuzz::touch({view.data, static_cast<size_t>(length)});
      bytes += length;
    }
    fuzz::require(bytes <= static_cast<int64_t>(size) && bytes == checkpoint.bytes());
  });
  return 0;
}
