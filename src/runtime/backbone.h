// Which of a backbone's ways to generate is used, in the order of preference: packed rows in and a whole
// answer out (generate_from_embeds), embeddings in and token ids out (generate(inputs_embeds)), token ids in
// and out (generate(input_ids)), which cannot see a picture.
#pragma once

#include <cstdint>

namespace galago {

/// What a backbone offers.
struct GenerateWays {
  bool from_embeds = false;
  bool inputs_embeds = false;
  bool input_ids = false;
};

enum class GenerateWay { from_embeds, inputs_embeds, input_ids };

/// The first that is offered. Error{model_unsupported} when none is, or when only ids are taken and the
/// prompt holds image tokens.
GenerateWay choose_way(const GenerateWays& ways, int64_t image_tokens);

}  // namespace galago
