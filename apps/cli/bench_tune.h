// galago bench --tune: measures the ways of this processor anew, keeps the choice and shows where it comes
// from.
#pragma once

namespace galago::cli {

/// With as many threads, 0 for one a processor. Returns the exit code.
int bench_tune(int threads, bool json);

}  // namespace galago::cli
