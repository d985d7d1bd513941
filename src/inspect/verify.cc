// The table of bounds, the comparison, and reading of goldens.
#include "inspect/verify.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/limits.h"
#include "formats/json.h"
#include "formats/safetensors/safetensors.h"
#include "galago/error.h"
#include "io/files.h"

namespace galago {
namespace {

int64_t integer(const TensorView& view, int64_t i) {
  if (view.dtype == DType::u8) return static_cast<int64_t>(std::to_integer<uint8_t>(view.data[i]));
  int64_t value;
  std::memcpy(&value, view.data + i * 8, sizeof value);
  return value;
}

// Counts differing elements and names the first.
void compare_integers(const TensorView& ours, const TensorView& reference, StationResult& result) {
  for (int64_t i = 0; i < reference.count(); ++i) {
    const int64_t a = integer(ours, i);
    const int64_t b = integer(reference, i);
    if (a == b) continue;
    if (result.max_abs == 0)
      result.mismatch =
          "element " + std::to_string(i) + ": got " + std::to_string(a) + ", expected " + std::to_string(b);
    result.max_abs += 1;
  }
  result.holds = result.max_abs == 0;
}

void compare_floats(const TensorView& ours, const TensorView& reference, StationResult& result) {
  double largest = 0;
  for (int64_t i = 0; i < reference.count(); ++i) {
    const double a = element(ours, i);
    const double b = element(reference, i);
    const double difference = std::abs(a - b);
    if (!std::isfinite(difference)) result.mismatch = "element " + std::to_string(i) + " is not finite";
    result.max_abs = std::max(result.max_abs, difference);
    largest = std::max(largest, std::abs(b));
  }
  result.max_rel = largest > 0 ? result.max_abs / largest : result.max_abs;
  const double measured = result.measure == Measure::relative ? result.max_rel : result.max_abs;
  result.holds = result.mismatch.empty() && measured <= result.limit;
}

StationResult compare_station(const Bound& bound, const TraceTensor* ours, const TraceTensor& reference) {
  StationResult result{.station = bound.station, .measure = bound.measure, .limit = bound.limit};
  result.shape = reference.shape;
  if (!ours) {
    result.mismatch = "missing in our run";
    return result;
  }
  if (ours->shape != reference.shape || ours->dtype != reference.dtype) {
    result.mismatch = std::string("got ") + to_string(ours->dtype) + " " + to_string(ours->shape) +
                      ", expected " + to_string(reference.dtype) + " " + to_string(reference.shape);
    return result;
  }
  if (bound.measure == Measure::exact)
    compare_integers(ours->view(), reference.view(), result);
  else
    compare_floats(ours->view(), reference.view(), result);
  return result;
}

Trace read_trace(const std::filesystem::path& file) {
  const Checkpoint checkpoint = Checkpoint::open_file(file);
  Trace trace;
  for (const auto& [name, view] : checkpoint.tensors()) {
    const bool known = view.dtype == DType::f32 || view.dtype == DType::i64 || view.dtype == DType::u8;
    if (!known)
      throw Error(
          ErrorCode::input_invalid,
          {.where = file.string() + ": " + name, .got = to_string(view.dtype), .expected = "F32, I64 or U8"});
    const int64_t bytes = view.count() * size_of(view.dtype);
    trace.push_back(
        {.name = name, .dtype = view.dtype, .shape = view.shape, .bytes = {view.data, view.data + bytes}});
  }
  return trace;
}

GivenPixels given_pixels(const Trace& reference, const std::string& where) {
  const TraceTensor* pixels = find(reference, "pixel_values");
  const bool tiles =
      pixels && pixels->dtype == DType::f32 && pixels->shape.size() == 4 && pixels->view().count() > 0;
  if (!tiles || pixels->shape[1] != 3)
    throw Error(ErrorCode::input_invalid,
                {.where = where + ": pixel_values", .expected = "F32 [N, 3, H, W]"});
  GivenPixels given{.pixels = Tensor(pixels->shape), .attention_mask = {}};
  to_floats(pixels->view(), given.pixels.data());
  const Shape mask_shape{pixels->shape[0], pixels->shape[2], pixels->shape[3]};
  if (const TraceTensor* mask = find(reference, "pixel_attention_mask")) {
    if (mask->dtype != DType::u8 || mask->shape != mask_shape)
      throw Error(ErrorCode::input_invalid, {.where = where + ": pixel_attention_mask",
                                             .got = to_string(mask->shape),
                                             .expected = "U8 " + to_string(mask_shape)});
    for (const std::byte b : mask->bytes) given.attention_mask.push_back(std::to_integer<uint8_t>(b));
  }
  return given;
}

// golden.json as a request; the pictures lie beside it.
TraceRequest read_request(const std::filesystem::path& golden, const Trace& reference) {
  const std::string where = (golden / "golden.json").string();
  const Json document = parse_json(read_text_file(golden / "golden.json", limits::kConfigBytes), where);
  const JsonField root(document, where);
  TraceRequest request;
  request.text.prompt = root.at("prompt").string();
  if (const auto system = root.find("system")) request.text.system = system->string();
  if (const auto raw = root.find("raw")) request.text.raw = raw->boolean();
  const JsonField images = root.at("images");
  for (size_t i = 0; i < images.size(); ++i)
    request.images.push_back(load_image(golden / images.at(i).string()));
  if (const auto videos = root.find("videos"))
    for (size_t i = 0; i < videos->size(); ++i) {
      const JsonField video = videos->at(i);
      const auto fps = video.find("fps");
      request.videos.push_back(
          open_video(golden / video.at("path").string(),
                     fps ? std::optional(fps->number(0, limits::kVideoFps)) : std::nullopt));
    }
  if (const auto options = root.find("options"))
    if (const auto split = options->find("do_image_splitting")) request.split = split->boolean();
  if (const auto given = root.find("pixels"))
    if (given->string() == "given") request.given = given_pixels(reference, where);
  request.max_new_tokens = root.at("max_new_tokens").integer(1, limits::kConfigPositions);
  return request;
}

struct GoldenContent {
  Trace reference;
  TraceRequest request;
};

// The readers are made for model directories; a golden is input, and its faults are input_invalid.

template <class Read>
auto as_input(const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::model_invalid) throw;
    throw Error(
        ErrorCode::input_invalid,
        {.where = error.where(), .got = error.got(), .expected = error.expected(), .hint = error.hint()});
  }
}

GoldenContent read_golden(const std::filesystem::path& golden) {
  return as_input([&] {
    GoldenContent content;
    content.reference = read_trace(golden / "trace.safetensors");
    for (const char* station : {"input_ids", "logits", "generated_ids"})
      if (!find(content.reference, station))
        throw Error(ErrorCode::input_invalid, {.where = (golden / "trace.safetensors").string(),
                                               .got = std::string("no tensor ") + station,
                                               .expected = "at least input_ids, logits and generated_ids"});
    content.request = read_request(golden, content.reference);
    return content;
  });
}

}  // namespace

const std::vector<Bound>& bounds() {
  static const std::vector<Bound> table = {{"pixel_values_u8", Measure::exact, 0},
                                           {"pixel_values", Measure::absolute, 1e-6},
                                           {"pixel_attention_mask", Measure::exact, 0},
                                           {"vision_position_ids", Measure::exact, 0},
                                           {"vision_last_hidden_state", Measure::relative, 1e-4},
                                           {"connector_output", Measure::relative, 1e-4},
                                           {"image_rows", Measure::relative, 1e-4},
                                           {"input_ids", Measure::exact, 0},
                                           {"inputs_embeds", Measure::relative, 1e-4},
                                           {"logits", Measure::absolute, 1e-3},
                                           {"generated_ids", Measure::exact, 0}};
  return table;
}

std::vector<StationResult> compare(const Trace& ours, const Trace& reference, bool pixels_given) {
  std::vector<StationResult> results;
  for (const Bound& bound : bounds()) {
    const TraceTensor* expected = find(reference, bound.station);
    if (!expected) continue;
    if (pixels_given && std::string(bound.station).starts_with("pixel_")) {
      results.push_back({.station = bound.station, .shape = expected->shape, .given = true, .holds = true});
      continue;
    }
    results.push_back(compare_station(bound, find(ours, bound.station), *expected));
  }
  return results;
}

int golden_pillow(const std::filesystem::path& golden) {
  return as_input([&] {
    const std::string where = (golden / "golden.json").string();
    const Json document = parse_json(read_text_file(golden / "golden.json", limits::kConfigBytes), where);
    const auto pillow = JsonField(document, where).find("pillow");
    if (!pillow) return 12;
    const std::string version = pillow->string();
    const std::string_view major = std::string_view(version).substr(0, version.find('.'));
    if (major != "12" && major != "13") pillow->fail("a version of Pillow 12 or 13");
    return major == "12" ? 12 : 13;
  });
}

std::vector<StationResult> verify(const Frontend& frontend, const Engine& engine,
                                  const std::filesystem::path& golden, const TileProgress& progress) {
  GoldenContent content = read_golden(golden);
  content.request.progress = progress;
  return compare(run_trace(frontend, engine, content.request), content.reference,
                 content.request.given.has_value());
}

}  // namespace galago
