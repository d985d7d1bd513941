// Small checkpoints of tests/data/models, whole or damaged on purpose, and the goldens that belong to them.
#pragma once

#include <memory>
#include <optional>

#include "formats/json.h"
#include "models/registry.h"
#include "runtime/pipeline.h"
#include "support/devices.h"
#include "support/fixtures.h"

namespace galago::test {

/// Options that leave everything open but the device.
inline ModelOptions on(const kernels::SharedDevice& device) {
  ModelOptions options;
  options.device = device;
  return options;
}

/// A model with the maps that its engine reads.
struct Loaded {
  explicit Loaded(const std::filesystem::path& directory,
                  const kernels::SharedDevice& device = shared_device())
      : frontend(load_frontend(directory, on(device))),
        checkpoint(Checkpoint::open_directory(directory)),
        engine(frontend->load_engine(checkpoint)) {}
  explicit Loaded(const char* name, const kernels::SharedDevice& device = shared_device())
      : Loaded(std::filesystem::path(data_path("models/") + name), device) {}

  std::unique_ptr<const Frontend> frontend;
  Checkpoint checkpoint;
  std::unique_ptr<const Engine> engine;
};

/// A copy of a small model that a test may damage.
class ModelCopy {
 public:
  explicit ModelCopy(const std::string& name = "smolvlm_tiles") {
    directory_.add_copy_of(data_path("models/" + name));
  }

  const std::filesystem::path& path() const { return directory_.path(); }
  /// Replaces the first `old` in one of its text files.
  void edit(const std::string& name, const std::string& old, const std::string& now) const {
    directory_.add(name, replaced(read_bytes(directory_.file(name)), old, now));
  }
  void write(const std::string& name, std::string_view content) const { directory_.add(name, content); }
  void remove(const std::string& name) const { std::filesystem::remove(path() / name); }

  /// Rewrites model.safetensors after `change` had its way with the list of tensors.
  void change_weights(const std::function<void(std::vector<NamedTensor>&)>& change) const {
    const Checkpoint checkpoint = Checkpoint::open_directory(path());
    std::vector<NamedTensor> tensors;
    for (const auto& [name, view] : checkpoint.tensors()) tensors.push_back({name, view});
    change(tensors);
    write_safetensors(path() / "changed.safetensors", tensors);
    std::filesystem::rename(path() / "changed.safetensors", path() / "model.safetensors");
  }

 private:
  TempDir directory_;
};

/// golden.json and trace.safetensors of one golden.
struct Golden {
  explicit Golden(const std::string& name)
      : directory(data_path("goldens/" + name)),
        facts(parse_json(read_bytes(directory + "/golden.json"), name)),
        trace(Checkpoint::open_file(directory + "/trace.safetensors")) {}

  std::vector<int32_t> ids(const std::string& tensor) const {
    const TensorView& view = *trace.find(tensor);
    std::vector<int32_t> out;
    for (int64_t i = 0; i < view.count(); ++i) {
      int64_t value;
      std::memcpy(&value, view.data + i * 8, sizeof value);
      out.push_back(static_cast<int32_t>(value));
    }
    return out;
  }
  Tensor floats(const std::string& tensor) const {
    const TensorView& view = *trace.find(tensor);
    Tensor out(view.shape);
    to_floats(view, out.data());
    return out;
  }
  std::vector<std::string> images() const {
    std::vector<std::string> files;
    for (const Json& image : facts["images"]) files.push_back(directory + "/" + image.get<std::string>());
    return files;
  }
  std::vector<ImageSize> sizes() const {
    std::vector<ImageSize> sizes;
    for (const std::string& file : images()) {
      const std::string bytes = read_bytes(file);
      sizes.push_back(read_image_size(std::as_bytes(std::span(bytes)), file));
    }
    return sizes;
  }
  PromptText text() const {
    PromptText text{.prompt = facts["prompt"].get<std::string>()};
    if (facts["system"].is_string()) text.system = facts["system"].get<std::string>();
    text.raw = facts.value("raw", false);
    return text;
  }
  std::optional<bool> split() const {
    const Json& options = facts["options"];
    if (!options.contains("do_image_splitting")) return std::nullopt;
    return options["do_image_splitting"].get<bool>();
  }
  std::string model() const { return facts["model"].get<std::string>(); }

  std::string directory;
  Json facts;
  Checkpoint trace;
};

}  // namespace galago::test
