// The names below are values of two keys of config files, kept as the reference keeps them. A model type is
// here only where it overrules the class that the directory names.
#include "text/tokenizer/tokenizer_class.h"

#include <algorithm>
#include <array>

namespace galago {
namespace {

using Kind = TokenizerRecipe::Kind;

constexpr std::string_view kAsItIs = "TokenizersBackend";

struct Registered {
  std::string_view model_type;
  std::string_view tokenizer_class;
};

/// The class that a model type stands for.
constexpr std::array<Registered, 17> kRegistered = {{
    {"gemma", "GemmaTokenizer"},
    {"gemma2", "GemmaTokenizer"},
    {"gemma3", "GemmaTokenizer"},
    {"gemma3_text", "GemmaTokenizer"},
    {"granite", kAsItIs},
    {"granitemoe", kAsItIs},
    {"granitemoehybrid", kAsItIs},
    {"granitemoeshared", kAsItIs},
    {"idefics2", "LlamaTokenizer"},
    {"llava", kAsItIs},
    {"llava_next", kAsItIs},
    {"mistral", kAsItIs},
    {"mistral3", kAsItIs},
    {"mixtral", kAsItIs},
    {"siglip", "SiglipTokenizer"},
    {"siglip2", "Siglip2Tokenizer"},
    {"smolvlm", kAsItIs},
}};

std::string_view registered_for(std::string_view model_type) {
  const auto found = std::find_if(kRegistered.begin(), kRegistered.end(),
                                  [&](const Registered& entry) { return entry.model_type == model_type; });
  return found == kRegistered.end() ? std::string_view() : found->tokenizer_class;
}

/// The class that is used: the one that the directory names, unless its model type insists on none.
std::string_view chosen_class(std::string_view named, std::string_view model_type) {
  const std::string_view registered = registered_for(model_type);
  if (named.ends_with("Fast")) named.remove_suffix(4);
  if (named.empty() || registered == kAsItIs) return registered;
  return named;
}

}  // namespace

TokenizerRecipe tokenizer_recipe(std::string_view tokenizer_class, std::string_view model_type) {
  const std::string_view chosen = chosen_class(tokenizer_class, model_type);
  if (chosen == "LlamaTokenizer")
    return {
        Kind::metaspace, false, true, {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}}};
  if (chosen == "GPT2Tokenizer")
    return {Kind::bytes,
            false,
            false,
            {{"bos_token", "<|endoftext|>"}, {"eos_token", "<|endoftext|>"}, {"unk_token", "<|endoftext|>"}}};
  if (chosen == "GemmaTokenizer" || chosen == "Siglip2Tokenizer")
    return {Kind::spaces,
            chosen == "Siglip2Tokenizer",
            true,
            {{"bos_token", "<bos>"},
             {"eos_token", "<eos>"},
             {"unk_token", "<unk>"},
             {"pad_token", "<pad>"},
             {"mask_token", "<mask>"}}};
  if (chosen == "SiglipTokenizer")
    return {Kind::plain_text,
            true,
            false,
            {{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "</s>"}}};
  return {};
}

}  // namespace galago
