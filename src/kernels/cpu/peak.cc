// The machine's peak: a loop of multiply-adds that touch no memory, and a loop that only reads memory.
// Highway chooses the widest instructions of the processor, as it does for the kernels.
#include "kernels/cpu/simd.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/peak.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <barrier>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/tensor.h"
#include "galago/error.h"
#include "kernels/cpu/amx.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/instructions.h"
#include "kernels/cpu/int8.h"
#include "kernels/peak.h"

HWY_BEFORE_NAMESPACE();
namespace galago::kernels::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;

/// Operations of one step of MultiplyAdds: accumulators * lanes * 2.
int64_t OperationsPerStep() { return 12 * 2 * static_cast<int64_t>(hn::Lanes(Floats())); }

/// `steps` times twelve independent multiply-adds: enough for two units with a latency of six cycles. x = x *
/// factor + part stays finite: its fixed point is part / (1 - factor).
float MultiplyAdds(int64_t steps, float factor, float part) {
  const Floats d;
  const auto f = hn::Set(d, factor), p = hn::Set(d, part);
  // Twelve different beginnings: the compiler would make one of equal chains.
  auto a = hn::Set(d, part), b = hn::Add(a, p), c = hn::Add(b, p), e = hn::Add(c, p), g = hn::Add(e, p),
       h = hn::Add(g, p), i = hn::Add(h, p), j = hn::Add(i, p), k = hn::Add(j, p), l = hn::Add(k, p),
       m = hn::Add(l, p), n = hn::Add(m, p);
  for (int64_t s = 0; s < steps; ++s) {
    a = hn::MulAdd(a, f, p);
    b = hn::MulAdd(b, f, p);
    c = hn::MulAdd(c, f, p);
    e = hn::MulAdd(e, f, p);
    g = hn::MulAdd(g, f, p);
    h = hn::MulAdd(h, f, p);
    i = hn::MulAdd(i, f, p);
    j = hn::MulAdd(j, f, p);
    k = hn::MulAdd(k, f, p);
    l = hn::MulAdd(l, f, p);
    m = hn::MulAdd(m, f, p);
    n = hn::MulAdd(n, f, p);
  }
  const auto first = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(g, h));
  const auto last = hn::Add(hn::Add(hn::Add(i, j), hn::Add(k, l)), hn::Add(m, n));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(first, last)));
}

/// The sum of n floats, n a multiple of 8 vectors.
float ReadAll(const float* x, int64_t n) {
  const Floats d;
  const int64_t step = static_cast<int64_t>(hn::Lanes(d));
  auto a = hn::Zero(d), b = a, c = a, e = a, g = a, h = a, i = a, j = a;
  for (const float* end = x + n; x < end; x += 8 * step) {
    a = hn::Add(a, hn::LoadU(d, x));
    b = hn::Add(b, hn::LoadU(d, x + step));
    c = hn::Add(c, hn::LoadU(d, x + 2 * step));
    e = hn::Add(e, hn::LoadU(d, x + 3 * step));
    g = hn::Add(g, hn::LoadU(d, x + 4 * step));
    h = hn::Add(h, hn::LoadU(d, x + 5 * step));
    i = hn::Add(i, hn::LoadU(d, x + 6 * step));
    j = hn::Add(j, hn::LoadU(d, x + 7 * step));
  }
  return hn::GetLane(hn::SumOfLanes(
      d, hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(hn::Add(g, h), hn::Add(i, j)))));
}

}  // namespace HWY_NAMESPACE
}  // namespace galago::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galago::kernels::cpu {
HWY_EXPORT(OperationsPerStep);
HWY_EXPORT(MultiplyAdds);
HWY_EXPORT(ReadAll);

namespace {

constexpr int64_t kSteps = 1'000'000;                  // about 3 ms
constexpr int64_t kFloats = (int64_t{256} << 20) / 4;  // beyond the last cache of most machines

// Keeps what a loop computed, so that the compiler keeps the loop.
void keep(float value) {
  volatile float kept = value;
  static_cast<void>(kept);
}

// Runs body(part) on every thread at once; the seconds from the first one's start to the last one's end, so
// that threads which did not run together do not count as if they had.
template <class Body>
double seconds_of_team(int team, const Body& body) {
  using Steady = std::chrono::steady_clock;
  std::vector<Steady::time_point> starts(static_cast<size_t>(team), Steady::time_point::max());
  std::vector<Steady::time_point> ends(static_cast<size_t>(team), Steady::time_point::min());
  std::barrier together(team);
  const auto work = [&](size_t part) {
    together.arrive_and_wait();
    starts[part] = Steady::now();
    body(static_cast<int64_t>(part));
    ends[part] = Steady::now();
  };
  {
    std::vector<std::jthread> others;
    try {
      for (size_t part = 1; part < starts.size(); ++part) others.emplace_back(work, part);
    } catch (const std::system_error&) {  // fewer threads than asked for: nobody waits for those
      for (size_t missing = others.size() + 1; missing <= starts.size(); ++missing)
        together.arrive_and_drop();
      throw Error(ErrorCode::resource, {.where = "threads",
                                        .got = "no more than " + std::to_string(others.size() + 1),
                                        .expected = std::to_string(team)});
    }
    work(0);
  }
  const auto passed =
      *std::max_element(ends.begin(), ends.end()) - *std::min_element(starts.begin(), starts.end());
  return std::chrono::duration<double>(passed).count();
}

double multiply_add_rate(int threads) {
  const auto step = static_cast<double>(HWY_DYNAMIC_DISPATCH(OperationsPerStep)());
  const double seconds = seconds_of_team(
      threads, [&](int64_t) { keep(HWY_DYNAMIC_DISPATCH(MultiplyAdds)(kSteps, 0.5f, 0.5f)); });
  return step * static_cast<double>(kSteps) * threads / seconds / 1e9;
}

double bf16_rate(int threads) {
  const bool amx = has_amx();
  const int64_t step = amx ? amx_step_operations(AmxNumbers::pairs) : kBf16StepOperations;
  const double seconds = seconds_of_team(threads, [&](int64_t) {
    if (amx)
      amx_steps(AmxNumbers::pairs, kSteps);
    else
      keep(bf16_steps(kSteps, 0.5f));
  });
  return static_cast<double>(step) * static_cast<double>(kSteps) * threads / seconds / 1e9;
}

double byte_rate(int threads) {
  const Int8Way way = int8_way();
  const auto step = static_cast<double>(int8_step_operations(way));
  if (step == 0) return 0;
  const double seconds =
      seconds_of_team(threads, [&](int64_t) { keep(int8_steps(way, kSteps, 0x01010101)); });
  return step * static_cast<double>(kSteps) * threads / seconds / 1e9;
}

double read_rate(int threads, const Tensor& memory) {
  const int64_t part_size = memory.size() / threads / 1024 * 1024;  // whole steps of ReadAll
  const double seconds = seconds_of_team(threads, [&](int64_t part) {
    keep(HWY_DYNAMIC_DISPATCH(ReadAll)(memory.data() + part * part_size, part_size));
  });
  return 4.0 * static_cast<double>(part_size) * threads / seconds / 1e9;
}

}  // namespace
}  // namespace galago::kernels::cpu

namespace galago::kernels {

MachinePeak measure_peak(int threads, int rounds, const std::function<bool()>& go_on) {
  cpu::capped_targets();  // the yardstick is that of the kernels
  Tensor memory({cpu::kFloats});
  std::fill_n(memory.data(), memory.size(), 1.0f);  // a page that was never written is not memory yet
  MachinePeak best;
  for (int i = 0; i < rounds && (i == 0 || !go_on || go_on()); ++i) {
    best = better(best, {.gflops = cpu::multiply_add_rate(threads),
                         .bf16_gflops = cpu::has_bf16_products() ? cpu::bf16_rate(threads) : 0,
                         .int8_gops = cpu::byte_rate(threads),
                         .gb_per_s = cpu::read_rate(threads, memory)});
  }
  return best;
}

MachinePeak better(const MachinePeak& a, const MachinePeak& b) {
  return {.gflops = std::max(a.gflops, b.gflops),
          .bf16_gflops = std::max(a.bf16_gflops, b.bf16_gflops),
          .int8_gops = std::max(a.int8_gops, b.int8_gops),
          .gb_per_s = std::max(a.gb_per_s, b.gb_per_s)};
}

double MachinePeak::of(Arithmetic arithmetic) const {
  if (arithmetic == Arithmetic::bf16 && bf16_gflops > 0) return bf16_gflops;
  if (arithmetic == Arithmetic::int8 && int8_gops > 0) return int8_gops;
  return gflops;
}

}  // namespace galago::kernels
#endif
