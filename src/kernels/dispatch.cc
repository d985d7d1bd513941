// The seam's other side: checks the shapes of every call and hands it to the implementation in use.
// In: calls of kernels.h. Out: calls of kernels/reference or kernels/cpu. A wrong shape is a bug:
// Error{internal}.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <string>

#include "galago/error.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/pool.h"
#include "kernels/kernels.h"
#include "kernels/reference/reference.h"

namespace galago::kernels {
namespace {

/// One implementation of every kernel.
struct Table {
  Backend backend;
  const char* (*name)();
  decltype(&reference::linear_each) linear_each;
  decltype(&reference::feed_forward) feed_forward;
  decltype(&reference::layer_norm) layer_norm;
  decltype(&reference::rms_norm) rms_norm;
  decltype(&reference::attention) attention;
  decltype(&reference::attention_cached) attention_cached;
  decltype(&reference::rope) rope;
  decltype(&reference::scatter_rows) scatter_rows;
  decltype(&reference::gather_rows) gather_rows;
  decltype(&reference::resample) resample;
  decltype(&reference::look_up) look_up;
};

const char* reference_name() { return "reference"; }

constexpr Table kReference = {
    Backend::reference,    reference_name,          reference::linear_each, reference::feed_forward,
    reference::layer_norm, reference::rms_norm,     reference::attention,   reference::attention_cached,
    reference::rope,       reference::scatter_rows, reference::gather_rows, reference::resample,
    reference::look_up};

constexpr Table kCpu = {Backend::cpu,    cpu::name,         cpu::linear_each, cpu::feed_forward,
                        cpu::layer_norm, cpu::rms_norm,     cpu::attention,   cpu::attention_cached,
                        cpu::rope,       cpu::scatter_rows, cpu::gather_rows, cpu::resample,
                        cpu::look_up};

std::atomic<const Table*> current = &kCpu;
std::atomic<int> thread_count = 0;

const Table& table() { return *current.load(std::memory_order_relaxed); }

void require(bool holds, const char* kernel) {
  if (!holds)
    throw Error(ErrorCode::internal, {.where = std::string("kernels::") + kernel,
                                      .got = "arguments of different shapes",
                                      .expected = "shapes as kernels.h states them"});
}

bool same_shape(ConstMatrix a, ConstMatrix b) { return a.rows == b.rows && a.cols == b.cols; }

bool fits(const Product& product, ConstMatrix x) {
  const auto& [layer, y, epilogue] = product;
  return !layer->empty() && x.cols == layer->in_features() && y.cols == layer->out_features() &&
         x.rows == y.rows && (!epilogue.factor.data || same_shape(epilogue.factor, y)) &&
         (!epilogue.residual.data || same_shape(epilogue.residual, y)) && std::isfinite(epilogue.scale);
}

// What a product takes from the one before it lies where its own result goes, so it need not be written
// first.
bool fit_together(std::span<const Product> products) {
  for (size_t i = 1; i < products.size(); ++i)
    if (products[i].epilogue.factor.data == products[i - 1].y.data &&
        products[i].y.data != products[i - 1].y.data)
      return false;
  return true;
}

bool fits(const HeadLayout& layout, ConstMatrix q, ConstMatrix out) {
  return layout.head_dim > 0 && layout.kv_heads > 0 && layout.heads % layout.kv_heads == 0 &&
         q.cols == layout.heads * layout.head_dim && same_shape(q, out);
}

// A whole number of tiles beside each other, and the picture on its canvas.
bool fits(const PictureLayout& layout) {
  return layout.height > 0 && layout.width > 0 && layout.tile_height > 0 && layout.tile_width > 0 &&
         layout.top >= 0 && layout.left >= 0 &&
         layout.left + layout.width <= layout.tile_cols * layout.tile_width;
}

// Every pixel that is read exists.
bool fits(const ResampleAxis& axis, int64_t length) {
  const auto out = static_cast<size_t>(axis.out());
  bool holds = out > 0 && axis.in == length && axis.count.size() == out && axis.bits >= 1 && axis.bits < 31 &&
               axis.weights.size() == out * static_cast<size_t>(axis.taps);
  for (size_t i = 0; holds && i < out; ++i) {
    const int64_t begin = axis.first[i], end = begin + axis.count[i];
    holds = begin >= 0 && end >= begin && end <= length && end - begin <= axis.taps &&
            (i == 0 || (axis.first[i - 1] <= begin && axis.first[i - 1] + axis.count[i - 1] <= end));
  }
  return holds;
}

}  // namespace

void linear(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue) {
  const Product product = {&layer, y, epilogue};
  linear_each(x, {&product, 1});
}

void linear_each(ConstMatrix x, std::span<const Product> products) {
  for (const Product& product : products) require(fits(product, x), "linear");
  require(fit_together(products), "linear");
  if (x.rows > 0 && !products.empty()) table().linear_each(x, products);
}

void feed_forward(ConstMatrix x, std::span<const Product> in, const Product& out) {
  for (const Product& product : in) require(fits(product, x), "feed_forward");
  require(!in.empty() && fit_together(in) && fits(out, in.back().y), "feed_forward");
  if (x.rows > 0) table().feed_forward(x, in, out);
}

void layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y) {
  require(same_shape(x, y), "layer_norm");
  table().layer_norm(x, weight, bias, eps, y);
}

void rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) {
  require(same_shape(x, y), "rms_norm");
  table().rms_norm(x, weight, eps, y);
}

void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
               std::span<const uint8_t> key_mask, Matrix out) {
  require(fits(layout, q, out) && same_shape(k, v) && k.cols == layout.kv_heads * layout.head_dim &&
              (key_mask.empty() || std::ssize(key_mask) == k.rows),
          "attention");
  if (q.rows > 0 && k.rows > 0) table().attention(q, k, v, layout, key_mask, out);
}

void attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout, Matrix out) {
  require(fits(layout, q, out) && std::ssize(rows) == q.rows &&
              std::all_of(
                  rows.begin(), rows.end(),
                  [](const CausalRow& row) {
                    const bool readable = row.cache.dtype == DType::f32 || row.cache.dtype == DType::f16;
                    const auto page = static_cast<uint64_t>(row.cache.page_positions);
                    return readable && std::has_single_bit(page) && row.first >= 0 && row.first <= row.last;
                  }),
          "attention_cached");
  if (q.rows > 0) table().attention_cached(q, rows, layout, out);
}

void rope(Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq, int64_t head_dim,
          float scale) {
  require(head_dim > 0 && head_dim % 2 == 0 && x.cols % head_dim == 0 && std::ssize(positions) == x.rows &&
              std::ssize(inv_freq) == head_dim / 2,
          "rope");
  table().rope(x, positions, inv_freq, head_dim, scale);
}

void scatter_rows(ConstMatrix x, std::span<void* const> to, DType dtype) {
  require(std::ssize(to) == x.rows && (dtype == DType::f32 || dtype == DType::f16), "scatter_rows");
  table().scatter_rows(x, to, dtype);
}

void gather_rows(const WeightView& weights, std::span<const int32_t> ids, Matrix out) {
  require(weights.values && out.cols == weights.cols && std::ssize(ids) == out.rows, "gather_rows");
  table().gather_rows(weights, ids, out);
}

void resample(const ConstPicture& in, std::span<const ResamplePass> passes, const Picture& out) {
  int64_t height = in.layout.height, width = in.layout.width;
  bool holds = fits(in.layout) && fits(out.layout);
  for (const ResamplePass& pass : passes) {
    int64_t& length = pass.direction == Direction::along_x ? width : height;
    holds = holds && fits(*pass.axis, length);
    length = pass.axis->out();
  }
  require(holds && height == out.layout.height && width == out.layout.width, "resample");
  table().resample(in, passes, out);
}

void look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables, float* out) {
  require(plane > 0 && !tables.empty() && tables.size() % 256 == 0, "look_up");
  table().look_up(bytes, plane, tables, out);
}

void set_threads(int threads) {
  if (threads < 0 || threads > kMaxThreads)
    throw Error(ErrorCode::usage, {.where = "threads",
                                   .got = std::to_string(threads),
                                   .expected = "0 to " + std::to_string(kMaxThreads)});
  thread_count = threads;
}

int threads() {
  const int count = thread_count.load(std::memory_order_relaxed);
  return count > 0 ? count : cpu::processors();
}

Backend backend() { return table().backend; }

void set_backend(Backend backend) { current = backend == Backend::cpu ? &kCpu : &kReference; }

const char* backend_name() { return table().name(); }

}  // namespace galago::kernels
