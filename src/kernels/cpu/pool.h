// The threads of the fast kernels. In: a number of parts and a function. Out: the function called once for
// each part, on the caller's thread and on the pool's.
#pragma once

#include <cstdint>

namespace galago::kernels::cpu {

/// Calls body(context, part) for every part in [0, parts), on at most `threads` threads, the caller's among
/// them; comes back when all are done. Parts are handed out one by one, so a thread that the system holds up
/// delays its own part only. What a body throws reaches the caller (the first one of several). While another
/// call runs, and within a body, the caller does all parts itself.
void run_parts(int64_t parts, int threads, void (*body)(const void* context, int64_t part),
               const void* context);

/// Processors that this process may use.
int processors();

}  // namespace galago::kernels::cpu
