// How rotary frequencies are scaled: rope_theta, rope_parameters, rope_scaling. In: a text model's settings.
// Out: numbers that follow from them. Reference: transformers 5.18 RotaryEmbeddingConfigMixin and
// modeling_rope_utils.py, whose defaults these are.
#include <cmath>

#include "core/limits.h"
#include "formats/config/config_fields.h"

namespace galago {
namespace {

constexpr IntegerRange kPositions{1, limits::kConfigPositions};
constexpr double kMostTheta = 1e15;
constexpr double kMostFactor = 1e6;

/// The object that says how, and the text model around it.
struct Scaling {
  const JsonField& text;
  JsonField object;
  int64_t max_positions;

  /// The length of the texts that the model was trained on. Beside the object it goes first.
  int64_t original_positions() const {
    const auto outer = text.find("original_max_position_embeddings");
    if (outer) return outer->integer(kPositions.least, kPositions.most);
    return integer_or(object, "original_max_position_embeddings", kPositions, max_positions);
  }
  double number_or(const char* key, double least, double fallback) const {
    const auto field = object.find(key);
    return field ? field->number(least, kMostFactor) : fallback;
  }
  /// factor, or how much longer texts may be than those of the training.
  double factor() const {
    return number_or("factor", 1,
                     static_cast<double>(max_positions) / static_cast<double>(original_positions()));
  }
};

/// The frequencies of long waves are divided by `factor`, those between are blended.
void read_llama3(const Scaling& scaling, RopeConfig& rope) {
  const JsonField& object = scaling.object;
  rope.factor = static_cast<float>(object.at("factor").number(1, kMostFactor));
  rope.low_freq_factor = static_cast<float>(object.at("low_freq_factor").number(1e-6, kMostFactor));
  const JsonField high = object.at("high_freq_factor");
  rope.high_freq_factor = static_cast<float>(high.number(1e-6, kMostFactor));
  if (rope.high_freq_factor <= rope.low_freq_factor) high.fail("more than low_freq_factor");
  rope.original_max_position_embeddings = scaling.original_positions();
}

std::vector<float> divisors(const JsonField& list) {
  std::vector<float> values;
  for (size_t j = 0; j < list.size(); ++j)
    values.push_back(static_cast<float>(list.at(j).number(1e-6, kMostFactor)));
  return values;
}

/// Each pair's frequency is divided by a number of its own, by another one in long texts.
void read_longrope(const Scaling& scaling, RopeConfig& rope) {
  rope.original_max_position_embeddings = scaling.original_positions();
  rope.divisors = divisors(scaling.object.at("short_factor"));
  rope.long_divisors = divisors(scaling.object.at("long_factor"));
  if (rope.long_divisors.size() != rope.divisors.size())
    scaling.object.at("long_factor").fail("as many as short_factor has");
  if (rope.long_divisors == rope.divisors) rope.long_divisors.clear();
  const double factor = scaling.factor();
  const double grown =
      factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(rope.original_max_position_embeddings));
  if (!std::isfinite(grown)) scaling.object.fail("original_max_position_embeddings of at least 2");
  rope.attention_scaling = static_cast<float>(scaling.number_or("attention_factor", 0, grown));
}

/// Waves that turn often within the original length are kept, those that hardly turn are stretched by
/// `factor`, those between are blended; attention becomes sharper.
void read_yarn(const Scaling& scaling, RopeConfig& rope) {
  const double factor = scaling.factor();
  const auto sharper = [&](double scale) { return factor <= 1 ? 1 : 0.1 * scale * std::log(factor) + 1; };
  const double one = scaling.number_or("mscale", 0, 0), all = scaling.number_or("mscale_all_dim", 0, 0);
  const double implied = one != 0 && all != 0 ? sharper(one) / sharper(all) : sharper(1);
  rope.factor = static_cast<float>(factor);
  rope.original_max_position_embeddings = scaling.original_positions();
  rope.attention_scaling = static_cast<float>(scaling.number_or("attention_factor", 0, implied));
  const auto turns = [&](const char* key, double fallback) {
    const double value = scaling.number_or(key, 0, 0);  // 0 is none
    return value == 0 ? fallback : value;
  };
  rope.beta_fast = turns("beta_fast", rope.beta_fast);
  rope.beta_slow = turns("beta_slow", rope.beta_slow);
  const bool said = scaling.object.value().contains("truncate");  // null is false
  rope.truncate = boolean_or(scaling.object, "truncate", !said);
}

void read_type(const Scaling& scaling, const JsonField& type, RopeConfig& rope) {
  rope.rope_type = type.string();
  if (rope.rope_type == "linear") {
    rope.factor = static_cast<float>(scaling.object.at("factor").number(1, kMostFactor));
  } else if (rope.rope_type == "dynamic") {
    // The base grows with texts of more than max_position_embeddings, which no prompt here has.
    scaling.object.at("factor").number(1, kMostFactor);
    rope.rope_type = "default";
  } else if (rope.rope_type == "proportional") {
    rope.factor = static_cast<float>(scaling.number_or("factor", 1, 1));
    const auto part = first_of(scaling.object, {"partial_rotary_factor"});
    const auto beside = part ? part : scaling.text.find("partial_rotary_factor");
    if (beside) rope.partial_rotary_factor = beside->number(0, 1);
  } else if (rope.rope_type == "llama3") {
    read_llama3(scaling, rope);
  } else if (rope.rope_type == "longrope") {
    read_longrope(scaling, rope);
  } else if (rope.rope_type == "yarn") {
    read_yarn(scaling, rope);
  } else if (rope.rope_type != "default") {
    type.unsupported("default, linear, dynamic, llama3, yarn, longrope or proportional");
  }
}

/// The default kind does not look at partial_rotary_factor; with the others the reference makes fewer angles
/// than a head has, and stops.
void check_whole_head(const JsonField& place, const std::string& type) {
  if (type == "default" || type == "proportional") return;
  if (const auto part = place.find("partial_rotary_factor"); part && part->number(0, 1) != 1)
    part->unsupported("1, all of a head rotated");
}

}  // namespace

/// rope_scaling, where it holds something, goes before rope_parameters, and the theta inside either before
/// the one beside it.
RopeConfig read_rope(const JsonField& text, int64_t max_positions) {
  RopeConfig rope;
  const auto theta = [&](const JsonField& object) {
    if (const auto field = object.find("rope_theta"))
      rope.rope_theta = static_cast<float>(field->number(1, kMostTheta));
  };
  theta(text);
  const auto scaling = text.find("rope_scaling");
  const bool scaled = scaling && !scaling->value().empty();
  const auto object = scaled ? scaling : text.find("rope_parameters");
  if (!object) return rope;
  theta(*object);
  const auto type = first_of(*object, {"rope_type", "type"});
  if (!type) return rope;
  read_type({.text = text, .object = *object, .max_positions = max_positions}, *type, rope);
  check_whole_head(text, type->string());
  check_whole_head(*object, type->string());
  return rope;
}

}  // namespace galago
