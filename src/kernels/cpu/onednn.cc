// Products of many rows through oneDNN: y [n, out] = activation(x [n, in] W^T + b) * scale, optionally added
// to y.
// Weights are packed once per layer in the order that oneDNN prefers for kPackRows rows; the compiled
// products are kept by shape, the least recently used leaving first.
#include <omp.h>

#include <list>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <tuple>
#include <unordered_map>

#include "galago/error.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/products.h"
#include "kernels/cpu/quant.h"

namespace galago::kernels::cpu {
namespace {

using dnnl::memory;
constexpr auto kFloat = memory::data_type::f32;
constexpr int64_t kPackRows = 1024;
constexpr size_t kKeptProducts = 128;

const dnnl::engine& engine() {
  static const dnnl::engine one(dnnl::engine::kind::cpu, 0);
  return one;
}

/// Everything that a compiled product depends on.
struct ProductKey {
  int64_t rows, in, out, x_stride, y_stride;
  Activation activation;
  float scale;
  bool bias, accumulate;
  int threads;
  auto operator<=>(const ProductKey&) const = default;
};

struct Product {
  dnnl::matmul::primitive_desc description;
  dnnl::matmul primitive;
};

memory::desc packed_desc(int64_t in, int64_t out) {
  static std::mutex mutex;
  static std::map<std::pair<int64_t, int64_t>, memory::desc> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find({in, out});
  if (found != known.end()) return found->second;
  const memory::desc x({kPackRows, in}, kFloat, memory::format_tag::ab);
  const memory::desc any({in, out}, kFloat, memory::format_tag::any);
  const memory::desc y({kPackRows, out}, kFloat, memory::format_tag::ab);
  const memory::desc chosen = dnnl::matmul::primitive_desc({x, any, y}, engine()).weights_desc();
  known.emplace(std::pair{in, out}, chosen);
  return chosen;
}

void append_activation(dnnl::post_ops& ops, Activation activation) {
  using dnnl::algorithm;
  switch (activation) {
    case Activation::none:
      return;
    case Activation::gelu_tanh:
      return ops.append_eltwise(1, algorithm::eltwise_gelu_tanh, 0, 0);
    case Activation::gelu_erf:
      return ops.append_eltwise(1, algorithm::eltwise_gelu_erf, 0, 0);
    case Activation::quick_gelu:
      return ops.append_eltwise(1, algorithm::eltwise_swish, 1.702f, 0);
    case Activation::silu:
      return ops.append_eltwise(1, algorithm::eltwise_swish, 1, 0);
    case Activation::relu:
      return ops.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
  }
}

std::shared_ptr<const Product> compile(const ProductKey& key) {
  const memory::desc x({key.rows, key.in}, kFloat, memory::dims{key.x_stride, 1});
  const memory::desc y({key.rows, key.out}, kFloat, memory::dims{key.y_stride, 1});
  const memory::desc bias({1, key.out}, kFloat, memory::format_tag::ab);
  const memory::desc weights = packed_desc(key.in, key.out);
  dnnl::post_ops ops;
  append_activation(ops, key.activation);
  if (key.scale != 1) ops.append_eltwise(1, dnnl::algorithm::eltwise_linear, key.scale, 0);
  if (key.accumulate) ops.append_sum(1);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(ops);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::matmul::desc operation =
      key.bias ? dnnl::matmul::desc(x, weights, bias, y) : dnnl::matmul::desc(x, weights, y);
  dnnl::matmul::primitive_desc description(operation, attributes, engine());
  return std::make_shared<const Product>(Product{description, dnnl::matmul(description)});
}

/// The compiled products of this process.
class ProductCache {
 public:
  std::shared_ptr<const Product> get(const ProductKey& key) {
    {
      const std::lock_guard lock(mutex_);
      if (auto known = find(key)) return known;
    }
    auto compiled = compile(key);  // unlocked: a new prompt length in one thread must not stall the others
    const std::lock_guard lock(mutex_);
    if (auto known = find(key)) return known;  // another thread was faster
    order_.emplace_front(key, std::move(compiled));
    index_[key] = order_.begin();
    if (order_.size() > kKeptProducts) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    return order_.front().second;
  }

 private:
  using Entry = std::pair<ProductKey, std::shared_ptr<const Product>>;

  /// Null when it is not there. The caller holds the lock.
  std::shared_ptr<const Product> find(const ProductKey& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->second;
  }

  std::mutex mutex_;
  std::list<Entry> order_;  // most recently used first
  std::map<ProductKey, std::list<Entry>::iterator> index_;
};

void pack(const Linear& layer) {
  const int64_t in = layer.in_features(), out = layer.out_features();
  Tensor plain({out, in});
  for (int64_t o = 0; o < out; ++o) dequantise(layer.weight(), o, 0, in, plain.data() + o * in);
  const memory::desc target = packed_desc(in, out);
  Tensor packed({static_cast<int64_t>((target.get_size() + sizeof(float) - 1) / sizeof(float))});
  memory from({{in, out}, kFloat, memory::format_tag::ba}, engine(), plain.data());
  memory to(target, engine(), packed.data());
  dnnl::stream stream(engine());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  layer.prepared()->packed = std::move(packed);
}

/// Scratch memory of the calling thread; grows to the largest product and stays.
float* scratch(size_t bytes) {
  thread_local Tensor memory_of_thread;
  const auto floats = static_cast<int64_t>((bytes + sizeof(float) - 1) / sizeof(float));
  if (memory_of_thread.size() < floats) memory_of_thread = Tensor({floats});
  return memory_of_thread.data();
}

void run(const Product& product, ConstMatrix x, const Linear& layer, Matrix y) {
  const auto& description = product.description;
  const auto wrap = [](const memory::desc& desc, const float* data) {
    return memory(desc, engine(), const_cast<float*>(data));  // oneDNN's handles are not const
  };
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, wrap(description.src_desc(), x.data)},
      {DNNL_ARG_WEIGHTS, wrap(description.weights_desc(), layer.prepared()->packed.data())},
      {DNNL_ARG_DST, wrap(description.dst_desc(), y.data)}};
  if (layer.bias()) arguments.emplace(DNNL_ARG_BIAS, wrap(description.bias_desc(), layer.bias()));
  const memory::desc scratch_desc = description.scratchpad_desc();
  if (scratch_desc.get_size() > 0)
    arguments.emplace(DNNL_ARG_SCRATCHPAD, wrap(scratch_desc, scratch(scratch_desc.get_size())));
  thread_local dnnl::stream stream(engine());
  product.primitive.execute(stream, arguments);
  stream.wait();
}

/// Lets OpenMP start `team` threads for the calling thread, and gives it its own number back at the end.
class TeamSize {
 public:
  explicit TeamSize(int team) : before_(omp_get_max_threads()), team_(team) {
    if (team_ != before_) omp_set_num_threads(team_);
  }
  ~TeamSize() {
    if (team_ != before_) omp_set_num_threads(before_);
  }
  TeamSize(const TeamSize&) = delete;
  TeamSize& operator=(const TeamSize&) = delete;

 private:
  int before_;
  int team_;
};

}  // namespace

void many_row_product(ConstMatrix x, const Linear& layer, Matrix y, const Epilogue& epilogue) {
  static ProductCache cache;
  // oneDNN asks OpenMP how many threads the calling thread may use; a small product gets one, as a team that
  // waits for a busy processor costs far more than it saves.
  const int team = threads_for(x.rows, x.cols * y.cols);
  const TeamSize team_size(team);
  try {
    std::call_once(layer.prepared()->once, pack, layer);
    run(*cache.get({x.rows, x.cols, y.cols, x.stride, y.stride, epilogue.activation, epilogue.scale,
                    layer.bias() != nullptr, epilogue.residual.data != nullptr, team}),
        x, layer, y);
  } catch (const dnnl::error& error) {
    throw Error(
        error.status == dnnl_out_of_memory ? ErrorCode::resource : ErrorCode::internal,
        {.where = "oneDNN product of " + to_string(Shape{x.rows, x.cols, y.cols}), .got = error.what()});
  }
}

const char* onednn_version() {
  static const std::string text = [] {
    const dnnl_version_t* version = dnnl_version();
    return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch);
  }();
  return text.c_str();
}

}  // namespace galago::kernels::cpu
