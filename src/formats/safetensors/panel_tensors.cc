// Everything that the metadata says is compared with the tensor before anybody relies on it.
#include "formats/safetensors/panel_tensors.h"

#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "formats/safetensors/safetensors.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr const char* kLayout = "galago.layout";
constexpr std::string_view kVersion = "panels 1";
constexpr std::string_view kPanels = "galago.panels.";

std::string key_of(const std::string& name) { return std::string(kPanels) + name; }

/// What follows `text`'s next space; `text` becomes what stands before it.
std::string_view cut_word(std::string_view& text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return {};
  const std::string_view rest = text.substr(space + 1);
  text = text.substr(0, space);
  return rest;
}

/// A number from 1 to `most` and nothing else; 0 for other texts.
int64_t size_in(std::string_view text, int64_t most) {
  int64_t size = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), size);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return whole && size <= most && text.front() != '-' ? size : 0;
}

/// "q8 49280 576"; rows is 0 for other texts.
WeightView sizes_in(std::string_view text) {
  std::string_view rows = cut_word(text), cols = cut_word(rows);
  const auto format = weight_format(text);
  WeightView matrix(format.value_or(WeightFormat::f32), size_in(rows, limits::kConfigVocabulary),
                    size_in(cols, limits::kConfigWidth), WeightLayout::panels);
  if (!is_quantised(matrix.format) || matrix.cols == 0 || matrix.cols % kWeightGroup != 0) matrix.rows = 0;
  return matrix;
}

}  // namespace

TensorView panel_tensor(const WeightView& matrix) {
  const int64_t lines = panel_bytes(matrix.format, matrix.cols) / kPanelLine;
  return {DType::u8, {(matrix.rows + kPanelRows - 1) / kPanelRows, lines, kPanelLine}, nullptr};
}

void note_panels(const std::string& name, const WeightView& matrix,
                 std::map<std::string, std::string>& metadata) {
  metadata[kLayout] = kVersion;
  metadata[key_of(name)] =
      to_string(matrix.format) + (" " + std::to_string(matrix.rows)) + " " + std::to_string(matrix.cols);
}

bool is_panels(const std::string& name, const std::map<std::string, std::string>& metadata) {
  return metadata.contains(key_of(name));
}

std::map<std::string, WeightView> read_panels(const TensorFile& file, const std::string& where) {
  const auto layout = file.metadata.find(kLayout);
  const bool known = layout != file.metadata.end() && layout->second == kVersion;
  if (layout != file.metadata.end() && !known)
    throw Error(
        ErrorCode::model_unsupported,
        {.where = where + ": __metadata__." + kLayout,
         .got = in_quotes(layout->second),
         .expected = in_quotes(kVersion),
         .hint = "another version of galago wrote this file: use that one, or run galago quantize again"});
  std::map<std::string, WeightView> matrices;
  for (auto entry = file.metadata.lower_bound(std::string(kPanels));
       entry != file.metadata.end() && entry->first.starts_with(kPanels); ++entry) {
    const std::string name = entry->first.substr(kPanels.size());
    const auto fail = [&](std::string got, std::string expected) {
      throw Error(ErrorCode::model_invalid, {.where = where + ": __metadata__." + printable(entry->first),
                                             .got = std::move(got),
                                             .expected = std::move(expected)});
    };
    if (!known) fail("no " + std::string(kLayout), in_quotes(kVersion) + " under that name");
    const WeightView matrix = sizes_in(entry->second);
    if (matrix.rows == 0) fail(in_quotes(entry->second), "q8 or q4, rows, and columns in groups of 32");
    const auto tensor = file.tensors.find(name);
    if (tensor == file.tensors.end()) fail("no tensor of that name", "the tensor that this describes");
    const TensorView &got = tensor->second, expected = panel_tensor(matrix);
    if (got.dtype != expected.dtype || got.shape != expected.shape)
      fail(
          std::string(to_string(got.dtype)) + " " + to_string(got.shape) + " for " + in_quotes(entry->second),
          std::string(to_string(expected.dtype)) + " " + to_string(expected.shape));
    matrices.emplace(name, matrix);
  }
  return matrices;
}

}  // namespace galago
