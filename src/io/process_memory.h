// How much memory this process has. In: nothing. Out: bytes as the system counts them: its own pages, and
// pages of mapped files that it has touched. Reference: proc_pid_status(5), VmRSS and VmHWM; getrusage(2).
#pragma once

#include <cstdint>

namespace galago {

/// Bytes in memory now; 0 where the system does not tell.
int64_t resident_memory();
/// The most that was in memory at once since the program started; 0 where the system does not tell. On Linux
/// without what a parent held before exec, which getrusage counts, too.
int64_t peak_memory();
/// Asks the allocator to give back what was freed and is kept for later; does nothing where it cannot.
void give_back_free_memory();

/// All threads allocate from one heap, so that what one has freed serves the others; for a program whose
/// threads allocate seldom. Before the first of them starts. Does nothing where the allocator does not know
/// of it.
void share_one_heap();

}  // namespace galago
