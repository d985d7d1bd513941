// The device that is made of the scalar twins.
#include "kernels/reference/reference.h"

namespace galago::kernels {
namespace {

class ReferenceDevice final : public Device {
 public:
  ReferenceDevice() : Device(1) {}
  std::string name() const override { return "reference"; }

 private:
  void do_copy(ConstMatrix x, Matrix y) const override { reference::copy(x, y); }
  void do_scale(ConstMatrix x, float factor, Matrix y) const override { reference::scale(x, factor, y); }
  void do_add(ConstMatrix x, Matrix y) const override { reference::add(x, y); }
  void do_unfold_patches(const TileView& tile, int64_t patch, Matrix rows) const override {
    reference::unfold_patches(tile, patch, rows);
  }
  void do_linear_each(ConstMatrix x, std::span<const Product> products) const override {
    reference::linear_each(x, products);
  }
  void do_feed_forward(ConstMatrix x, std::span<const Product> in, const Product& out) const override {
    reference::feed_forward(x, in, out);
  }
  void do_layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps,
                     Matrix y) const override {
    reference::layer_norm(x, weight, bias, eps, y);
  }
  void do_rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const override {
    reference::rms_norm(x, weight, eps, y);
  }
  void do_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadLayout& layout,
                    std::span<const uint8_t> key_mask, Matrix out) const override {
    reference::attention(q, k, v, layout, key_mask, out);
  }
  void do_attention_cached(ConstMatrix q, std::span<const CausalRow> rows, const HeadLayout& layout,
                           Matrix out) const override {
    reference::attention_cached(q, rows, layout, out);
  }
  void do_rope(Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq,
               int64_t head_dim, float scale) const override {
    reference::rope(x, positions, inv_freq, head_dim, scale);
  }
  void do_scatter_rows(ConstMatrix x, std::span<void* const> to, DType dtype) const override {
    reference::scatter_rows(x, to, dtype);
  }
  void do_gather_rows(const WeightView& table, std::span<const int32_t> ids, Matrix out) const override {
    reference::gather_rows(table, ids, out);
  }
  void do_resample(const ConstPicture& in, std::span<const ResamplePass> passes,
                   const Picture& out) const override {
    reference::resample(in, passes, out);
  }
  void do_look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables,
                  float* out) const override {
    reference::look_up(bytes, plane, tables, out);
  }
};

}  // namespace

SharedDevice reference_device() { return std::make_shared<const ReferenceDevice>(); }

}  // namespace galago::kernels
