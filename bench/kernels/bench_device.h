// What the benchmarks of one process run on.
#pragma once

#include "kernels/kernels.h"

namespace galago::kernels {

inline SharedDevice device = cpu_device();  ///< --threads=N puts another one here

}  // namespace galago::kernels
