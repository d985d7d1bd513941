// What to do when a mapped file of weights becomes shorter while it is used: the system ends the program with
// SIGBUS at the next look at what is gone. In: nothing. Out: an error on stderr, and exit code 78.
#pragma once

namespace galago::cli {

/// From here on a SIGBUS inside a file that the library has mapped ends the program with Error{model_changed}
/// as its last words, as JSON on stdout too when `json`. Any other SIGBUS stays what it was.
void guard_mapped_files(bool json);

}  // namespace galago::cli
