// The settings of a video processor. In: a model's files. Out: VideoConfig. Defaults and the order of files
// are those of transformers 5.18 SmolVLMVideoProcessor and BaseVideoProcessor.get_video_processor_dict.
#include <algorithm>
#include <array>

#include "core/limits.h"
#include "formats/config/config.h"
#include "formats/config/config_fields.h"
#include "formats/json.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr const char* kProcessor = "processor_config.json";
constexpr const char* kVideo = "video_preprocessor_config.json";
constexpr const char* kImage = "preprocessor_config.json";

std::optional<double> rate(const JsonField& object) {
  const auto field = object.find("fps");
  return field ? std::optional(field->number(0, limits::kVideoFps)) : std::nullopt;
}

std::optional<int64_t> frame_count(const JsonField& object, const std::string& key) {
  const auto field = object.find(key);
  return field ? std::optional(field->integer(1, limits::kSampledFrames)) : std::nullopt;
}

// video_sampling is what the checkpoints on the hub have; it wins over num_frames and fps, and a size beside
// it over its own.
void read_sampling(const JsonField& object, VideoConfig& config) {
  config.num_frames = frame_count(object, "num_frames");
  config.fps = rate(object);
  config.size_longest_edge = read_longest_edge(object, "size", 4 * 364);
  if (const auto sampling = object.find("video_sampling")) {
    sampling->expect_object();
    config.num_frames = sampling->at("max_frames").integer(1, limits::kSampledFrames);
    config.fps = sampling->at("fps").number(0, limits::kVideoFps);
    if (!object.has("size")) config.size_longest_edge = read_longest_edge(*sampling, "video_size", 4 * 364);
  }
  if (config.num_frames.has_value() != config.fps.has_value())
    object.fail("both num_frames and fps, or neither");
}

VideoConfig read_settings(const JsonField& object) {
  object.expect_object();
  VideoConfig config;
  config.do_resize = boolean_or(object, "do_resize", true);
  if (!config.do_resize) object.at("do_resize").unsupported("true for videos");
  config.resample = read_resample(object, Resample::lanczos);
  constexpr std::array in_torch = {Resample::lanczos, Resample::bilinear, Resample::bicubic};
  if (std::find(in_torch.begin(), in_torch.end(), config.resample) == in_torch.end())
    object.at("resample").unsupported("1 (lanczos), 2 (bilinear) or 3 (bicubic) for videos");
  config.max_image_size_longest_edge = read_longest_edge(object, "max_image_size", 364);
  read_pixel_scaling(object, config);
  read_sampling(object, config);
  return config;
}

}  // namespace

VideoConfig read_video_config(const ModelFiles& files) {
  if (const auto text = files.find(kProcessor, limits::kConfigBytes)) {
    const std::string where = files.where(kProcessor);
    const Json document = parse_json(*text, where);
    if (const auto nested = JsonField(document, where).find("video_processor")) return read_settings(*nested);
  }
  for (const char* name : {kVideo, kImage}) {
    const auto text = files.find(name, limits::kConfigBytes);
    if (!text) continue;
    const std::string where = files.where(name);
    const Json document = parse_json(*text, where);
    return read_settings(JsonField(document, where));
  }
  throw Error(ErrorCode::not_found, {.where = files.path().string(),
                                     .got = "no settings for videos",
                                     .expected = std::string(kVideo) + " or " + kImage});
}

std::string read_processor_class(const ModelFiles& files) {
  for (const char* name : {kProcessor, kImage, "tokenizer_config.json"}) {
    const auto text = files.find(name, limits::kConfigBytes);
    if (!text) continue;
    const std::string where = files.where(name);
    const Json document = parse_json(*text, where);
    if (const auto field = JsonField(document, where).find("processor_class")) return field->string();
  }
  return {};
}

}  // namespace galago
