// Thrown when a caller's callback asked to stop; never leaves the library (the public API answers
// "cancelled").
#pragma once

namespace galago {

struct Cancelled {};

}  // namespace galago
