// The seam between modules and machines: every arithmetic operation of a forward pass, by name, as what a
// Device can do. In: views of rows of floats and prepared weights. Out: rows of floats. No module sees
// threads or instruction sets. Each kernel has a scalar twin in kernels/reference that defines it;
// kernels/cpu holds the fast ones.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/picture.h"
#include "core/tensor.h"
#include "core/weight.h"

namespace galago::kernels {

class Device;

/// Elementwise functions that a linear layer may apply to its result.
enum class Activation {
  none,
  gelu_tanh,   ///< 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), "gelu_pytorch_tanh"
  gelu_erf,    ///< 0.5 x (1 + erf(x / sqrt 2)), "gelu"
  quick_gelu,  ///< x sigmoid(1.702 x), "quick_gelu"
  silu,        ///< x sigmoid(x), "silu"
  relu,        ///< max(x, 0), "relu"
};

/// A matrix of weights where a device reads it. Memory that was taken for it goes with the last owner; what a
/// device reads where the checkpoint has it must outlive it.
struct Weight {
  WeightView view;
  std::shared_ptr<const void> memory;

  /// As WeightView::slice_rows.
  Weight slice_rows(int64_t begin, int64_t count) const { return {view.slice_rows(begin, count), memory}; }
};

/// The weights of y = x W^T + b: floats as they lie in the checkpoint, or q8 or q4, computed in float32. Of
/// quantised ones panels are fast; in rows they serve as well, but for few rows of x slowly. Safe to use from
/// several threads.
class Linear {
 public:
  Linear() = default;
  /// view.weight [out, in], view.bias [out] or null data, prepared by the device. A view with null weight
  /// data gives an empty Linear. Error{internal} for other shapes.
  Linear(const LinearView& view, const Device& device);
  /// Of a matrix that is prepared already.
  Linear(Weight weight, const TensorView& bias, Arithmetic arithmetic, const Device& device);

  int64_t in_features() const { return weight_.view.cols; }
  int64_t out_features() const { return weight_.view.rows; }
  bool empty() const { return out_features() == 0; }

  /// [out, in], in the checkpoint's format.
  const WeightView& weight() const { return weight_.view; }
  Arithmetic arithmetic() const { return arithmetic_; }
  /// [out] floats; null when there is none.
  const float* bias() const { return bias_.empty() ? nullptr : bias_.data(); }
  /// Of int8 arithmetic: [out] the largest size of each row of weights (infinity or NaN where one is not
  /// finite), which kernels note when they have looked for it; below 0 until then. Null otherwise.
  std::atomic<float>* row_sizes() const { return row_sizes_.get(); }

 private:
  Weight weight_;
  Tensor bias_;
  std::unique_ptr<std::atomic<float>[]> row_sizes_;
  Arithmetic arithmetic_ = Arithmetic::f32;
};

/// What happens to x W^T + b before it is stored, in this order.
struct Epilogue {
  Activation activation = Activation::none;
  ConstMatrix factor;    ///< multiplied in, element by element: as y; may be y itself; none when data is null
  float scale = 1;       ///< multiplied in; finite
  ConstMatrix residual;  ///< added: as factor
};

/// Rows up to which linear() and linear_each() give each row the same result, bit for bit, whatever the other
/// rows are. (The other kernels of rows do so for any number.)
inline constexpr int64_t kFewRows = 32;

/// One of several products of the same rows.
struct Product {
  const Linear* layer = nullptr;
  Matrix y;
  Epilogue epilogue;
};

/// How the columns of q, k and v divide into heads; query head h reads key head h / (heads / kv_heads).
struct HeadLayout {
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  float scale = 0;                          ///< factor on q . k
  Arithmetic arithmetic = Arithmetic::f32;  ///< of many rows
};

/// The keys and values of one sequence, in pages: those of position p are row p % page_positions of page
/// p / page_positions. A row holds all kv heads, [kv_heads*head_dim] of dtype.
struct CacheView {
  const std::byte* const* pages = nullptr;  ///< the beginning of each page
  int64_t keys = 0;                         ///< bytes from a page's beginning to its first row of keys
  int64_t values = 0;                       ///< and of values
  int64_t page_positions = 1;               ///< a power of two
  int64_t stride = 0;                       ///< elements from one row to the next
  DType dtype = DType::f32;                 ///< f32 or f16; computed in float32 either way

  bool operator==(const CacheView&) const = default;
};

/// One row of queries for causal attention: it sees positions [first, last] of its cache.
struct CausalRow {
  CacheView cache;
  int64_t first = 0;
  int64_t last = 0;
};

/// How one axis of a picture changes its length, in fixed point: pixel i of the result is the sum of
/// weights[i * taps + k] * pixel first[i] + k over k < count[i], plus one half, cut to its whole part and to
/// 0..255. `bits` of a weight come after the point; a weight is below 32. first and first + count never fall.
struct ResampleAxis {
  int64_t in = 0;    ///< pixels before
  int64_t taps = 0;  ///< the most that one pixel of the result reads
  int bits = 22;
  std::vector<int32_t> first;
  std::vector<int32_t> count;
  std::vector<int32_t> weights;  ///< [out(), taps]

  int64_t out() const { return static_cast<int64_t>(first.size()); }
};

enum class Direction { along_x, along_y };

/// One axis of every row, or of every column, is resampled and rounded to bytes.
struct ResamplePass {
  Direction direction = Direction::along_x;
  const ResampleAxis* axis = nullptr;
};

/// Where the planes of a weight matrix are written; as in WeightView.
struct WeightPlanes {
  std::byte* values = nullptr;
  std::byte* scales = nullptr;
  std::byte* minimums = nullptr;
};

/// More threads than a machine has.
inline constexpr int kMaxThreads = 1024;

/// One tile of pixels [channels, height, width].
struct TileView {
  const float* pixels = nullptr;
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
};

class Pool;

/// What computes: the threads, the memory and the implementation of every kernel. Handed to whoever computes;
/// nothing about it is global, so two of them do not change each other. Safe to use from several threads: one
/// call at a time has the device's threads, and what comes meanwhile from another thread is computed on that
/// thread alone. A wrong shape is a bug: Error{internal}.
class Device {
 public:
  virtual ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// E.g. "cpu: AVX3+BF16" or "reference".
  virtual std::string name() const = 0;
  /// Threads that a kernel uses at most, the caller's among them.
  int threads() const;
  /// Where rows, weights and caches lie. In the kernels below it is matrices, pointers to norms' weights and
  /// the pages of caches that do; spans and pictures are the host's, read before the call comes back.
  virtual const Memory& memory() const { return host_memory(); }

  /// A matrix made ready for products and gather_rows: left where it is mapped where the device reads that,
  /// copied to its memory where it does not. A view without data stays one. Error{resource}.
  virtual Weight prepare(const WeightView& matrix) const;
  /// A tensor as floats in the device's memory; empty for a view without data. Error{resource}.
  Tensor prepare(const TensorView& tensor) const;

  /// Rows of the host's memory to the device's, and back; same shapes.
  void copy_in(ConstMatrix host, Matrix to) const;
  void copy_out(ConstMatrix from, Matrix host) const;
  /// The same numbers where the host reads them: the rows themselves, or `copy`, which grows to hold them.
  ConstMatrix on_host(ConstMatrix rows, Tensor& copy) const;
  /// The same numbers in the device's memory: the tensor itself where it lies there.
  Tensor on_device(Tensor tensor) const;

  /// y = x, row by row; they must not overlap.
  void copy(ConstMatrix x, Matrix y) const;
  /// y = x * factor; y may be x.
  void scale(ConstMatrix x, float factor, Matrix y) const;
  /// y = y + x.
  void add(ConstMatrix x, Matrix y) const;

  /// The patches of one tile as rows [patches, channels * patch * patch], row by row over the grid, channel
  /// by channel within a row. Pixels beyond the last whole patch are left out, as a valid convolution does.
  /// The tile is the host's: this is where pictures come to the device.
  void unfold_patches(const TileView& tile, int64_t patch, Matrix rows) const;

  /// y = activation(x W^T + b) * factor * scale + residual; x [n, in], y [n, out]. y must not overlap x.
  void linear(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue = {}) const;

  /// linear() for each product, all at once: the threads divide them together. A product may have the y of
  /// the one before it, and then takes it as its factor.
  void linear_each(ConstMatrix x, std::span<const Product> products) const;

  /// Two layers, one after the other: linear_each(x, in), then linear() of the y of the last product in `in`.
  /// That y is working memory: what it holds afterwards is not defined. Products in bfloat16 keep the rows
  /// between the layers in bfloat16, which is how the second one reads them.
  void feed_forward(ConstMatrix x, std::span<const Product> in, const Product& out) const;

  /// y = (x - mean) / sqrt(var + eps) * weight + bias, row by row; weight, bias [cols]. y may be x.
  void layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y) const;

  /// y = x / sqrt(mean(x^2) + eps) * weight, row by row; weight [cols]. y may be x.
  void rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const;

  /// Full attention among n rows: out = softmax(q k^T * scale + mask) v, head by head.
  /// q, out [n, heads*head_dim]; k, v [n, kv_heads*head_dim]. key_mask: n bytes, 0 hides a key; empty = all
  /// visible. A row whose keys are all hidden is undefined in the reference too; callers keep at least one
  /// key.
  void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
                 std::span<const uint8_t> key_mask, Matrix out) const;

  /// Causal attention of rows over their caches: out[i] = softmax(q[i] K^T * scale) V over positions
  /// rows[i].first..last. q, out [n, heads*head_dim]; rows has n entries, of any mixture of sequences.
  void attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout,
                        Matrix out) const;

  /// Rotary position embedding in place, the "rotate half" form: for pair (j, j + d/2) of every head of row
  /// i, angle = positions[i] * inv_freq[j]. x [n, heads*head_dim], inv_freq [head_dim/2]. cos and sin are
  /// scaled by `scale`. The angle is rounded to float before cos and sin, as the reference does.
  void rope(Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq, int64_t head_dim,
            float scale) const;

  /// Row i of x to to[i], where [cols] numbers of `dtype` have room: f32 as they are, or f16 rounded to
  /// nearest, ties to even. What is beyond +-65504 becomes +-65504 there, so that a cache of float16 stays
  /// finite; NaN stays NaN.
  void scatter_rows(ConstMatrix x, std::span<void* const> to, DType dtype) const;

  /// Row i of out = row ids[i] of table [v, cols] as floats; ids are checked by the caller.
  void gather_rows(const WeightView& table, std::span<const int32_t> ids, Matrix out) const;

  /// The picture after the passes, one after another; none copies it from one layout to another. Bits do not
  /// depend on the backend or the threads. out must not overlap in. std::bad_alloc when memory is out.
  void resample(const ConstPicture& in, std::span<const ResamplePass> passes, const Picture& out) const;

  /// out[i] = the float of byte i in the table of its plane: planes of `plane` bytes take the tables [n, 256]
  /// in turn.
  void look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables,
               float* out) const;

  /// The matrix in another format: q8 and q4 as docs/quantisation.md describes them, the others rounded to
  /// nearest. A group with a number that is not finite becomes NaN. Error{internal} for q8 or q4 of rows that
  /// are no multiple of kWeightGroup. The result is the same for all backends and threads.
  void convert_weights(const WeightView& from, WeightFormat format, const WeightPlanes& to) const;

  /// The same numbers as q8 or q4 in panels, to `to`: bytes() of such a view.
  void pack_weights(const WeightView& from, WeightFormat format, std::byte* to) const;

 protected:
  explicit Device(int threads);
  Pool& pool() const { return *pool_; }

 private:
  // The kernels as a device implements them; arguments are checked, and there is something to do.
  virtual void do_copy(ConstMatrix x, Matrix y) const = 0;
  virtual void do_scale(ConstMatrix x, float factor, Matrix y) const = 0;
  virtual void do_add(ConstMatrix x, Matrix y) const = 0;
  virtual void do_unfold_patches(const TileView& tile, int64_t patch, Matrix rows) const = 0;
  virtual void do_linear_each(ConstMatrix x, std::span<const Product> products) const = 0;
  virtual void do_feed_forward(ConstMatrix x, std::span<const Product> in, const Product& out) const = 0;
  virtual void do_layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps,
                             Matrix y) const = 0;
  virtual void do_rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const = 0;
  virtual void do_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
                            std::span<const uint8_t> key_mask, Matrix out) const = 0;
  virtual void do_attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout,
                                   Matrix out) const = 0;
  virtual void do_rope(Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq,
                       int64_t head_dim, float scale) const = 0;
  virtual void do_scatter_rows(ConstMatrix x, std::span<void* const> to, DType dtype) const = 0;
  virtual void do_gather_rows(const WeightView& table, std::span<const int32_t> ids, Matrix out) const = 0;
  virtual void do_resample(const ConstPicture& in, std::span<const ResamplePass> passes,
                           const Picture& out) const = 0;
  virtual void do_look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables,
                          float* out) const = 0;

  std::unique_ptr<Pool> pool_;
};

/// A device together with those who need it to stay.
using SharedDevice = std::shared_ptr<const Device>;

/// The machine's processors with their fastest instructions up to the cap GALAGO_CPU. threads: at most
/// kMaxThreads, 0 for one a processor; they start when wanted. Error{usage} for another number or cap.
SharedDevice cpu_device(int threads = 0);
/// The scalar twins, on the caller's thread: for tests and for finding a fault.
SharedDevice reference_device();

}  // namespace galago::kernels
