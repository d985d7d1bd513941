// The fast kernels of this machine's processor: oneDNN for products of many rows, Highway for the rest.
// Same signatures and meaning as kernels.h; arguments are already checked.
#pragma once

#include "kernels/kernels.h"

namespace galago::kernels::cpu {

/// An empty place for what `linear` packs later.
std::shared_ptr<Linear::Prepared> make_prepared();

void linear(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue);

/// The name that backend_name() returns, e.g. "cpu: oneDNN 2.6.3, AVX3".
const char* name();

}  // namespace galago::kernels::cpu
