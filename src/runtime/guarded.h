// What the public API does around every call: memory that runs out is an answer like any other.
#pragma once

#include <new>
#include <stdexcept>

#include "galago/error.h"

namespace galago {

/// body(), with foreign memory errors as Error{resource}; what a caller's callback throws passes through.
template <class Body>
auto guarded(const Body& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::resource, {.where = "memory", .got = "no more to be had"});
  } catch (const std::length_error&) {
    throw Error(ErrorCode::resource, {.where = "memory", .got = "a container larger than memory"});
  }
}

}  // namespace galago
