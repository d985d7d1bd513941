// The device that is made of the processors: every kernel by the fast implementation, on its own threads.
#include "galago/error.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/instructions.h"

namespace galago::kernels {
namespace {

class CpuDevice final : public Device {
 public:
  CpuDevice(int threads, const Ways& ways) : Device(threads), ways_(ways) {
    pool().divide_from(ways.operations_per_part);
  }
  std::string name() const override { return cpu::name(); }

 private:
  void do_copy(ConstMatrix x, Matrix y) const override { cpu::copy(pool(), x, y); }
  void do_scale(ConstMatrix x, float factor, Matrix y) const override { cpu::scale(pool(), x, factor, y); }
  void do_add(ConstMatrix x, Matrix y) const override { cpu::add(pool(), x, y); }
  void do_unfold_patches(const TileView& tile, int64_t patch, Matrix rows) const override {
    cpu::unfold_patches(pool(), tile, patch, rows);
  }
  void do_linear_each(ConstMatrix x, std::span<const Product> products) const override {
    cpu::linear_each(pool(), ways_, x, products);
  }
  void do_feed_forward(ConstMatrix x, std::span<const Product> in, const Product& out) const override {
    cpu::feed_forward(pool(), ways_, x, in, out);
  }
  void do_layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps,
                     Matrix y) const override {
    cpu::layer_norm(pool(), x, weight, bias, eps, y);
  }
  void do_rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const override {
    cpu::rms_norm(pool(), x, weight, eps, y);
  }
  void do_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
                    std::span<const uint8_t> key_mask, Matrix out) const override {
    cpu::attention(pool(), ways_, q, k, v, layout, key_mask, out);
  }
  void do_attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout,
                           Matrix out) const override {
    cpu::attention_cached(pool(), ways_, q, rows, layout, out);
  }
  void do_rope(Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq,
               int64_t head_dim, float scale) const override {
    cpu::rope(pool(), x, positions, inv_freq, head_dim, scale);
  }
  void do_scatter_rows(ConstMatrix x, std::span<void* const> to, DType dtype) const override {
    cpu::scatter_rows(pool(), x, to, dtype);
  }
  void do_gather_rows(const WeightView& table, std::span<const int32_t> ids, Matrix out) const override {
    cpu::gather_rows(pool(), table, ids, out);
  }
  void do_resample(const ConstPicture& in, std::span<const ResamplePass> passes,
                   const Picture& out) const override {
    cpu::resample(pool(), in, passes, out);
  }
  void do_look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables,
                  float* out) const override {
    cpu::look_up(pool(), bytes, plane, tables, out);
  }

  Ways ways_;
};

}  // namespace

SharedDevice cpu_device(int threads) { return cpu_device(threads, Ways{}); }

SharedDevice cpu_device(int threads, const Ways& ways) {
  if (threads < 0 || threads > kMaxThreads)
    throw Error(ErrorCode::usage, {.where = "threads",
                                   .got = std::to_string(threads),
                                   .expected = "0 to " + std::to_string(kMaxThreads)});
  cpu::capped_targets();  // from here on
  return std::make_shared<const CpuDevice>(threads > 0 ? threads : processors(), ways);
}

}  // namespace galago::kernels
