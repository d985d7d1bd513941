// AMX for processors that have none: each of its instructions raises SIGILL, and the handler here does what
// Intel's manual says of it (Software Developer's Manual, volume 2, "TDPBF16PS" and the others). A test
// binary that has this file in it answers processor_has_amx() with yes where the rest of what AMX needs is
// there, so that the same tests run on the same code with the same instructions. What a processor would
// refuse ends the process. Written apart from src/kernels/cpu/amx.cc: instructions are read from their bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <immintrin.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "kernels/cpu/instructions.h"
#include "kernels/kernels.h"

namespace galago::kernels::cpu {
namespace {

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;

struct Tiles {
  bool configured = false;
  int rows[kTiles] = {};
  int row_bytes[kTiles] = {};
  alignas(64) uint8_t bytes[kTiles][kRows][kRowBytes] = {};
};
thread_local Tiles tiles;

[[noreturn]] void refuse(std::string_view why) {
  const auto say = [](std::string_view text) { return write(STDERR_FILENO, text.data(), text.size()); };
  static_cast<void>(say("a processor would refuse this use of AMX: ") + say(why) + say("\n"));
  _exit(99);
}

void require(bool good, std::string_view why) {
  if (!good) refuse(why);
}

/// An instruction with a three-byte VEX prefix in the map 0f38, taken apart.
struct Instruction {
  int prefix;  // 0 none, 1 66, 2 f3, 3 f2
  int opcode;
  int third;  // register of the VEX prefix
  int mod, reg, rm;
  int length;
  bool has_index = false;
  uint64_t base = 0;   // of its operand in memory, with displacement
  int64_t stride = 0;  // its index register, scaled
};

/// Reads it at the place where the process stands; false if it is none of that kind.
bool decode(const greg_t* registers, Instruction& found) {
  constexpr int kNumbers[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  const auto value = [&](int number) { return static_cast<uint64_t>(registers[kNumbers[number]]); };
  const auto* const code = reinterpret_cast<const uint8_t*>(registers[REG_RIP]);
  if (code[0] != 0xc4 || (code[1] & 0x1f) != 2 || (code[2] & 0x84) != 0) return false;
  const bool more_index = (code[1] & 0x40) == 0, more_base = (code[1] & 0x20) == 0;
  found = {.prefix = code[2] & 3,
           .opcode = code[3],
           .third = ~(code[2] >> 3) & 15,
           .mod = code[4] >> 6,
           .reg = code[4] >> 3 & 7,
           .rm = code[4] & 7,
           .length = 5};
  if (found.mod == 3) return true;
  const auto displaced = [&](int bytes) {
    int32_t by = 0;
    if (bytes == 1)
      by = static_cast<int8_t>(code[found.length]);
    else
      std::memcpy(&by, code + found.length, 4);
    found.length += bytes;
    found.base += static_cast<uint64_t>(int64_t{by});
  };
  int base = found.rm;
  if (found.rm == 4) {
    const int sib = code[found.length++], index = (sib >> 3 & 7) + (more_index ? 8 : 0);
    base = sib & 7;
    found.has_index = true;
    if (index != 4) found.stride = static_cast<int64_t>(value(index) << (sib >> 6));
  }
  if (found.mod == 0 && base == 5) {
    displaced(4);
    if (found.rm != 4) found.base += static_cast<uint64_t>(registers[REG_RIP] + found.length);
    return true;
  }
  found.base += value(base + (more_base ? 8 : 0));
  if (found.mod == 1) displaced(1);
  if (found.mod == 2) displaced(4);
  return true;
}

void configure(const uint8_t* from) {
  require(from[0] == 1 && from[1] == 0, "palette");
  const auto are_zero = [&](int begin, int end) {
    return std::all_of(from + begin, from + end, [](uint8_t byte) { return byte == 0; });
  };
  require(are_zero(2, 16) && are_zero(32, 48) && are_zero(56, 64),
          "reserved bytes, or shapes of tiles 8 to 15");
  tiles = {};
  tiles.configured = true;
  for (int t = 0; t < kTiles; ++t) {
    uint16_t row_bytes = 0;
    std::memcpy(&row_bytes, from + 16 + 2 * t, 2);
    tiles.row_bytes[t] = row_bytes;
    tiles.rows[t] = from[48 + t];
    require(row_bytes <= kRowBytes && row_bytes % 4 == 0 && tiles.rows[t] <= kRows, "shape");
    require((row_bytes == 0) == (tiles.rows[t] == 0), "shape");
  }
}

void load(int t, const Instruction& at) {
  require(tiles.configured && tiles.rows[t] > 0, "load without a shape");
  std::memset(tiles.bytes[t], 0, sizeof tiles.bytes[t]);
  for (int r = 0; r < tiles.rows[t]; ++r)
    std::memcpy(tiles.bytes[t][r],
                reinterpret_cast<const void*>(at.base + static_cast<uint64_t>(r * at.stride)),
                static_cast<size_t>(tiles.row_bytes[t]));
}

void store(int t, const Instruction& at) {
  require(tiles.configured && tiles.rows[t] > 0, "store without a shape");
  for (int r = 0; r < tiles.rows[t]; ++r)
    std::memcpy(reinterpret_cast<void*>(at.base + static_cast<uint64_t>(r * at.stride)), tiles.bytes[t][r],
                static_cast<size_t>(tiles.row_bytes[t]));
}

template <class T>
T number(int t, int row, int place) {
  T one;
  std::memcpy(&one, tiles.bytes[t][row] + static_cast<size_t>(place) * sizeof one, sizeof one);
  return one;
}

float bfloat16(int t, int row, int place) {
  return std::bit_cast<float>(static_cast<uint32_t>(number<uint16_t>(t, row, place)) << 16);
}

/// Two sums of fused multiply-adds, of even and of odd numbers, then both joined and added. Small numbers
/// count as zero.
__attribute__((target("fma"))) void multiply_pairs(int sums, int a, int b) {
  const unsigned before = _mm_getcsr();
  _mm_setcsr(0x9fc0);  // flush, nearest, no exceptions
  for (int m = 0; m < tiles.rows[sums]; ++m)
    for (int n = 0; n < tiles.row_bytes[sums] / 4; ++n) {
      float even = 0, odd = 0;
      for (int k = 0; k < tiles.row_bytes[a] / 4; ++k) {
        even = __builtin_fmaf(bfloat16(a, m, 2 * k), bfloat16(b, k, 2 * n), even);
        odd = __builtin_fmaf(bfloat16(a, m, 2 * k + 1), bfloat16(b, k, 2 * n + 1), odd);
      }
      const float sum = number<float>(sums, m, n) + (even + odd);
      std::memcpy(tiles.bytes[sums][m] + 4 * n, &sum, 4);
    }
  _mm_setcsr(before);
}

template <class A, class B>
void multiply_bytes(int sums, int a, int b) {
  for (int m = 0; m < tiles.rows[sums]; ++m)
    for (int n = 0; n < tiles.row_bytes[sums] / 4; ++n) {
      auto sum = number<uint32_t>(sums, m, n);
      for (int k = 0; k < tiles.row_bytes[a]; ++k)
        sum += static_cast<uint32_t>(int{number<A>(a, m, k)} * number<B>(b, k / 4, 4 * n + k % 4));
      std::memcpy(tiles.bytes[sums][m] + 4 * n, &sum, 4);
    }
}

void require_shapes(int sums, int a, int b) {
  require(tiles.configured, "product without shapes");
  require(sums != a && sums != b && a != b, "one tile twice in a product");
  require(std::max({sums, a, b}) < kTiles && tiles.rows[sums] == tiles.rows[a] &&
              tiles.row_bytes[sums] == tiles.row_bytes[b] && tiles.row_bytes[a] == 4 * tiles.rows[b] &&
              tiles.rows[sums] > 0 && tiles.rows[b] > 0,
          "shapes of a product");
}

/// False for what is no instruction of AMX.
bool execute(const Instruction& one) {
  constexpr int kConfigure = 0x49, kMove = 0x4b, kPairs = 0x5c, kBytes = 0x5e;
  const bool memory = one.mod != 3;
  if (one.opcode == kMove) require(memory && one.has_index && one.third == 0, "form of a load or store");
  if (one.opcode == kConfigure && one.prefix == 0 && memory) {
    configure(reinterpret_cast<const uint8_t*>(one.base));
  } else if (one.opcode == kConfigure && one.prefix == 0) {
    tiles = {};
  } else if (one.opcode == kConfigure && one.prefix == 3 && !memory) {
    require(tiles.configured && tiles.rows[one.reg] > 0, "zero without a shape");
    std::memset(tiles.bytes[one.reg], 0, sizeof tiles.bytes[one.reg]);
  } else if (one.opcode == kMove && (one.prefix == 1 || one.prefix == 3) && memory) {
    load(one.reg, one);
  } else if (one.opcode == kMove && one.prefix == 2 && memory) {
    store(one.reg, one);
  } else if (one.opcode == kPairs && one.prefix == 2 && !memory) {
    require_shapes(one.reg, one.rm, one.third);
    multiply_pairs(one.reg, one.rm, one.third);
  } else if (one.opcode == kBytes && !memory) {
    require_shapes(one.reg, one.rm, one.third);
    constexpr decltype(&multiply_bytes<int8_t, int8_t>) kBySigns[] = {
        multiply_bytes<uint8_t, uint8_t>, multiply_bytes<uint8_t, int8_t>, multiply_bytes<int8_t, uint8_t>,
        multiply_bytes<int8_t, int8_t>};
    kBySigns[one.prefix](one.reg, one.rm, one.third);
  } else {
    return false;
  }
  return true;
}

void handle(int, siginfo_t*, void* context) {
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  Instruction found;
  if (decode(registers, found) && execute(found)) {
    registers[REG_RIP] += found.length;
    return;
  }
  signal(SIGILL, SIG_DFL);  // which the instruction raises once more
}

bool has_amx_itself() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx & 1U << 24) != 0;
}

bool can_emulate() {
  return !has_amx_itself() && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
}

TEST(AmxEmulator, IsWhatTheKernelsUse) {
  if (!can_emulate()) GTEST_SKIP() << "no AVX512_BF16 beside it here, or AMX itself";
  EXPECT_THAT(cpu_device(1)->name(), testing::HasSubstr("+AMX"));
}

}  // namespace

// In the place of src/kernels/cpu/amx_permission.cc.
bool processor_has_amx() {
  if (!can_emulate()) return false;
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  return sigaction(SIGILL, &action, nullptr) == 0;
}

}  // namespace galago::kernels::cpu
#endif
