// Names decide formats; a converter in the checkpoint does the rest.
#include "models/weight_formats.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "galago/error.h"
#include "models/tuning.h"

namespace galago {
namespace {

/// Layers of a text decoder. Towers call theirs encoder.layers.
bool is_decoder_layer(const std::string& name) {
  return name.find("layers.") != std::string::npos && name.find("encoder.layers.") == std::string::npos;
}

/// Matrices that do not stay in the file, by name (a tied one is asked for twice): those that are converted,
/// and those that go into panels.
class OwnedWeights {
 public:
  OwnedWeights(WeightDtype dtype, bool mmap, kernels::SharedDevice device)
      : dtype_(dtype), mmap_(mmap), device_(std::move(device)) {}

  WeightView get(const std::string& name, const WeightView& stored) {
    const WeightFormat format = chosen_format(dtype_, name, stored).value_or(stored.format);
    const bool same = format == stored.format;
    const bool panels = (same && stored.in_panels()) || goes_into_panels(name, format);
    if (same && panels == stored.in_panels() && mmap_) return stored;
    const auto [place, added] = weights_.try_emplace(name);
    if (added)
      place->second = panels ? pack_weights(stored, format, memory_, *device_)
                             : convert_weights(stored, format, memory_, *device_);
    return place->second;
  }

 private:
  WeightDtype dtype_;
  bool mmap_;
  kernels::SharedDevice device_;
  WeightMemory memory_;
  std::map<std::string, WeightView> weights_;
};

class FilesWithCheckpoint final : public ModelFiles {
 public:
  FilesWithCheckpoint(std::shared_ptr<const ModelFiles> files, std::function<void(Checkpoint&)> change,
                      std::vector<std::string> notes)
      : files_(std::move(files)), change_(std::move(change)), notes_(files_->notes()) {
    notes_.insert(notes_.end(), notes.begin(), notes.end());
  }

  const std::filesystem::path& path() const override { return files_->path(); }
  std::optional<std::string> find(const std::string& name, int64_t limit) const override {
    return files_->find(name, limit);
  }
  std::string where(const std::string& name) const override { return files_->where(name); }
  Checkpoint checkpoint() const override {
    Checkpoint checkpoint = files_->checkpoint();
    change_(checkpoint);
    return checkpoint;
  }
  std::string why_no_pictures() const override { return files_->why_no_pictures(); }
  std::optional<NamedText> given_template() const override { return files_->given_template(); }
  std::vector<std::string> notes() const override { return notes_; }

 private:
  std::shared_ptr<const ModelFiles> files_;
  std::function<void(Checkpoint&)> change_;
  std::vector<std::string> notes_;
};

}  // namespace

std::optional<WeightFormat> chosen_format(WeightDtype dtype, const std::string& name,
                                          const WeightView& stored) {
  const bool whole_groups = stored.cols % kWeightGroup == 0;
  switch (dtype) {
    case WeightDtype::as_stored:
      return std::nullopt;
    case WeightDtype::f32:  // floats are widened when they are read, which loses nothing
      return is_quantised(stored.format) ? std::optional(WeightFormat::f32) : std::nullopt;
    case WeightDtype::bf16:  // float16 has as many bytes and more bits of precision
      return stored.format == WeightFormat::f32 ? std::optional(WeightFormat::bf16) : std::nullopt;
    case WeightDtype::q8:
      return whole_groups && !is_quantised(stored.format) ? std::optional(WeightFormat::q8) : std::nullopt;
    case WeightDtype::q4: {
      const WeightFormat wanted = is_decoder_layer(name) ? WeightFormat::q4 : WeightFormat::q8;
      const bool smaller =
          !is_quantised(stored.format) || (stored.format == WeightFormat::q8 && wanted == WeightFormat::q4);
      return whole_groups && smaller ? std::optional(wanted) : std::nullopt;
    }
  }
  return std::nullopt;
}

bool goes_into_panels(const std::string& name, WeightFormat format) {
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  return is_quantised(format) && (is_decoder_layer(name) || has("embed_tokens.") || has("lm_head."));
}

std::byte* WeightMemory::take(int64_t bytes) {
  constexpr int64_t kBlock = int64_t{16} << 20, kAlign = 64, kFloat = sizeof(float);
  if (blocks_.empty() || blocks_.back().size() * kFloat - taken_ < bytes) {
    blocks_.emplace_back(Shape{(std::max(bytes, kBlock) + kFloat - 1) / kFloat});
    taken_ = 0;
  }
  std::byte* const place = reinterpret_cast<std::byte*>(blocks_.back().data()) + taken_;
  taken_ += (bytes + kAlign - 1) / kAlign * kAlign;
  return place;
}

WeightView convert_weights(const WeightView& from, WeightFormat format, WeightMemory& memory,
                           const kernels::Device& device) {
  const int64_t values = from.rows * value_bytes(format, from.cols);
  const int64_t plane = is_quantised(format) ? 2 * from.rows * from.groups() : 0;
  WeightView view(format, from.rows, from.cols);
  kernels::WeightPlanes to{.values = memory.take(view.bytes())};
  if (is_quantised(format)) to.scales = to.values + values;
  if (format == WeightFormat::q4) to.minimums = to.scales + plane;
  device.convert_weights(from, format, to);
  view.values = to.values;
  view.scales = to.scales;
  view.minimums = to.minimums;
  return view;
}

WeightView pack_weights(const WeightView& from, WeightFormat format, WeightMemory& memory,
                        const kernels::Device& device) {
  WeightView view(format, from.rows, from.cols, WeightLayout::panels);
  std::byte* const to = memory.take(view.bytes());
  device.pack_weights(from, format, to);
  view.values = to;
  return view;
}

std::shared_ptr<const ModelFiles> with_change(std::shared_ptr<const ModelFiles> files,
                                              std::function<void(Checkpoint&)> change,
                                              std::vector<std::string> notes) {
  return std::make_shared<FilesWithCheckpoint>(std::move(files), std::move(change), std::move(notes));
}

std::shared_ptr<const ModelFiles> with_converter(std::shared_ptr<const ModelFiles> files,
                                                 std::function<Checkpoint::WeightConverter()> make) {
  return with_change(std::move(files),
                     [make = std::move(make)](Checkpoint& checkpoint) { checkpoint.set_converter(make()); });
}

std::shared_ptr<const ModelFiles> with_numbers(std::shared_ptr<const ModelFiles> files,
                                               const NumberOptions& numbers, kernels::SharedDevice device) {
  const ComputeDtype compute = resolved(numbers.compute, *device);
  files = with_converter(
      std::move(files), [dtype = numbers.dtype, mmap = numbers.mmap, device = std::move(device)] {
        return [weights = std::make_shared<OwnedWeights>(dtype, mmap, device)](
                   const std::string& name, const WeightView& stored) { return weights->get(name, stored); };
      });
  if (compute == ComputeDtype::f32) return files;
  const Arithmetic arithmetic = compute == ComputeDtype::int8 ? Arithmetic::int8 : Arithmetic::bf16;
  return with_change(std::move(files),
                     [arithmetic](Checkpoint& checkpoint) { checkpoint.set_arithmetic(arithmetic); });
}

}  // namespace galago
