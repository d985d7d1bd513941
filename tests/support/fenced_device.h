// A device that is no host: its memory is behind a fence. Addresses that it hands out cannot be read (the
// program dies of SIGSEGV where a station tries), and a kernel that is given an address of the host's where
// rows of its own belong throws. The kernels are the scalar twins, so that results are those of the reference
// device, bit for bit.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/reference/reference.h"

namespace galago::test {

/// Two ranges of equal size: what is handed out lies in one that nobody may touch, the bytes in the other.
class FencedMemory final : public Memory {
 public:
  FencedMemory() : fence_(reserve(PROT_NONE)), bytes_(reserve(PROT_READ | PROT_WRITE)) {}
  ~FencedMemory() override {
    munmap(fence_, kRange);
    munmap(bytes_, kRange);
  }

  std::byte* take(int64_t bytes) const override {
    const std::lock_guard lock(mutex_);
    const int64_t size = padded(bytes);
    const auto gap = std::ranges::find_if(gaps_, [&](const auto& one) { return one.second >= size; });
    if (gap == gaps_.end()) return nullptr;
    const auto [begin, room] = *gap;
    gaps_.erase(gap);
    if (room > size) gaps_[begin + size] = room - size;
    used_ += size;
    most_ = std::max(most_, used_);
    return fence_ + begin;
  }
  void give_back(std::byte* data, int64_t bytes) const noexcept override {
    const std::lock_guard lock(mutex_);
    const int64_t begin = data - fence_, size = padded(bytes);
    madvise(bytes_ + begin, static_cast<size_t>(size), MADV_DONTNEED);
    used_ -= size;
    auto here = gaps_.emplace(begin, size).first;
    if (const auto next = std::next(here); next != gaps_.end() && begin + size == next->first) {
      here->second += next->second;
      gaps_.erase(next);
    }
    if (here != gaps_.begin())
      if (const auto before = std::prev(here); before->first + before->second == begin) {
        before->second += here->second;
        gaps_.erase(here);
      }
  }
  bool is_host() const override { return false; }
  void copy_in(const void* host, std::byte* to, int64_t bytes) const override {
    std::copy_n(static_cast<const std::byte*>(host), bytes, behind(to));
  }
  void copy_out(const std::byte* from, void* host, int64_t bytes) const override {
    std::copy_n(behind(from), bytes, static_cast<std::byte*>(host));
  }
  void copy(const std::byte* from, std::byte* to, int64_t bytes) const override {
    std::copy_n(behind(from), bytes, behind(to));
  }

  /// Where the bytes of a handed-out address lie; null stays null. Throws for an address of the host's.
  template <class T>
  T* behind(T* address) const {
    if (!address) return nullptr;
    const auto offset = reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(fence_);
    if (offset > kRange) throw std::logic_error("an address of the host's in the place of the device's");
    return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(bytes_) + offset);
  }
  int64_t used() const { return used_; }
  int64_t most() const { return most_; }

 private:
  static constexpr size_t kRange = size_t{16} << 30;

  static std::byte* reserve(int protection) {
    void* const range = mmap(nullptr, kRange, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) throw std::bad_alloc();
    return static_cast<std::byte*>(range);
  }
  // Whole pages: what is given back goes back to the system, and holds zeros when it is taken again.
  static int64_t padded(int64_t bytes) { return (std::max<int64_t>(bytes, 1) + 4095) / 4096 * 4096; }

  std::byte* const fence_;
  std::byte* const bytes_;
  mutable std::mutex mutex_;
  mutable std::map<int64_t, int64_t> gaps_ = {{0, static_cast<int64_t>(kRange)}};  // begin, size
  mutable int64_t used_ = 0;
  mutable int64_t most_ = 0;
};

class FencedDevice final : public kernels::Device {
 public:
  FencedDevice() : Device(1) {}
  std::string name() const override { return "fenced"; }
  const Memory& memory() const override { return memory_; }
  const FencedMemory& fenced() const { return memory_; }

 private:
  using Product = kernels::Product;
  using Linear = kernels::Linear;

  ConstMatrix in(ConstMatrix m) const { return {memory_.behind(m.data), m.rows, m.cols, m.stride}; }
  Matrix out(Matrix m) const { return {memory_.behind(m.data), m.rows, m.cols, m.stride}; }
  WeightView in(WeightView view) const {
    view.values = memory_.behind(view.values);
    view.scales = memory_.behind(view.scales);
    view.minimums = memory_.behind(view.minimums);
    return view;
  }
  // The layer with addresses that a twin reads.
  Linear in(const Linear& layer) const {
    LinearView view{.weight = in(layer.weight()), .bias = {}, .arithmetic = layer.arithmetic()};
    if (layer.bias())
      view.bias = {DType::f32,
                   {layer.out_features()},
                   reinterpret_cast<const std::byte*>(memory_.behind(layer.bias()))};
    return Linear(view, *twins_);
  }
  // Products with such layers, which `layers` keeps.
  std::vector<Product> in(std::span<const Product> products, std::vector<Linear>& layers) const {
    layers.reserve(layers.size() + products.size());
    std::vector<Product> behind;
    for (const Product& product : products) {
      layers.push_back(in(*product.layer));
      Product own{&layers.back(), out(product.y), product.epilogue};
      own.epilogue.factor = in(own.epilogue.factor);
      own.epilogue.residual = in(own.epilogue.residual);
      behind.push_back(own);
    }
    return behind;
  }

  void do_copy(ConstMatrix x, Matrix y) const override { kernels::reference::copy(in(x), out(y)); }
  void do_scale(ConstMatrix x, float factor, Matrix y) const override {
    kernels::reference::scale(in(x), factor, out(y));
  }
  void do_add(ConstMatrix x, Matrix y) const override { kernels::reference::add(in(x), out(y)); }
  void do_unfold_patches(const kernels::TileView& tile, int64_t patch, Matrix rows) const override {
    kernels::reference::unfold_patches(tile, patch, out(rows));
  }
  void do_linear_each(ConstMatrix x, std::span<const Product> products) const override {
    std::vector<Linear> layers;
    kernels::reference::linear_each(in(x), in(products, layers));
  }
  void do_feed_forward(ConstMatrix x, std::span<const Product> first, const Product& second) const override {
    std::vector<Linear> layers, last;
    const std::vector<Product> then = in({&second, 1}, last);
    kernels::reference::feed_forward(in(x), in(first, layers), then.front());
  }
  void do_layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps,
                     Matrix y) const override {
    kernels::reference::layer_norm(in(x), memory_.behind(weight), memory_.behind(bias), eps, out(y));
  }
  void do_rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const override {
    kernels::reference::rms_norm(in(x), memory_.behind(weight), eps, out(y));
  }
  void do_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, const kernels::HeadLayout& layout,
                    std::span<const uint8_t> key_mask, Matrix mixed) const override {
    kernels::reference::attention(in(q), in(k), in(v), layout, key_mask, out(mixed));
  }
  void do_attention_cached(ConstMatrix q, std::span<const kernels::CausalRow> rows,
                           const kernels::HeadLayout& layout, Matrix mixed) const override {
    std::vector<std::vector<const std::byte*>> pages;
    std::vector<kernels::CausalRow> behind(rows.begin(), rows.end());
    for (kernels::CausalRow& row : behind) {
      auto& own = pages.emplace_back();
      for (int64_t page = 0; page <= row.last / row.cache.page_positions; ++page)
        own.push_back(memory_.behind(row.cache.pages[page]));
      row.cache.pages = own.data();
    }
    kernels::reference::attention_cached(in(q), behind, layout, out(mixed));
  }
  void do_rope(Matrix x, std::span<const int32_t> positions, std::span<const float> inv_freq,
               int64_t head_dim, float scale) const override {
    kernels::reference::rope(out(x), positions, inv_freq, head_dim, scale);
  }
  void do_scatter_rows(ConstMatrix x, std::span<void* const> to, DType dtype) const override {
    std::vector<void*> behind;
    for (void* const row : to) behind.push_back(memory_.behind(static_cast<std::byte*>(row)));
    kernels::reference::scatter_rows(in(x), behind, dtype);
  }
  void do_gather_rows(const WeightView& table, std::span<const int32_t> ids, Matrix rows) const override {
    kernels::reference::gather_rows(in(table), ids, out(rows));
  }
  void do_resample(const ConstPicture& picture, std::span<const kernels::ResamplePass> passes,
                   const Picture& to) const override {
    kernels::reference::resample(picture, passes, to);
  }
  void do_look_up(std::span<const uint8_t> bytes, int64_t plane, std::span<const float> tables,
                  float* floats) const override {
    kernels::reference::look_up(bytes, plane, tables, floats);
  }

  FencedMemory memory_;
  kernels::SharedDevice twins_ = kernels::reference_device();
};

}  // namespace galago::test
