// Help for tests of several stations: temporary directories, weight files made by hand, caught errors.
// In: shapes and seeds. Out: floats and safetensors files that are the same on every machine.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "formats/safetensors/safetensors.h"
#include "galago/error.h"

namespace galago::test {

inline std::string data_path(const std::string& path) { return std::string(GALAGO_TEST_DATA) + "/" + path; }

/// A fresh directory that goes away with the object.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "galago-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary directory " + name);
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  /// Writes a file and gives its path.
  std::string add(const std::string& name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary).write(content.data(), static_cast<long>(content.size()));
    return file(name);
  }
  /// Copies the files of a directory into this one.
  void add_copy_of(const std::string& directory) const {
    for (const auto& entry : std::filesystem::directory_iterator(directory))
      if (entry.is_regular_file()) std::filesystem::copy_file(entry.path(), path_ / entry.path().filename());
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// `text` with the first `old` replaced; a test failure when it is not there.
inline std::string replaced(std::string text, const std::string& old, const std::string& now) {
  const size_t at = text.find(old);
  if (at == std::string::npos) {
    ADD_FAILURE() << "no " << old;
    return text;
  }
  return text.replace(at, old.size(), now);
}

/// What the action throws; a test failure when it throws nothing. Anything but Error escapes.
inline Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::internal, {});
}

/// Floats in [-spread, spread) around `centre`.
inline Tensor random_tensor(const Shape& shape, unsigned seed, float spread = 1, float centre = 0) {
  Tensor tensor(shape);
  std::mt19937 random(seed);
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.data()[i] = centre + spread * (static_cast<float>(random() >> 8) / 8388608.0F - 1);
  return tensor;
}

inline Tensor tensor_of(const Shape& shape, const std::vector<float>& values) {
  Tensor tensor(shape);
  EXPECT_EQ(tensor.size(), static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), tensor.data());
  return tensor;
}

inline std::vector<float> values(const Tensor& tensor) {
  return {tensor.data(), tensor.data() + tensor.size()};
}

inline double max_difference(ConstMatrix a, ConstMatrix b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.cols, b.cols);
  double largest = 0;
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < a.cols; ++j) {
      const double difference = std::abs(static_cast<double>(a.row(i)[j]) - b.row(i)[j]);
      if (!(difference <= largest)) largest = difference;  // NaN stays
    }
  return largest;
}

/// Collects named tensors and writes them as one safetensors file.
class Weights {
 public:
  Weights& add(const std::string& name, Tensor tensor) {
    tensors_.push_back(std::move(tensor));
    names_.push_back(name);
    return *this;
  }
  /// Random weights; each name has a seed of its own.
  Weights& add_random(const std::string& name, const Shape& shape, float spread = 0.3F, float centre = 0) {
    return add(name, random_tensor(shape, static_cast<unsigned>(names_.size()) * 7919 + 13, spread, centre));
  }
  /// NAME.weight [out, in] and, if asked, NAME.bias [out].
  Weights& add_linear(const std::string& name, int64_t out, int64_t in, bool bias) {
    add_random(name + ".weight", {out, in}, 1.5F / std::sqrt(static_cast<float>(in)));
    return bias ? add_random(name + ".bias", {out}) : *this;
  }
  Weights& add_norm(const std::string& name, int64_t n, bool bias) {
    add_random(name + ".weight", {n}, 0.3F, 1);
    return bias ? add_random(name + ".bias", {n}) : *this;
  }
  /// Multiplies every tensor whose name ends so.
  Weights& scale(std::string_view ending, float factor) {
    for (size_t i = 0; i < names_.size(); ++i)
      for (int64_t j = 0; names_[i].ends_with(ending) && j < tensors_[i].size(); ++j)
        tensors_[i].data()[j] *= factor;
    return *this;
  }
  Checkpoint checkpoint(const TempDir& directory) const {
    std::vector<NamedTensor> named;
    for (size_t i = 0; i < names_.size(); ++i) {
      const auto* bytes = reinterpret_cast<const std::byte*>(tensors_[i].data());
      named.push_back({names_[i], {DType::f32, tensors_[i].shape(), bytes}});
    }
    write_safetensors(directory.path() / "weights.safetensors", named);
    return Checkpoint::open_file(directory.path() / "weights.safetensors");
  }

 private:
  std::vector<std::string> names_;
  std::deque<Tensor> tensors_;
};

}  // namespace galago::test
