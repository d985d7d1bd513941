// A table from the tools' names to how their tensors are read.
#include "formats/prequantised/prequantised.h"

#include <array>
#include <optional>
#include <string_view>

#include "core/printable.h"
#include "formats/config/config_fields.h"
#include "formats/prequantised/packed_weights.h"
#include "galago/error.h"

namespace galago {
namespace {

struct Method {
  std::string_view name;
  Unpacker* unpack;
};

constexpr std::array<Method, 7> kMethods = {{{"awq", unpack_awq},
                                             {"bitsandbytes", unpack_bitsandbytes},
                                             {"compressed-tensors", unpack_compressed_tensors},
                                             {"fbgemm_fp8", unpack_fbgemm_fp8},
                                             {"fp8", unpack_fp8},
                                             {"gptq", unpack_gptq},
                                             {"mlx", unpack_mlx}}};

/// What config.json says of its weights: the tool, and its settings.
struct Quantisation {
  std::string method;
  JsonField settings;
};

std::optional<Quantisation> find_quantisation(const JsonField& config) {
  if (!config.value().is_object()) return std::nullopt;
  const auto text = config.find("text_config");
  auto settings = config.find("quantization_config");
  if (!settings && text && text->value().is_object()) settings = text->find("quantization_config");
  const auto mlx = config.find("quantization");
  if (!settings && !mlx) return std::nullopt;
  if (!settings) return Quantisation{"mlx", *mlx};
  settings->expect_object();
  if (const auto method = settings->find("quant_method")) return Quantisation{method->string(), *settings};
  if (settings->has("load_in_4bit") || settings->has("load_in_8bit"))
    return Quantisation{"bitsandbytes", *settings};
  if (mlx || (settings->has("bits") && settings->has("group_size")))
    return Quantisation{"mlx", mlx ? *mlx : *settings};
  throw Error(ErrorCode::model_unsupported,
              {.where = settings->where(), .got = "no quant_method", .expected = "the name of a method"});
}

const Method& method_of(const Quantisation& quantisation) {
  std::string known;
  for (const Method& method : kMethods) {
    if (method.name == quantisation.method) return method;
    known += (known.empty() ? "" : ", ") + std::string(method.name);
  }
  throw Error(
      ErrorCode::model_unsupported,
      {.where = quantisation.settings.where() + ".quant_method",
       .got = in_quotes(quantisation.method),
       .expected = "one of " + known,
       .hint = "take the model's unquantised files, or load these with transformers, call dequantize() and "
               "save_pretrained(); --dtype q8 or q4 quantises them again"});
}

}  // namespace

void check_quantization(const JsonField& config) {
  if (const auto found = find_quantisation(config)) method_of(*found);
}

std::vector<std::string> quantization_notes(const JsonField& config) {
  const auto found = find_quantisation(config);
  if (!found) return {};
  const auto bits = first_of(found->settings, {"bits", "w_bit"});
  const bool number = bits && bits->value().is_number_integer();
  return {"weights stored by " + printable(found->method) +
          (number ? ", " + std::to_string(bits->integer(0, 64)) + " bits" : "") + ", read as floats"};
}

void unpack_prequantised(Checkpoint& checkpoint, const JsonField& config) {
  if (const auto found = find_quantisation(config)) method_of(*found).unpack(checkpoint, found->settings);
  if (const auto format = checkpoint.metadata().find("format");
      format != checkpoint.metadata().end() && format->second == "mlx")
    adopt_mlx(checkpoint);
}

}  // namespace galago
