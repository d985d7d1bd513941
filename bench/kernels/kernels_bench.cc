// Every kernel at the sizes of SmolVLM-256M (tests/kernels/model_shapes.h), with its arithmetic and the bytes
// it must move a second. In: --threads=N and Google Benchmark's own flags. Out: its table or JSON.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bench_device.h"
#include "kernels/cache_pages.h"
#include "kernels/kernels.h"
#include "kernels/model_shapes.h"
#include "kernels/peak.h"

namespace galago::kernels {
namespace {

using benchmark::Counter;
using benchmark::State;

Tensor random_rows(int64_t rows, int64_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> spread(-1, 1);
  Tensor values({rows, cols});
  for (int64_t i = 0; i < values.size(); ++i) values.data()[i] = spread(random);
  return values;
}

/// Weights in a checkpoint's type. bfloat16 is the upper half of a float.
struct Weights {
  Weights(int64_t out, int64_t in, DType type)
      : dtype(type), shape({out, in}), floats(random_rows(out, in, 1)) {
    if (dtype != DType::bf16) return;
    for (int64_t i = 0; i < floats.size(); ++i) {
      uint32_t bits = 0;
      std::memcpy(&bits, floats.data() + i, sizeof bits);
      halves.push_back(static_cast<uint16_t>(bits >> 16));
    }
  }
  TensorView view() const {
    return {dtype, shape,
            dtype == DType::bf16 ? reinterpret_cast<const std::byte*>(halves.data())
                                 : reinterpret_cast<const std::byte*>(floats.data())};
  }
  DType dtype;
  Shape shape;
  Tensor floats;
  std::vector<uint16_t> halves;
};

void report(State& state, double flops, double bytes) {
  const auto runs = static_cast<double>(state.iterations());
  state.counters["FLOP/s"] = Counter(flops * runs, Counter::kIsRate);
  state.counters["B/s"] = Counter(bytes * runs, Counter::kIsRate);
}

void bench_linear(State& state, const LinearShape& shape, DType dtype) {
  const Weights weights(shape.out, shape.in, dtype);
  const Tensor bias = random_rows(1, shape.out, 2);
  const Tensor x = random_rows(shape.rows, shape.in, 3);
  Tensor y = random_rows(shape.rows, shape.out, 4);
  TensorView bias_view;
  if (shape.bias) bias_view = {DType::f32, {shape.out}, reinterpret_cast<const std::byte*>(bias.data())};
  const Linear layer({weights.view(), bias_view}, *device);
  const Epilogue epilogue{.activation = shape.activation,
                          .residual = shape.residual ? ConstMatrix(y.matrix()) : ConstMatrix()};
  for (auto _ : state) device->linear(x.matrix(), layer, y.matrix(), epilogue);
  const auto n = static_cast<double>(shape.rows), in = static_cast<double>(shape.in);
  const auto out = static_cast<double>(shape.out);
  report(state, 2 * n * in * out, in * out * static_cast<double>(size_of(dtype)) + 4 * n * (in + out));
}

void bench_attention(State& state, const AttentionShape& shape) {
  const int64_t cols = shape.heads.heads * shape.heads.head_dim;
  const Tensor q = random_rows(shape.rows, cols, 1), k = random_rows(shape.rows, cols, 2),
               v = random_rows(shape.rows, cols, 3);
  Tensor out({shape.rows, cols});
  for (auto _ : state) device->attention(q.matrix(), k.matrix(), v.matrix(), shape.heads, {}, out.matrix());
  const auto n = static_cast<double>(shape.rows), width = static_cast<double>(cols);
  report(state, 4 * n * n * width, 4 * 4 * n * width);
}

void bench_causal(State& state, const CausalShape& shape) {
  const int64_t cols = shape.heads.heads * shape.heads.head_dim;
  const int64_t kv = shape.heads.kv_heads * shape.heads.head_dim;
  const Tensor q = random_rows(shape.rows, cols, 1), k = random_rows(shape.length, kv, 2),
               v = random_rows(shape.length, kv, 3);
  Tensor out({shape.rows, cols});
  const CachePages pages(k.matrix(), v.matrix(), 16);
  std::vector<CausalRow> rows;
  double seen = 0;
  for (int64_t i = shape.length - shape.rows; i < shape.length; ++i) {
    rows.push_back({pages.view(), 0, i});
    seen += static_cast<double>(i + 1);
  }
  for (auto _ : state) device->attention_cached(q.matrix(), rows, shape.heads, out.matrix());
  const auto moved = static_cast<double>(2 * q.size() + k.size() + v.size());
  report(state, 4 * seen * static_cast<double>(cols), 4 * moved);
}

void bench_rows(State& state, const RowShape& shape) {
  constexpr int64_t kHead = 64;
  const Tensor a = random_rows(shape.rows, shape.cols, 1);
  const Tensor weight = random_rows(1, shape.cols, 3), bias = random_rows(1, shape.cols, 4);
  const std::vector<float> inv_freq(kHead / 2, 0.01f);
  std::vector<int32_t> positions;
  for (int64_t i = 0; i < shape.rows; ++i) positions.push_back(static_cast<int32_t>(i));
  Tensor y = random_rows(shape.rows, shape.cols, 5);
  for (auto _ : state) switch (shape.kernel) {
      case RowKernel::layer_norm:
        device->layer_norm(a.matrix(), weight.data(), bias.data(), 1e-6f, y.matrix());
        break;
      case RowKernel::rms_norm:
        device->rms_norm(a.matrix(), weight.data(), 1e-5f, y.matrix());
        break;
      case RowKernel::rope:
        device->rope(y.matrix(), positions, inv_freq, kHead, 1);
        break;
    }
  report(state, 0, 4 * 2 * static_cast<double>(y.size()));
}

void register_all() {
  for (const LinearShape& shape : linear_shapes())
    for (const DType dtype : {DType::f32, DType::bf16})
      benchmark::RegisterBenchmark(("linear/" + std::string(shape.name) + "/" + to_string(dtype)).c_str(),
                                   [shape, dtype](State& state) { bench_linear(state, shape, dtype); })
          ->UseRealTime();
  for (const AttentionShape& shape : kAttentionShapes)
    benchmark::RegisterBenchmark(("attention/" + std::string(shape.name)).c_str(), [shape](State& state) {
      bench_attention(state, shape);
    })->UseRealTime();
  for (const CausalShape& shape : kCausalShapes)
    benchmark::RegisterBenchmark(("attention_cached/" + std::string(shape.name)).c_str(), [shape](
                                                                                              State& state) {
      bench_causal(state, shape);
    })->UseRealTime();
  for (const RowShape& shape : kRowShapes)
    benchmark::RegisterBenchmark(shape.name, [shape](State& state) {
      bench_rows(state, shape);
    })->UseRealTime();
}

/// Takes --threads=N out of the arguments.
void read_threads(int& argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (const std::string word = argv[i]; word.starts_with("--threads=")) {
      device = cpu_device(std::atoi(word.c_str() + 10));
      for (int j = i; j < argc; ++j) argv[j] = argv[j + 1];  // the null behind the last one moves too
      --argc;
      return;
    }
}

}  // namespace
}  // namespace galago::kernels

int main(int argc, char** argv) {
  using namespace galago::kernels;
  read_threads(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  const MachinePeak peak = measure_peak(device->threads(), 12);
  benchmark::AddCustomContext("peak_gflops", std::to_string(peak.gflops));
  benchmark::AddCustomContext("peak_gb_per_s", std::to_string(peak.gb_per_s));
  benchmark::AddCustomContext("kernels", device->name());
  benchmark::AddCustomContext("kernel_threads", std::to_string(device->threads()));
  register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
