// Whether this process may use AMX: the processor must have it, and Linux gives each process the memory for
// its registers only when asked. A file of its own, so that a program can bring another answer with an
// emulator (tests/amx).
#include "kernels/cpu/instructions.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace galago::kernels::cpu {

bool processor_has_amx() {
  constexpr unsigned kFeatures = 7, kNeeded = 1U << 22 | 1U << 24 | 1U << 25;  // bfloat16, tiles, bytes
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(kFeatures, 0, &eax, &ebx, &ecx, &edx) || (edx & kNeeded) != kNeeded) return false;
  // Some virtual machines show these bits and have no registers: 8 of 16 rows of 64 bytes are needed.
  constexpr unsigned kPalettes = 0x1d;
  if (!__get_cpuid_count(kPalettes, 0, &eax, &ebx, &ecx, &edx) || eax < 1) return false;
  __get_cpuid_count(kPalettes, 1, &eax, &ebx, &ecx, &edx);
  if (ebx >> 16 < 8 || (ebx & 0xffff) != 64 || (ecx & 0xffff) != 16) return false;
  constexpr long kAskPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, and a part of the state
  return syscall(SYS_arch_prctl, kAskPermission, kTileData) == 0;
}

}  // namespace galago::kernels::cpu

#else

namespace galago::kernels::cpu {

bool processor_has_amx() { return false; }

}  // namespace galago::kernels::cpu

#endif
