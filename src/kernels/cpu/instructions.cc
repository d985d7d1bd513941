// See the header. The variable is read at the first question, which the making of a device is.
#include "kernels/cpu/instructions.h"

#include <hwy/targets.h>

#if HWY_ARCH_X86
#include <cpuid.h>
#elif HWY_ARCH_ARM_A64 && defined(__linux__)
#include <sys/auxv.h>
#endif

#include <array>
#include <cstdlib>

#include "galago/error.h"

namespace galago::kernels::cpu {
namespace {

using enum Instructions;

#if HWY_ARCH_ARM
constexpr std::array kSteps = {baseline, dotprod, i8mm};
#else
constexpr std::array kSteps = {baseline, sse4, avx2, avx_vnni, avx512, avx512_vnni, avx512_bf16, amx};
#endif

/// Highway's sets beyond a step. Those of other processors have no part in it.
int64_t targets_beyond(Instructions step) {
#if HWY_ARCH_X86
  int64_t beyond = 0;
  if (step < Instructions::avx512) beyond |= HWY_AVX3 | HWY_AVX3_DL;
  if (step < Instructions::avx2) beyond |= HWY_AVX2;
  if (step < Instructions::sse4) beyond |= HWY_SSE4 | HWY_SSSE3;
  return beyond;
#else
  static_cast<void>(step);
  return 0;
#endif
}

/// What the processor has of what Highway does not ask for.
struct Found {
  bool avx_vnni = false;
  bool avx512_vnni = false;
  bool avx512vl = false;
  bool dotprod = false;
  bool i8mm = false;
};

Found ask_processor() {
  Found found;
#if HWY_ARCH_X86
  found.avx512_vnni = __builtin_cpu_supports("avx512vnni");
  found.avx512vl = __builtin_cpu_supports("avx512vl");
  constexpr unsigned kFeatures = 7, kAvxVnni = 1U << 4;  // a leaf of cpuid, and a bit of its part 1
  unsigned parts = 0, eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(kFeatures, 0, &parts, &ebx, &ecx, &edx) && parts >= 1 &&
      __get_cpuid_count(kFeatures, 1, &eax, &ebx, &ecx, &edx))
    found.avx_vnni = (eax & kAvxVnni) != 0 && __builtin_cpu_supports("avx2");  // which asks the system, too
#elif HWY_ARCH_ARM_A64 && defined(__linux__)
  found.dotprod = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  found.i8mm = (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
#endif
  return found;
}

const Found& the_processor() {
  static const Found found = ask_processor();
  return found;
}

struct Cap {
  Instructions step = kSteps.back();
  bool given = false;
  int64_t targets = 0;
};

Cap read_cap() {
  const char* const word = std::getenv(kCapVariable);
  if (!word || !*word) return {};
  Cap cap{.step = instructions_of(word, kCapVariable), .given = true};
  cap.targets = targets_beyond(cap.step);
  if (cap.targets != 0) hwy::DisableTargets(cap.targets);
  return cap;
}

const Cap& the_cap() {
  static const Cap cap = read_cap();
  return cap;
}

}  // namespace

std::string_view to_string(Instructions step) {
  switch (step) {
    case Instructions::baseline:
      return "baseline";
    case Instructions::sse4:
      return "sse4";
    case Instructions::avx2:
      return "avx2";
    case Instructions::avx_vnni:
      return "avx_vnni";
    case Instructions::avx512:
      return "avx512";
    case Instructions::avx512_vnni:
      return "avx512_vnni";
    case Instructions::avx512_bf16:
      return "avx512_bf16";
    case Instructions::amx:
      return "amx";
    case Instructions::dotprod:
      return "dotprod";
    case Instructions::i8mm:
      return "i8mm";
  }
  return "";
}

Instructions instructions_of(std::string_view word, std::string_view where) {
  std::string words;
  for (const Instructions step : kSteps) {
    if (word == to_string(step)) return step;
    words += (words.empty() ? "" : ", ") + std::string(to_string(step));
  }
  throw Error(
      ErrorCode::usage,
      {.where = std::string(where), .got = "'" + std::string(word) + "'", .expected = "one of " + words});
}

bool may_use(Instructions step) { return step <= the_cap().step; }

bool can_use(Instructions step) {
  if (!may_use(step)) return false;
  switch (step) {
    case Instructions::avx_vnni:
      return the_processor().avx_vnni;
    case Instructions::avx512_vnni:
      return the_processor().avx512_vnni;
    case Instructions::amx: {
      static const bool has = processor_has_amx();  // asked for only where it may be used
      return has;
    }
    case Instructions::dotprod:
      return the_processor().dotprod;
    case Instructions::i8mm:
      return the_processor().i8mm;
    default:
      return false;
  }
}

bool can_use_evex_for_avx_vnni() {
  return may_use(Instructions::avx_vnni) && the_processor().avx512_vnni && the_processor().avx512vl;
}

std::string cap_word() { return the_cap().given ? std::string(to_string(the_cap().step)) : ""; }

int64_t capped_targets() { return the_cap().targets; }

}  // namespace galago::kernels::cpu
