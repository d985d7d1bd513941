// The processor's class decides whether there are videos; where no file names it, the model's type does.
#include "models/smolvlm_video.h"

#include <string>

#include "formats/config/config.h"
#include "formats/json.h"
#include "galago/error.h"
#include "nn/connector/connector.h"
#include "text/prompt/video_prompt.h"

namespace galago {
namespace {

constexpr const char* kVideoToken = "<video>";
// The reference takes this template for every prompt with a video, whatever the directory's own is.
constexpr const char* kTemplate =
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% elif line['type'] == 'video' %}{{ '<video>' }}{% "
    "endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";

class SmolvlmVideo final : public VideoFrontend {
 public:
  SmolvlmVideo(VideoConfig config, ImageTokens tokens, int64_t rows_per_tile, const kernels::Device& device)
      : device_(device),
        config_(config),
        tokens_(std::move(tokens)),
        rows_per_tile_(rows_per_tile),
        template_(ChatTemplate::from_source(kTemplate, "the template of prompts with videos")) {}

  VideoPlan plan(const VideoFacts& video) const override {
    VideoPlan plan{.facts = video, .frames = sample_frames(video, config_), .seconds = {}, .tokens = 0};
    for (const int64_t frame : plan.frames) plan.seconds.push_back(static_cast<double>(frame) / video.fps);
    plan.tokens = static_cast<int64_t>(plan.frames.size()) * rows_per_tile_;
    return plan;
  }
  Tiles tile(const RgbImage& frame) const override { return make_frame_tile(frame, config_, device_); }
  PixelBatch pixels(const Tiles& tile) const override {
    return {.pixels = normalise_frame(tile, config_, device_), .patch_mask = {}};
  }
  const ChatTemplate& chat_template() const override { return template_; }
  Segments expand(const Segments& rendered, std::span<const VideoPlan> videos,
                  bool parse_special) const override {
    std::vector<VideoTimes> times;
    for (const VideoPlan& video : videos)
      times.push_back({.seconds = video.seconds, .duration = video.facts.duration});
    return expand_video_prompt(rendered, times, kVideoToken, rows_per_tile_, tokens_, parse_special);
  }

 private:
  const kernels::Device& device_;
  VideoConfig config_;
  ImageTokens tokens_;
  int64_t rows_per_tile_;
  ChatTemplate template_;
};

}  // namespace

std::unique_ptr<const VideoFrontend> make_smolvlm_video(const ModelFiles& files, const Idefics3Config& model,
                                                        const ImageTokens& tokens,
                                                        const kernels::Device& device) {
  const std::string processor = read_processor_class(files);
  if (processor.empty() ? model.model_type != "smolvlm" : processor != "SmolVLMProcessor") return nullptr;
  const VideoConfig config = read_video_config(files);
  const int64_t side = config.max_image_size_longest_edge;
  const int64_t patches = model.vision.patches_per_side();
  if (side / model.vision.patch_size != patches)
    throw Error(ErrorCode::model_invalid,
                {.where = "settings of videos: max_image_size.longest_edge",
                 .got = std::to_string(side),
                 .expected = std::to_string(model.vision.image_size) + ", the tower's image_size"});
  return std::make_unique<SmolvlmVideo>(config, tokens, rows_for(patches, model.scale_factor), device);
}

}  // namespace galago
