// A disk that cannot keep what it was given: fsync(2) in the place of the C library's, for a program that is
// started with this file in LD_PRELOAD. The first FSYNC_FAILS_FROM calls work, all others are EIO.
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

extern "C" __attribute__((visibility("default"))) int fsync(int descriptor) {
  static std::atomic<long> calls = 0;
  const char* const from = std::getenv("FSYNC_FAILS_FROM");
  if (from && calls++ >= std::atol(from)) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}
