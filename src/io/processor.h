// Which processor this is, in a word that two of the same kind share: for what is remembered about a kind.
#pragma once

#include <string>

namespace galago {

/// Vendor, family, model and stepping on x86, e.g. "AuthenticAMD-25-17-1"; what the kernel says of the kind
/// on Arm, e.g. "arm-0x00000000413fd0c1"; "unknown" elsewhere. Letters, digits and dashes.
std::string processor_model();

}  // namespace galago
