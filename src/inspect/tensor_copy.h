// A tensor of a checkpoint, to be written as it is.
#pragma once

#include <string>

#include "formats/safetensors/safetensors.h"

namespace galago {

/// The tensor `name` under the name `as`. One that the checkpoint makes is made when its turn comes, and let
/// go of then. The checkpoint must outlive it.
NamedTensor copy_of(const Checkpoint& checkpoint, const std::string& name, const std::string& as);

}  // namespace galago
