// See the header. The variable is read at the first question, which the making of a device is.
#include "kernels/cpu/instructions.h"

#include <hwy/targets.h>

#include <array>
#include <cstdlib>

#include "galago/error.h"

namespace galago::kernels::cpu {
namespace {

constexpr std::array kSteps = {Instructions::baseline, Instructions::sse4,        Instructions::avx2,
                               Instructions::avx512,   Instructions::avx512_vnni, Instructions::avx512_bf16};

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
    case Instructions::avx512:
      return "avx512";
    case Instructions::avx512_vnni:
      return "avx512_vnni";
    case Instructions::avx512_bf16:
      return "avx512_bf16";
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

std::string cap_word() { return the_cap().given ? std::string(to_string(the_cap().step)) : ""; }

int64_t capped_targets() { return the_cap().targets; }

}  // namespace galago::kernels::cpu
