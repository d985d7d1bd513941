// See the header.
#include "batch/manifest.h"

#include "core/sha256.h"
#include "io/files.h"
#include "messages/ordered_json.h"

namespace galago::batch {
namespace {

std::string written(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

template <class Value>
OrderedJson or_null(const std::optional<Value>& value) {
  return value ? OrderedJson(*value) : OrderedJson();
}

OrderedJson format_json(const AnswerFormat& format) {
  return {{"kind", static_cast<int>(format.kind)},
          {"definition", format.definition},
          {"choices", format.choices}};
}

OrderedJson generation_json(const GenerateOptions& o) {
  OrderedJson biases = OrderedJson::array();
  for (const TokenBias& one : o.logit_bias) biases.push_back({one.id, one.bias});
  return {{"max_new_tokens", or_null(o.max_new_tokens)},
          {"temperature", o.temperature},
          {"top_k", o.top_k},
          {"top_p", o.top_p},
          {"min_p", o.min_p},
          {"typical_p", o.typical_p},
          {"epsilon_cutoff", o.epsilon_cutoff},
          {"eta_cutoff", o.eta_cutoff},
          {"repetition_penalty", or_null(o.repetition_penalty)},
          {"frequency_penalty", o.frequency_penalty},
          {"presence_penalty", o.presence_penalty},
          {"no_repeat_ngram_size", or_null(o.no_repeat_ngram_size)},
          {"min_new_tokens", or_null(o.min_new_tokens)},
          {"logit_bias", biases},
          {"bad_words_ids", o.bad_words_ids},
          {"suppress_tokens", o.suppress_tokens},
          {"begin_suppress_tokens", o.begin_suppress_tokens},
          {"seed", o.seed},
          {"stop", o.stop},
          {"stop_token_ids", o.stop_token_ids},
          {"ignore_eos", o.ignore_eos},
          {"keep_special", or_null(o.keep_special)},
          {"format", format_json(o.format)},
          {"legal_doctags", o.legal_doctags},
          {"logprobs", or_null(o.logprobs)},
          {"prompt_logprobs", or_null(o.prompt_logprobs)},
          {"prefill_chunk", o.prefill_chunk}};
}

OrderedJson request_json(const Request& r) {
  return {{"prompt", r.prompt},
          {"system", r.system},
          {"tools", r.tools},
          {"template_arguments", r.template_arguments},
          {"add_generation_prompt", or_null(r.add_generation_prompt)},
          {"continue_final_message", r.continue_final_message},
          {"split_images", or_null(r.split_images)},
          {"parse_special", r.parse_special},
          {"raw", r.raw},
          {"timeout_ms", r.timeout_ms},
          {"generation", generation_json(r.options)}};
}

std::string digest_of(const std::filesystem::path& file) { return to_hex(sha256(MappedFile(file).bytes())); }

// The first place where two objects differ, and the values there.
struct Difference {
  std::string path;
  std::string there;
  std::string now;
};

std::optional<Difference> difference(const OrderedJson& there, const OrderedJson& now,
                                     const std::string& path) {
  if (there == now) return {};
  if (!there.is_object() || !now.is_object()) return Difference{path, shown_json(there), shown_json(now)};
  for (const auto& [key, value] : now.items()) {
    const auto other = there.find(key);
    if (auto found = difference(other == there.end() ? OrderedJson() : *other, value,
                                path.empty() ? key : path + "." + key))
      return found;
  }
  return Difference{path, shown_json(there), shown_json(now)};
}

}  // namespace

std::string manifest(const Model& model, const Options& options) {
  const Request& request = options.request;
  if (!request.options.processors.empty() || !request.images.empty() || !request.videos.empty() ||
      !request.messages.empty())
    throw Error(ErrorCode::usage, {.where = "the request of a batch",
                                   .got = "pictures, messages or functions that choose tokens",
                                   .expected = "none: they belong to items, or cannot be compared"});
  OrderedJson json{{"format", "galago batch journal 1"},
                   {"galago", version()},
                   {"model", model.digest()},
                   {"settings", OrderedJson::object()},
                   {"timings", options.timings}};
  if (!options.settings.empty()) json["settings"] = parse_ordered_json(options.settings, "settings");
  json["request"] = request_json(request);
  return written(json);
}

std::string describe(const LoadOptions& load) {
  OrderedJson adapters = OrderedJson::array();
  for (const Lora& lora : load.lora)
    adapters.push_back({digest_of(lora.directory / "adapter_config.json"),
                        digest_of(lora.directory / "adapter_model.safetensors"), lora.scale});
  return written({{"dtype", to_string(load.dtype)},
                  {"compute", to_string(load.compute)},
                  {"kv_cache_dtype", to_string(load.kv_cache_dtype)},
                  {"pillow", load.pillow},
                  {"prefix_cache", load.prefix_cache_bytes > 0},
                  {"chat_template", load.chat_template.empty() ? "" : digest_of(load.chat_template)},
                  {"lora", adapters}});
}

void check_same_run(std::string_view there, std::string_view now, const std::string& where) {
  if (there == now) return;
  const OrderedJson old = OrderedJson::parse(there, nullptr, false);
  const auto differs = difference(old, OrderedJson::parse(now), "");
  throw Error(ErrorCode::usage,
              {.where = where,
               .got = differs ? differs->path + " " + differs->now : "another run",
               .expected = differs ? differs->there + ", with which the run began" : "the same run",
               .hint = "go on as it began, or --restart throws away what is done"});
}

}  // namespace galago::batch
