// See the header.
#include "inspect/tensor_copy.h"

#include <cstddef>
#include <vector>

namespace galago {

NamedTensor copy_of(const Checkpoint& checkpoint, const std::string& name, const std::string& as) {
  const TensorView& view = *checkpoint.find(name);
  if (view.data || view.count() == 0) return {.name = as, .view = view, .make = {}};
  return {.name = as, .view = view, .make = [&checkpoint, name] {
            const TensorView made = checkpoint.read(name);
            std::vector<std::byte> bytes(made.data, made.data + made.count() * size_of(made.dtype));
            checkpoint.unload(name);
            return bytes;
          }};
}

}  // namespace galago
