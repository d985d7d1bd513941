// Devices that the tests of one binary share.
#pragma once

#include "kernels/kernels.h"

namespace galago::test {

/// The implementations that tests compare.
enum class Backend { reference, cpu };

inline const kernels::SharedDevice& shared_device(Backend backend = Backend::cpu) {
  static const kernels::SharedDevice cpu = kernels::cpu_device(), reference = kernels::reference_device();
  return backend == Backend::cpu ? cpu : reference;
}
inline const kernels::Device& device(Backend backend = Backend::cpu) { return *shared_device(backend); }

}  // namespace galago::test
