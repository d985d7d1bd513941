// What the fast linear layer keeps beside the checkpoint's weights.
#include "kernels/cpu/cpu.h"

namespace galago::kernels {

struct Linear::Prepared {};

std::shared_ptr<Linear::Prepared> cpu::make_prepared() { return std::make_shared<Linear::Prepared>(); }

}  // namespace galago::kernels
