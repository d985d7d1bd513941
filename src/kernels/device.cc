// The seam's other side: checks the shapes of every call and hands it to the device's implementation.
#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "galago/error.h"
#include "kernels/kernels.h"
#include "kernels/pool.h"

namespace galago::kernels {
namespace {

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

Device::Device(int threads) : pool_(std::make_unique<Pool>(threads)) {}

Device::~Device() = default;

int Device::threads() const { return pool_->threads(); }

Weight Device::prepare(const WeightView& matrix) const {
  if (!matrix.values || memory().is_host()) return {matrix, nullptr};
  const int64_t scales = matrix.in_planes() ? 2 * matrix.rows * matrix.groups() : 0;
  const int64_t minimums = matrix.format == WeightFormat::q4 ? scales : 0;
  const int64_t values = matrix.bytes() - scales - minimums;
  constexpr int64_t kFloat = sizeof(float);
  auto copy = std::make_shared<Tensor>(Shape{(matrix.bytes() + kFloat - 1) / kFloat}, memory());
  auto* const to = reinterpret_cast<std::byte*>(copy->data());
  WeightView view = matrix;
  memory().copy_in(matrix.values, to, values);
  view.values = to;
  if (scales > 0) {
    memory().copy_in(matrix.scales, to + values, scales);
    view.scales = to + values;
  }
  if (minimums > 0) {
    memory().copy_in(matrix.minimums, to + values + scales, minimums);
    view.minimums = to + values + scales;
  }
  return {view, std::move(copy)};
}

Tensor Device::prepare(const TensorView& tensor) const { return on_device(to_tensor(tensor)); }

void Device::copy_in(ConstMatrix host, Matrix to) const {
  require(same_shape(host, to), "copy_in");
  for (int64_t i = 0; i < host.rows; ++i)
    memory().copy_in(host.row(i), reinterpret_cast<std::byte*>(to.row(i)),
                     host.cols * static_cast<int64_t>(sizeof(float)));
}

void Device::copy_out(ConstMatrix from, Matrix host) const {
  require(same_shape(from, host), "copy_out");
  for (int64_t i = 0; i < host.rows; ++i)
    memory().copy_out(reinterpret_cast<const std::byte*>(from.row(i)), host.row(i),
                      host.cols * static_cast<int64_t>(sizeof(float)));
}

ConstMatrix Device::on_host(ConstMatrix rows, Tensor& copy) const {
  if (memory().is_host()) return rows;
  if (copy.size() < rows.rows * rows.cols) copy = Tensor({rows.rows, rows.cols});
  const Matrix host(copy.data(), rows.rows, rows.cols);
  copy_out(rows, host);
  return host;
}

Tensor Device::on_device(Tensor tensor) const {
  if (tensor.empty() || &tensor.memory() == &memory()) return tensor;
  Tensor copy(tensor.shape(), memory());
  memory().copy_in(tensor.data(), reinterpret_cast<std::byte*>(copy.data()), tensor.byte_size());
  return copy;
}

void Device::copy(ConstMatrix x, Matrix y) const {
  require(same_shape(x, y), "copy");
  do_copy(x, y);
}

void Device::scale(ConstMatrix x, float factor, Matrix y) const {
  require(same_shape(x, y), "scale");
  do_scale(x, factor, y);
}

void Device::add(ConstMatrix x, Matrix y) const {
  require(same_shape(x, y), "add");
  do_add(x, y);
}

void Device::unfold_patches(const TileView& tile, int64_t patch, Matrix rows) const {
  require(patch > 0 && rows.rows == tile.height / patch * (tile.width / patch) &&
              rows.cols == tile.channels * patch * patch,
          "unfold_patches");
  do_unfold_patches(tile, patch, rows);
}

void Device::linear(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue) const {
  const Product product = {&layer, y, epilogue};
  linear_each(x, {&product, 1});
}

void Device::linear_each(ConstMatrix x, std::span<const Product> products) const {
  for (const Product& product : products) require(fits(product, x), "linear");
  require(fit_together(products), "linear");
  if (x.rows > 0 && !products.empty()) do_linear_each(x, products);
}

void Device::feed_forward(ConstMatrix x, std::span<const Product> in, const Product& out) const {
  for (const Product& product : in) require(fits(product, x), "feed_forward");
  require(!in.empty() && fit_together(in) && fits(out, in.back().y), "feed_forward");
  if (x.rows > 0) do_feed_forward(x, in, out);
}

void Device::layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y) const {
  require(same_shape(x, y), "layer_norm");
  do_layer_norm(x, weight, bias, eps, y);
}

void Device::rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const {
  require(same_shape(x, y), "rms_norm");
  do_rms_norm(x, weight, eps, y);
}

void Device::attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
                       std::span<const uint8_t> key_mask, Matrix out) const {
  require(fits(layout, q, out) && same_shape(k, v) && k.cols == layout.kv_heads * layout.head_dim &&
              (key_mask.empty() || std::ssize(key_mask) == k.rows),
          "attention");
  if (q.rows > 0 && k.rows > 0) do_attention(q, k, v, layout, key_mask, out);
}

void Device::attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout,
                              Matrix out) const {
  require(fits(layout, q, out) && std::ssize(rows) == q.rows &&
              std::all_of(
                  rows.begin(), rows.end(),
                  [](const CausalRow& row) {
                    const bool readable = row.cache.dtype == DType::f32 || row.cache.dtype == DType::f16;
                    const auto page = static_cast<uint64_t>(row.cache.page_positions);
                    return readable && std::has_single_bit(page) && row.first >= 0 && row.first <= row.last;
                  }),
          "attention_cached");
  if (q.rows > 0) do_attention_cached(q, rows, layout, out);
}

void Device::rope(Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq,
                  int64_t head_dim, float scale) const {
  require(head_dim > 0 && head_dim % 2 == 0 && x.cols % head_dim == 0 && std::ssize(positions) == x.rows &&
              std::ssize(inv_freq) == head_dim / 2,
          "rope");
  do_rope(x, positions, inv_freq, head_dim, scale);
}

void Device::scatter_rows(ConstMatrix x, std::span<void* const> to, DType dtype) const {
  require(std::ssize(to) == x.rows && (dtype == DType::f32 || dtype == DType::f16), "scatter_rows");
  do_scatter_rows(x, to, dtype);
}

void Device::gather_rows(const WeightView& weights, std::span<const int32_t> ids, Matrix out) const {
  require(weights.values && out.cols == weights.cols && std::ssize(ids) == out.rows, "gather_rows");
  do_gather_rows(weights, ids, out);
}

void Device::resample(const ConstPicture& in, std::span<const ResamplePass> passes,
                      const Picture& out) const {
  int64_t height = in.layout.height, width = in.layout.width;
  bool holds = fits(in.layout) && fits(out.layout);
  for (const ResamplePass& pass : passes) {
    int64_t& length = pass.direction == Direction::along_x ? width : height;
    holds = holds && fits(*pass.axis, length);
    length = pass.axis->out();
  }
  require(holds && height == out.layout.height && width == out.layout.width, "resample");
  do_resample(in, passes, out);
}

void Device::look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables,
                     float* out) const {
  require(plane > 0 && !tables.empty() && tables.size() % 256 == 0, "look_up");
  do_look_up(bytes, plane, tables, out);
}

}  // namespace galago::kernels
