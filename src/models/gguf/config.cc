// config.json and its companions out of metadata keys. What the format does not say is left out, and the
// reader's default of transformers counts; where it says the same thing under another name, it is renamed.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/limits.h"
#include "galago/error.h"
#include "models/gguf/parts.h"

namespace galago {
namespace {

constexpr double kMostTheta = 1e15;
constexpr double kMostFactor = 1e6;

struct IntegerKey {
  const char* key;   ///< behind the architecture's prefix
  const char* name;  ///< in config.json
  int64_t most;
};

constexpr IntegerKey kTextIntegers[] = {
    {".embedding_length", "hidden_size", limits::kConfigWidth},
    {".block_count", "num_hidden_layers", limits::kConfigLayers},
    {".feed_forward_length", "intermediate_size", limits::kConfigWidth},
    {".attention.head_count", "num_attention_heads", limits::kConfigWidth},
    {".context_length", "max_position_embeddings", limits::kConfigPositions}};

constexpr IntegerKey kVisionIntegers[] = {
    {".embedding_length", "hidden_size", limits::kConfigWidth},
    {".block_count", "num_hidden_layers", limits::kConfigLayers},
    {".feed_forward_length", "intermediate_size", limits::kConfigWidth},
    {".attention.head_count", "num_attention_heads", limits::kConfigWidth},
    {".image_size", "image_size", limits::kImageSide},
    {".patch_size", "patch_size", limits::kImageSide}};

void refuse_key(const GgufFile& file, const std::string& key, const char* expected) {
  if (const auto field = file.find(key); field && field->integer(0, limits::kConfigWidth) > 0)
    field->unsupported(expected);
}

/// rope_freqs.weight holds what each pair's frequency is divided by. transformers spells that "longrope": a
/// list of divisors, here the same for short and long texts, and no change of the attention's scale.
Json rope_of(const GgufFile& text, const std::string& arch) {
  Json rope = {{"rope_type", "default"}};
  if (const auto theta = text.find(arch + ".rope.freq_base"))
    rope["rope_theta"] = theta->number(1, kMostTheta);
  const auto type = text.find(arch + ".rope.scaling.type");
  const std::string scaling = type ? type->string() : "none";
  if (scaling == "linear") {
    rope["rope_type"] = "linear";
    rope["factor"] = text.at(arch + ".rope.scaling.factor").number(1, kMostFactor);
  } else if (scaling != "none") {
    type->unsupported("none or linear");
  }
  const GgufTensor* divisors = text.tensor("rope_freqs.weight");
  if (divisors == nullptr) return rope;
  if (divisors->type != GgmlType::f32 || divisors->shape.size() != 1 || scaling == "linear")
    throw Error(ErrorCode::model_unsupported,
                {.where = text.path().string() + ": tensor rope_freqs.weight",
                 .got = ggml_block(divisors->type).name + std::string(" ") + to_string(divisors->shape),
                 .expected = "one dimension of F32, and no other scaling"});
  std::vector<float> values(static_cast<size_t>(divisors->shape[0]));
  dequantise(divisors->type, divisors->data, divisors->shape[0], values.data());
  for (const float value : values)
    if (!std::isfinite(value) || value <= 0)
      throw Error(ErrorCode::model_invalid, {.where = text.path().string() + ": tensor rope_freqs.weight",
                                             .got = std::to_string(value),
                                             .expected = "finite numbers above 0"});
  rope["rope_type"] = "longrope";
  rope["short_factor"] = values;
  rope["long_factor"] = values;
  rope["attention_factor"] = 1.0;
  return rope;
}

/// Granite's four factors.
void add_multipliers(const GgufFile& text, const std::string& arch, Json& config) {
  const std::pair<const char*, const char*> keys[] = {{".attention.scale", "attention_multiplier"},
                                                      {".embedding_scale", "embedding_multiplier"},
                                                      {".residual_scale", "residual_multiplier"},
                                                      {".logit_scale", "logits_scaling"}};
  for (const auto& [key, name] : keys)
    if (const auto field = text.find(arch + key)) config[name] = field->number(0, kMostFactor);
}

int64_t vocabulary_size(const GgufFile& text) {
  const GgufTensor* table = text.tensor("token_embd.weight");
  if (table != nullptr && table->shape.size() == 2) return table->shape[0];
  throw Error(ErrorCode::model_invalid, {.where = text.path().string() + ": tensor token_embd.weight",
                                         .got = table ? to_string(table->shape) : "nothing",
                                         .expected = "[vocabulary, width]"});
}

/// A sliding window makes it what transformers calls Mistral: Llama with a window.
void add_window(const GgufFile& text, const std::string& arch, Json& config) {
  const auto window = text.find(arch + ".attention.sliding_window");
  const int64_t rows = window ? window->integer(0, limits::kConfigPositions) : 0;
  if (rows == 0) return;
  if (arch != "llama" || config["attention_bias"] == true || config["mlp_bias"] == true)
    window->unsupported("no window, in this architecture");
  config["model_type"] = "mistral";
  config["sliding_window"] = rows;
}

Json text_config(const GgufFile& text) {
  const std::string arch = gguf_architecture(text);
  if (arch != "llama" && arch != "granite")
    text.at("general.architecture").unsupported("llama or granite, or clip in an mmproj file");
  refuse_key(text, arch + ".expert_count", "0: no experts");
  Json config = {{"model_type", arch}, {"vocab_size", vocabulary_size(text)}, {"hidden_act", "silu"}};
  for (const IntegerKey& key : kTextIntegers) config[key.name] = text.at(arch + key.key).integer(1, key.most);
  const auto kv_heads = text.find(arch + ".attention.head_count_kv");
  config["num_key_value_heads"] =
      kv_heads ? kv_heads->integer(1, limits::kConfigWidth) : config["num_attention_heads"].get<int64_t>();
  const int64_t split = config["hidden_size"].get<int64_t>() / config["num_attention_heads"].get<int64_t>();
  const auto width = text.find(arch + ".attention.key_length");
  config["head_dim"] = width ? width->integer(1, limits::kConfigWidth) : split;
  if (const auto turned = text.find(arch + ".rope.dimension_count");
      turned && turned->integer(0, limits::kConfigWidth) != config["head_dim"].get<int64_t>())
    turned->unsupported("the width of a head, " + std::to_string(config["head_dim"].get<int64_t>()));
  config["rms_norm_eps"] = text.at(arch + ".attention.layer_norm_rms_epsilon").number(0, 1);
  config["rope_parameters"] = rope_of(text, arch);
  config["attention_bias"] = text.tensor("blk.0.attn_q.bias") != nullptr;
  config["mlp_bias"] = text.tensor("blk.0.ffn_up.bias") != nullptr;
  add_multipliers(text, arch, config);
  add_window(text, arch, config);
  return config;
}

bool has_class_token(const GgufFile& vision) { return vision.tensor("v.class_embd") != nullptr; }

/// ggml's "gelu" is the tanh form; a CLIP tower without a flag means x sigmoid(1.702 x). A tower without
/// class token is SigLIP's, whose activation the old converter's flag cannot say.
std::string vision_activation(const GgufFile& vision) {
  const auto flag = [&](const char* key) {
    const auto field = vision.find(key);
    return field && field->boolean();
  };
  if (flag("clip.use_gelu")) return "gelu_pytorch_tanh";
  if (flag("clip.use_silu")) return "silu";
  return has_class_token(vision) ? "quick_gelu" : "gelu_pytorch_tanh";
}

Json vision_config(const GgufFile& vision, const char* model_type) {
  Json config = {{"model_type", model_type}, {"hidden_act", vision_activation(vision)}};
  for (const IntegerKey& key : kVisionIntegers)
    config[key.name] = vision.at(std::string("clip.vision") + key.key).integer(1, key.most);
  config["layer_norm_eps"] = vision.at("clip.vision.attention.layer_norm_epsilon").number(0, 1);
  return config;
}

Json idefics3_config(const GgufPair& pair, Json text, int64_t image_token) {
  return {{"model_type", "idefics3"},
          {"architectures", {"Idefics3ForConditionalGeneration"}},
          {"image_token_id", image_token},
          {"scale_factor",
           pair.vision->at("clip.vision.projector.scale_factor").integer(1, limits::kConfigWidth)},
          {"vision_config", vision_config(*pair.vision, "idefics3_vision")},
          {"text_config", std::move(text)}};
}

/// [[height, width], ...] out of a flat list.
Json pinpoints(const GgufFile& vision) {
  const GgufField field = vision.at("clip.vision.image_grid_pinpoints");
  const auto sides = field.integers(1, limits::kImageSide);
  if (sides.empty() || sides.size() % 2 != 0) field.fail("pairs of height and width");
  Json list = Json::array();
  for (size_t i = 0; i < sides.size(); i += 2) list.push_back({sides[i], sides[i + 1]});
  return list;
}

/// Which hidden states the projector gets. The converter counts them from the embeddings, as transformers
/// does, and leaves out the layers behind the last one it needs: without a list that is the last one in the
/// file.
Json feature_layers(const GgufFile& vision) {
  if (const auto field = vision.find("clip.vision.feature_layer"))
    return field->integers(0, limits::kConfigLayers);
  return Json::array({vision.at("clip.vision.block_count").integer(1, limits::kConfigLayers)});
}

const char* select_strategy(const GgufFile& vision) { return has_class_token(vision) ? "default" : "full"; }

Json llava_next_config(const GgufPair& pair, Json text, int64_t image_token) {
  const GgufFile& vision = *pair.vision;
  const char* tower = has_class_token(vision) ? "clip_vision_model" : "siglip_vision_model";
  return {{"model_type", "llava_next"},
          {"architectures", {"LlavaNextForConditionalGeneration"}},
          {"image_token_index", image_token},
          {"image_grid_pinpoints", pinpoints(vision)},
          {"multimodal_projector_bias", vision.tensor("mm.0.bias") != nullptr},
          {"projector_hidden_act", "gelu"},
          {"vision_feature_layer", feature_layers(vision)},
          {"vision_feature_select_strategy", select_strategy(vision)},
          {"vision_config", vision_config(vision, tower)},
          {"text_config", std::move(text)}};
}

/// Three numbers, one for each colour.
Json colours(const GgufFile& vision, const char* key) {
  const GgufField field = vision.at(key);
  const auto values = field.numbers(-kMostFactor, kMostFactor);
  if (values.size() != 3) field.fail("a list of 3 numbers");
  return values;
}

}  // namespace

std::string gguf_architecture(const GgufFile& file) { return file.at("general.architecture").string(); }

std::string gguf_projector(const GgufFile& vision) {
  for (const char* key : {"clip.projector_type", "clip.vision.projector_type"})
    if (const auto field = vision.find(key)) return field->string();
  // Files from before the key existed are LLaVA's.
  const auto llava = vision.find("clip.has_llava_projector");
  return llava && llava->boolean() ? "mlp" : "";
}

bool is_llava_projector(const std::string& projector) { return projector == "mlp"; }

Json gguf_config(const GgufPair& pair) {
  Json text = text_config(pair.text);
  const bool tied = pair.text.tensor("output.weight") == nullptr;
  Json config;
  if (!pair.vision) {
    config = std::move(text);
    config["architectures"] = {config["model_type"] == "granite"   ? "GraniteForCausalLM"
                               : config["model_type"] == "mistral" ? "MistralForCausalLM"
                                                                   : "LlamaForCausalLM"};
  } else {
    const std::string projector = gguf_projector(*pair.vision);
    const int64_t image = gguf_token_id(pair.text, "<image>").value_or(-1);
    if (projector != "idefics3" && !is_llava_projector(projector))
      throw Error(ErrorCode::model_unsupported,
                  {.where = pair.vision->path().string() + ": clip.projector_type",
                   .got = projector,
                   .expected = "idefics3 or mlp"});
    config = is_llava_projector(projector) ? llava_next_config(pair, std::move(text), image)
                                           : idefics3_config(pair, std::move(text), image);
  }
  config["tie_word_embeddings"] = tied;
  return config;
}

Json gguf_generation_config(const GgufFile& text) {
  // The format keeps one end token where generation_config.json may list several: those names that are an
  // end in every family that has them as control tokens (Llama 3's three, of which Granite has one;
  // Idefics3's; Llama 2's and Mistral's). SmolLM2's "<|im_end|>" is not among them: the base model has the
  // token and does not end with it.
  constexpr const char* kEnds[] = {"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<end_of_utterance>",
                                   "</s>"};
  const auto id = [&](const char* key) {
    const auto field = text.find(std::string("tokenizer.ggml.") + key);
    return field ? std::optional(field->integer(0, limits::kConfigVocabulary)) : std::nullopt;
  };
  Json config = Json::object();
  Json ends = Json::array();
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    const auto end = id(key);
    if (end && std::find(ends.begin(), ends.end(), *end) == ends.end()) ends.push_back(*end);
  }
  for (const char* name : kEnds) {
    const auto end = gguf_token_id(text, name);
    if (end && gguf_is_control(text, *end) && std::find(ends.begin(), ends.end(), *end) == ends.end())
      ends.push_back(*end);
  }
  if (!ends.empty()) config["eos_token_id"] = ends;
  if (const auto bos = id("bos_token_id")) config["bos_token_id"] = *bos;
  if (const auto pad = id("padding_token_id")) config["pad_token_id"] = *pad;
  return config;
}

Json gguf_preprocessor_config(const GgufPair& pair) {
  const GgufFile& vision = *pair.vision;
  const int64_t tile = vision.at("clip.vision.image_size").integer(1, limits::kImageSide);
  Json config = {{"do_convert_rgb", true},
                 {"do_resize", true},
                 {"do_rescale", true},
                 {"rescale_factor", 1.0 / 255},
                 {"do_normalize", true},
                 {"image_mean", colours(vision, "clip.vision.image_mean")},
                 {"image_std", colours(vision, "clip.vision.image_std")},
                 {"do_pad", true}};
  // The files do not name the filter: it is the one that every processor of the family has.
  constexpr int kLanczos = 1;
  constexpr int kBicubic = 3;
  if (is_llava_projector(gguf_projector(vision))) {
    config["image_processor_type"] = "LlavaNextImageProcessor";
    config["resample"] = kBicubic;
    config["size"] = {{"height", tile}, {"width", tile}};
    config["do_center_crop"] = true;
    config["crop_size"] = {{"height", tile}, {"width", tile}};
    config["image_grid_pinpoints"] = pinpoints(vision);
    return config;
  }
  const auto longest = vision.find("clip.vision.preproc_image_size");
  config["image_processor_type"] = "Idefics3ImageProcessor";
  config["resample"] = kLanczos;
  config["size"] = {{"longest_edge", longest ? longest->integer(1, limits::kImageSide) : 4 * tile}};
  config["do_image_splitting"] = true;
  config["max_image_size"] = {{"longest_edge", tile}};
  return config;
}

Json gguf_processor_config(const GgufPair& pair) {
  const GgufFile& vision = *pair.vision;
  if (!is_llava_projector(gguf_projector(vision))) return {{"processor_class", "Idefics3Processor"}};
  return {{"processor_class", "LlavaNextProcessor"},
          {"image_token", "<image>"},
          {"patch_size", vision.at("clip.vision.patch_size").integer(1, limits::kImageSide)},
          {"num_additional_image_tokens", has_class_token(vision) ? 1 : 0},
          {"vision_feature_select_strategy", select_strategy(vision)}};
}

}  // namespace galago
